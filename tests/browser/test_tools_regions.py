"""Many proposals at once: those in a drawn region, those above a score. The count is shown first; one step each."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from annotation.models import Cell, SmearImage
from tests.browser.cells import draw, propose, square
from tests.browser.editor_page import EditorPage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def proposals(image: SmearImage) -> list[Cell]:
    return [propose(image, x, y, score) for x, y, score in [(100, 100, 0.55), (220, 100, 0.7), (500, 350, 0.95)]]


def statuses(cells: list[Cell]) -> list[str]:
    for cell in cells:
        cell.refresh_from_db()
    return [cell.status for cell in cells]


def assert_one_step(editor: EditorPage, proposals: list[Cell], said: str, expected: list[str]) -> None:
    """What was done is told and saved, and one undo takes all of it back."""
    editor.says(said)
    editor.saved()
    assert statuses(proposals) == expected
    editor.press("Control+z")
    editor.saved()
    assert statuses(proposals) == ["proposed"] * 3


def test_all_proposals_in_a_freehand_region_are_accepted(
    image: SmearImage, annotator: User, edit: Any, proposals: list[Cell]
) -> None:
    draw(image, square(60, 200, 60))
    editor = edit(annotator)
    editor.press("g")
    bar = editor.page.locator("#region-bar")
    editor.stroke((40, 40), (290, 40), (290, 290), (40, 290), (40, 50))
    expect(bar).to_contain_text("2 proposals")
    expect(bar).to_contain_text("Select 3 cells")
    editor.press("Enter")
    expect(bar).to_be_hidden()
    assert_one_step(editor, proposals, "2 proposals accepted", ["confirmed", "confirmed", "proposed"])


def test_all_proposals_in_a_box_are_rejected_and_by_the_button_too(
    image: SmearImage, annotator: User, edit: Any, proposals: list[Cell]
) -> None:
    kept = draw(image, square(60, 200, 60))
    editor = edit(annotator)
    editor.press("g")
    editor.stroke((40, 40), (290, 290), hold="Shift")
    editor.press("Delete")
    editor.rows(2)
    editor.saved()
    assert statuses([*proposals, kept]) == ["deleted", "deleted", "proposed", "confirmed"]
    editor.press("Control+z")
    editor.rows(4)
    editor.stroke((440, 300), (560, 300), (560, 400), (440, 400))
    editor.page.locator("#region-bar").get_by_role("button", name="Reject all").click()
    editor.saved()
    assert statuses(proposals) == ["proposed", "proposed", "deleted"]


def test_a_region_selects_or_is_put_away(image: SmearImage, annotator: User, edit: Any, proposals: list[Cell]) -> None:
    editor = edit(annotator)
    bar = editor.page.locator("#region-bar")
    editor.press("g")
    editor.stroke((330, 40), (380, 40), (380, 90))
    editor.says("There is no cell in the region")
    editor.stroke((40, 40), (290, 40), (290, 290), (40, 290))
    editor.press("Escape")
    expect(bar).to_be_hidden()
    editor.stroke((40, 40), (290, 40), (290, 290), (40, 290))
    editor.press("a")
    expect(bar).to_be_hidden()
    editor.title("2 cells selected")
    editor.saved()
    assert statuses(proposals) == ["proposed"] * 3


def test_all_above_a_score_are_counted_shown_and_accepted(
    image: SmearImage, annotator: User, edit: Any, proposals: list[Cell]
) -> None:
    editor = edit(annotator)
    editor.press("Shift+a")
    form = editor.page.locator("#accept-above")
    expect(form).to_contain_text("1 of 3 proposals")
    editor.page.keyboard.type("0.6")
    expect(form).to_contain_text("2 of 3 proposals")
    editor.press("Escape")
    expect(form).to_be_hidden()
    editor.page.get_by_role("button", name="Accept all above a score").click()
    form.get_by_role("spinbutton").fill("0.7")
    expect(form.get_by_role("slider")).to_have_value("0.7")
    editor.press("Enter")
    expect(form).to_be_hidden()
    assert_one_step(editor, proposals, "2 proposals from 0.70 on accepted", ["proposed", "confirmed", "confirmed"])
