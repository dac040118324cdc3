"""Selecting by box and keys, moving many, ignored regions; and a click never changes a border."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from annotation.models import Cell, SmearImage
from tests.browser.cells import SQUARE, draw, square
from tests.browser.editor_page import EditorPage

pytestmark = pytest.mark.django_db(transaction=True)


def points(cell: Cell) -> Any:
    cell.refresh_from_db()
    return cell.border["points"]


def test_a_box_selects_and_what_is_selected_moves_together(image: SmearImage, annotator: User, edit: Any) -> None:
    first, second, third = draw(image), draw(image, square(220, 100)), draw(image, square(400, 300))
    editor = edit(annotator)
    with editor.holding("Shift"):
        editor.drag((80, 80), (330, 210))
    editor.title("2 cells selected")
    with editor.holding("Control"):
        editor.drag((390, 290), (510, 410))
    editor.title("Unlabelled cell")
    with editor.holding("Shift"):
        editor.drag((90, 90), (210, 210))
    editor.title("2 cells selected")
    editor.drag((150, 150), (180, 150))
    editor.saved()
    assert points(first)[0] == pytest.approx([130, 100], abs=1)
    assert points(third)[0] == pytest.approx([430, 300], abs=1)
    assert second.border == square(220, 100)
    assert points(second)[0] == [220, 100]
    editor.press("Control+z")
    editor.saved()
    assert (points(first)[0], points(third)[0]) == ([100, 100], [400, 300])
    editor.press("a", "Shift+ArrowDown")
    editor.saved()
    assert [points(cell)[0][1] for cell in (first, second, third)] == [110, 110, 310]
    editor.press("Control+a", "d")
    editor.rows(0)


def test_a_box_given_up_selects_nothing_and_the_image_pans_beside_cells(
    image: SmearImage, annotator: User, edit: Any
) -> None:
    draw(image)
    editor = edit(annotator)
    editor.page.mouse.move(*editor.at(80, 80))
    with editor.holding("Shift"):
        editor.page.mouse.down()
        editor.page.mouse.move(*editor.at(250, 250), steps=4)
        editor.press("Escape")
        editor.page.mouse.up()
    editor.title("No cell selected")
    for options in ({}, {"button": "middle"}):
        before = editor.page.get_attribute("#editor", "data-view")
        editor.page.mouse.move(*editor.at(300, 300))
        editor.page.mouse.down(**options)
        editor.page.mouse.move(*editor.at(360, 300), steps=4)
        editor.page.mouse.up(**options)
        expect(editor.page.locator("#editor")).not_to_have_attribute("data-view", str(before))
    assert Cell.objects.get().version == 1


def test_an_ignored_region_is_selected_reshaped_and_deleted_but_never_labelled(
    image: SmearImage, annotator: User, edit: Any
) -> None:
    region = draw(image, ignored=True, ignored_class="smudge", origin="imported")
    editor = edit(annotator)
    editor.click(150, 150)
    editor.drag((200, 200), (240, 230))
    editor.saved()
    assert points(region)[2] == pytest.approx([240, 230], abs=1)
    assert region.ignored
    editor.press("1", "c")
    editor.says("not copied")
    editor.press("t")
    editor.stroke((90, 130), (130, 130), (130, 150), (90, 150))
    editor.saved()
    assert len(points(region)) > 4
    assert not region.labels.exists()
    editor.press("q", "Delete")
    editor.rows(0)
    editor.saved()
    region.refresh_from_db()
    assert region.status == "deleted"


def test_a_drag_that_leaves_the_window_ends_well(image: SmearImage, annotator: User, edit: Any) -> None:
    cell = draw(image)
    editor = edit(annotator)
    editor.click(150, 150)
    editor.page.mouse.move(*editor.at(100, 100))
    editor.page.mouse.down()
    editor.page.mouse.move(-50, -50, steps=5)
    editor.page.mouse.up()
    editor.saved()
    assert points(cell)[0] == [0, 0]
    # The next move drags nothing any more.
    editor.page.mouse.move(*editor.at(300, 300), steps=4)
    editor.saved()
    cell.refresh_from_db()
    assert cell.version == 2


def test_dragging_snaps_a_vertex_to_the_neighbour_and_never_off_the_grabbed_one(
    image: SmearImage, annotator: User, edit: Any
) -> None:
    left, right = draw(image), draw(image, square(230, 100))
    editor = edit(annotator)
    snap = editor.page.locator('.toolbar [data-command="snap"]')
    expect(snap).to_have_attribute("aria-pressed", "false")
    editor.press("s")
    expect(snap).to_have_attribute("aria-pressed", "true")
    editor.click(150, 150)
    resolution = float(str(editor.page.get_attribute("#editor", "data-view")).split()[0])
    editor.drag((200, 200), (230 - 2 * resolution, 200 + 2 * resolution))
    editor.saved()
    assert points(left)[2] == [230, 200]
    editor.press("s", "Control+z")
    editor.drag((200, 200), (230 - 3 * resolution, 190))
    editor.saved()
    assert points(left)[2][0] == pytest.approx(230 - 3 * resolution, abs=0.6 * resolution)
    assert points(right) == square(230, 100)["points"]


def test_no_tool_changes_a_border_by_a_click(image: SmearImage, annotator: User, edit: Any) -> None:
    cell = draw(image)
    editor = edit(annotator)
    for key in ("q", "e", "o", "r", "t", "u", "k", "g"):
        editor.press(key)
        for x, y in ((150, 150), (200, 200), (150, 100)):
            editor.click(x, y)
    editor.saved()
    editor.rows(1)
    cell.refresh_from_db()
    assert (cell.border, cell.version) == (SQUARE, 1)


def test_a_reviewed_image_lets_no_tool_work(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image)
    SmearImage.objects.filter(pk=image.pk).update(state="reviewed")
    editor: EditorPage = edit(annotator)
    editor.click(150, 150)
    for key in ("o", "r", "x", "t", "u", "k", "g", "m", "Shift+s", "y", "Shift+y", "Shift+a", "v"):
        editor.press(key)
        expect(editor.page.locator("#editor")).to_have_attribute("data-tool", "select")
    editor.drag((150, 150), (190, 160))
    editor.rows(1)
    editor.press("Escape", "a", "c", "v")
    editor.says("reviewed")
    editor.rows(1)
    assert Cell.objects.get().version == 1
