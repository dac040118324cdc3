"""What goes wrong between browser and server, and when it is over."""

from playwright.sync_api import Page, expect

from annotation.models import Operation, SmearImage
from tests.browser.editor_page import EditorPage
from tests.browser.saved_cells import eventually, journal, look

TROUBLE = "ERR_|Failed to load resource"

SAVING = "**/api/v1/images/*/operations/"


def hurry(page: Page) -> None:
    """What the browser says when the connection is back: try at once instead of waiting longer and longer."""
    page.evaluate("dispatchEvent(new Event('online'))")


def draw_unsaved(editor: EditorPage) -> None:
    """Draw a border while nothing reaches the server."""
    editor.page.route(SAVING, lambda route: route.abort())
    editor.polygon((100, 100), (180, 110), (170, 200))
    expect(editor.page.locator("#save-status")).to_contain_text("1 unsaved")


def leave_for_another(editor: EditorPage, image: SmearImage, *keys: str) -> None:
    """Go on from an image by keys, and wait until it is left."""
    editor.press("Escape", "Escape", *keys)
    editor.page.wait_for_function(
        "(image) => document.querySelector('#editor').dataset.image !== image", arg=str(image.pk)
    )


def settled(editor: EditorPage) -> None:
    """Everything is confirmed, and the journal is empty."""
    for _ in range(30):
        hurry(editor.page)
        editor.page.wait_for_timeout(100)
        if editor.page.get_attribute("#save-status", "data-status") == "saved":
            break
    assert look(editor.page)["problems"] == []
    editor.saved()
    eventually(editor.page, lambda: journal(editor.page) == [])


def assert_nothing_doubled() -> None:
    """Every version of a cell was made by one operation."""
    made = list(Operation.objects.values_list("cell", "version"))
    assert len(made) == len(set(made))
