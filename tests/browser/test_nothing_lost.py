"""Whatever happens on the way, every border ends on the server once: offline, killed, answers lost."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from annotation.models import Cell, SmearImage
from tests.browser.editor_page import EditorPage
from tests.browser.saved_cells import eventually, journal
from tests.browser.trouble import SAVING, TROUBLE, assert_nothing_doubled, draw_unsaved, leave_for_another, settled

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("status", "words"), [(500, "The server made a mistake"), (507, "The disk of the server is full")]
)
def test_a_server_in_trouble_gets_everything_when_it_is_well_again(
    image: SmearImage, annotator: User, edit: Any, console: Any, status: int, words: str
) -> None:
    console.expect(TROUBLE)
    editor = edit(annotator)
    editor.page.route(SAVING, lambda route: route.fulfill(status=status, json={"detail": f"{words}."}))
    editor.polygon((100, 100), (180, 110), (170, 200))
    editor.press("1")
    expect(editor.page.locator("#save-status")).to_contain_text(f"2 unsaved ({words})")
    eventually(editor.page, lambda: len(journal(editor.page)) == 2)
    assert not Cell.objects.exists()
    editor.page.unroute(SAVING)
    settled(editor)
    assert Cell.objects.get().labels.get().label.name == "Myeloblast"


@pytest.mark.parametrize("locks", [True, False])
def test_a_killed_tab_loses_nothing_and_its_image_need_not_be_opened_again(
    image: SmearImage, annotator: User, edit: Any, console: Any, make_image: Any, locks: bool
) -> None:
    console.expect(TROUBLE)
    other = make_image(image.study, width=640, height=480, seed=5)
    editor = edit(annotator)
    context = editor.page.context
    editor.page.route(SAVING, lambda route: route.abort())
    for x in (100, 250, 400):
        editor.polygon((x, 100), (x + 60, 110), (x + 50, 180))
    editor.press("1")
    eventually(editor.page, lambda: len(journal(editor.page)) == 4)
    editor.page.close(run_before_unload=False)
    assert not Cell.objects.exists()
    page = context.new_page()
    if not locks:
        # As where the server speaks plain HTTP.
        page.add_init_script("Object.defineProperty(navigator, 'locks', { get: () => undefined })")
    console.watch(page)
    page.goto(f"/images/{other.pk}/")
    settled(EditorPage(page))
    assert Cell.objects.filter(image=image).count() == 3
    assert Cell.objects.filter(labels__label__name="Myeloblast").count() == 1
    assert_nothing_doubled()


def test_work_of_a_tab_that_dies_is_sent_by_the_one_that_is_left(
    image: SmearImage, annotator: User, edit: Any, console: Any
) -> None:
    console.expect(TROUBLE)
    left = edit(annotator)
    page = left.page.context.new_page()
    console.watch(page)
    page.route(SAVING, lambda route: route.abort())
    page.goto(f"/images/{image.pk}/")
    dying = EditorPage(page)
    dying.polygon((100, 100), (180, 110), (170, 200))
    eventually(page, lambda: len(journal(page)) == 1)
    # While it lives its work is its own.
    left.page.wait_for_timeout(500)
    assert not Cell.objects.exists()
    page.close(run_before_unload=False)
    left.rows(1)
    settled(left)
    assert Cell.objects.count() == 1


def test_leaving_with_unsaved_work_is_asked_about(image: SmearImage, annotator: User, edit: Any, console: Any) -> None:
    console.expect(TROUBLE)
    editor = edit(annotator)
    draw_unsaved(editor)
    asked = []
    editor.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    editor.page.goto("/")
    assert asked == ["beforeunload"]


def test_an_image_that_is_left_goes_on_being_saved(
    image: SmearImage, annotator: User, edit: Any, console: Any, make_image: Any
) -> None:
    console.expect(TROUBLE)
    make_image(image.study, width=640, height=480, seed=5)
    editor = edit(annotator)
    draw_unsaved(editor)
    leave_for_another(editor, image, "p", "n")
    EditorPage(editor.page).rows(0)
    expect(editor.page.locator("#save-status")).to_contain_text("1 unsaved")
    editor.page.unroute(SAVING)
    settled(editor)
    assert Cell.objects.get().image == image
    editor.press("p")
    editor.rows(1)


def test_what_an_earlier_version_kept_in_the_local_storage_is_sent(
    image: SmearImage, annotator: User, page_of: Any
) -> None:
    page = page_of(annotator)
    cell, operation = "8d3c2f7e-51f4-4c0b-9d37-3f64f3f2a001", "8d3c2f7e-51f4-4c0b-9d37-3f64f3f2a002"
    page.evaluate(
        """([user, image, cell, id]) => {
          const border = { kind: "polygon", points: [[10, 10], [60, 10], [60, 60]] };
          const operation = { id, cell, kind: "create", version: 0, border, sequence: "000001763000000-000001" };
          localStorage.setItem(["marrowloop-operation", user, image, id].join("|"), JSON.stringify(operation));
        }""",
        [annotator.pk, image.pk, cell, operation],
    )
    page.goto(f"/images/{image.pk}/")
    editor = EditorPage(page)
    editor.rows(1)
    settled(editor)
    assert str(Cell.objects.get().pk) == cell
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('marrowloop-operation'))") == []


@pytest.mark.parametrize(
    "broken",
    [
        "Object.defineProperty(window, 'indexedDB', { get: () => undefined })",
        "IDBObjectStore.prototype.getAll = () => { throw new DOMException('Torn pages', 'UnknownError') }",
    ],
)
def test_a_browser_without_a_database_says_so_and_saves(
    image: SmearImage, annotator: User, page_of: Any, broken: str
) -> None:
    page = page_of(annotator)
    page.add_init_script(broken)
    page.goto(f"/images/{image.pk}/")
    editor = EditorPage(page)
    expect(page.locator("#notices")).to_contain_text("does not let the page keep anything")
    editor.polygon((100, 100), (180, 110), (170, 200))
    editor.saved()
    assert Cell.objects.count() == 1
