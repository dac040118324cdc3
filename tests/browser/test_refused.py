"""What the server does not take stays on the screen, with the reason, until the person decides."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Route, expect

from annotation.models import Cell, SmearImage
from tests.browser.cells import draw
from tests.browser.editor_page import EditorPage
from tests.browser.saved_cells import in_database, on_screen
from tests.browser.trouble import SAVING, TROUBLE, draw_unsaved, hurry, leave_for_another, settled

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_refused_border_stays_with_its_reason_until_it_is_repaired_or_discarded(
    image: SmearImage, annotator: User, edit: Any, console: Any
) -> None:
    console.expect(TROUBLE)
    editor = edit(annotator)
    reason = "The border crosses itself."

    def refuse(route: Route) -> None:
        asked = route.request.post_data_json["operations"]
        results = [{"id": each["id"], "status": "refused", "reason": reason, "cell": None} for each in asked]
        route.fulfill(json={"results": results, "image_state": "new", "revision": 1})

    editor.page.route(SAVING, refuse)
    editor.polygon((100, 100), (180, 110), (170, 200))
    editor.press("q")
    card = editor.page.locator(".problem-card")
    expect(card).to_contain_text(f"Not saved. {reason}")
    editor.rows(1)
    # It is there after a reload too.
    editor.page.reload()
    editor = EditorPage(editor.page)
    expect(card).to_contain_text(reason)
    editor.rows(1)
    editor.page.unroute(SAVING)
    editor.click(150, 130)
    editor.press("ArrowRight")
    expect(card).to_be_hidden()
    settled(editor)
    assert Cell.objects.count() == 1
    assert on_screen(editor.page) == in_database(image, annotator)


def test_refused_changes_of_a_reviewed_image_are_discarded_or_sent_again(
    image: SmearImage, annotator: User, edit: Any, console: Any
) -> None:
    console.expect(TROUBLE)
    for x in (100, 250, 400):
        draw(image, {"kind": "polygon", "points": [[x, 100], [x + 60, 100], [x + 60, 160], [x, 160]]})
    before = in_database(image, annotator)
    editor = edit(annotator)
    editor.page.route("**/presence/", lambda route: route.abort())
    SmearImage.objects.update(state="reviewed")
    editor.press("a", "Shift+ArrowRight")
    notice = editor.page.locator("#notices .notice")
    expect(notice).to_contain_text("3 changes are not saved.")
    expect(notice).to_contain_text("reviewed")
    assert in_database(image, annotator) == before
    SmearImage.objects.update(state="in_progress")
    notice.get_by_role("button", name="Try all again").click()
    settled(editor)
    assert on_screen(editor.page) == in_database(image, annotator) != before


def test_a_problem_of_another_image_is_told_with_its_name(
    image: SmearImage, annotator: User, edit: Any, console: Any, make_image: Any
) -> None:
    console.expect(TROUBLE)
    make_image(image.study, width=640, height=480, seed=5)
    editor = edit(annotator)
    draw_unsaved(editor)
    SmearImage.objects.filter(pk=image.pk).update(state="reviewed")
    leave_for_another(editor, image, "n")
    editor.page.unroute(SAVING)
    hurry(editor.page)
    notice = editor.page.locator("#notices .notice")
    expect(notice).to_contain_text(f"{image.name} has a change that could not be saved.")
    notice.get_by_role("button", name="Open it").click()
    card = editor.page.locator(".problem-card")
    expect(card).to_contain_text("reviewed")
    card.get_by_role("button", name="Discard").click()
    editor.rows(0)
    settled(editor)
    assert not Cell.objects.exists()
