"""The history of a cell: who did what, with pictures, and any version brought back."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from annotation.models import Cell, SmearImage
from tests.browser.cells import draw, propose, square
from tests.browser.editor_page import EditorPage
from tests.browser.saved_cells import in_database, on_screen

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_history_of_a_cell_shows_who_did_what_and_brings_any_version_back(
    image: SmearImage, annotator: User, pair: Any
) -> None:
    cell = propose(image, 200, 200)
    mine, theirs = pair()
    theirs.click(200, 200)
    theirs.press("Enter")
    theirs.saved()
    mine.page.wait_for_timeout(1_200)
    mine.click(200, 200)
    mine.press("Shift+ArrowRight", "1")
    mine.saved()
    mine.press("Shift+h")
    dialog = mine.page.locator("#cell-history")
    versions = dialog.locator(".version")
    expect(versions.first).to_contain_text("As it is now")
    expect(dialog).to_contain_text("theo")
    expect(versions.last).to_contain_text("Proposed by watershed/1")
    drawn = versions.last.locator("canvas").evaluate(
        "(canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)"
    )
    assert drawn
    versions.last.get_by_role("button", name="Restore").click()
    mine.saved()
    cell.refresh_from_db()
    assert (cell.status, cell.border) == ("proposed", cell.proposed_border)
    mine.press("Control+z")
    mine.saved()
    cell.refresh_from_db()
    assert (cell.status, cell.border["cx"]) == ("confirmed", 210)
    assert on_screen(mine.page) == in_database(image, annotator)


def test_deleted_cells_are_shown_and_brought_back(image: SmearImage, annotator: User, edit: Any) -> None:
    kept, gone = draw(image), draw(image, square(300, 100))
    editor = edit(annotator)
    editor.click(350, 150)
    editor.press("1", "Delete")
    editor.saved()
    # After a reload nothing can be undone.
    editor.page.reload()
    editor = EditorPage(editor.page)
    editor.rows(1)
    editor.press("Shift+h")
    dialog = editor.page.locator("#cell-history")
    expect(dialog).to_contain_text("Deleted cells of this image")
    expect(dialog.locator(".version")).to_contain_text("Myeloblast")
    dialog.get_by_role("button", name="Restore").click()
    editor.rows(2)
    editor.saved()
    assert set(Cell.objects.exclude(status="deleted")) == {kept, gone}
    assert on_screen(editor.page) == in_database(image, annotator)
    editor.press("Control+z")
    editor.rows(1)
    editor.saved()
