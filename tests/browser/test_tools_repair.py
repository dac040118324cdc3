"""Repairing borders without vertices: reshape, brush, split, merge, shared edges, simplify, smooth. One step each."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from shapely.geometry import Point, box

from annotation.models import Cell, CellLabel, Label, SmearImage
from tests.browser.cells import SQUARE, draw, propose, shape, square
from tests.browser.editor_page import EditorPage

pytestmark = pytest.mark.django_db(transaction=True)


def undone(editor: EditorPage) -> None:
    editor.press("Control+z")
    editor.saved()


def test_a_stroke_across_a_border_replaces_that_part(image: SmearImage, annotator: User, edit: Any) -> None:
    cell = draw(image)
    editor = edit(annotator)
    editor.press("t")
    editor.stroke((180, 120), (250, 120), (250, 180), (180, 180))
    editor.saved()
    cell.refresh_from_db()
    assert shape(cell).area == pytest.approx(13_000, rel=0.02)
    undone(editor)
    cell.refresh_from_db()
    assert cell.border == SQUARE
    # In and out takes away; a stroke that crosses nothing changes nothing.
    editor.stroke((90, 150), (210, 130))
    editor.saved()
    cell.refresh_from_db()
    assert shape(cell).area == pytest.approx(6_000, rel=0.03)
    editor.stroke((300, 300), (400, 300))
    editor.says("must cross a border twice")


def test_the_selected_border_is_reshaped_before_the_one_crossed_most(
    image: SmearImage, annotator: User, edit: Any
) -> None:
    left, right = draw(image), draw(image, square(190, 100))
    editor = edit(annotator)
    editor.click(110, 150)
    editor.press("t")
    editor.stroke((150, 130), (205, 130), (205, 150), (150, 150))
    editor.saved()
    left.refresh_from_db()
    right.refresh_from_db()
    assert (left.version, right.version) == (2, 1)
    editor.press("Escape", "Escape", "t")
    editor.stroke((220, 150), (300, 150), (300, 170), (220, 170))
    editor.saved()
    right.refresh_from_db()
    assert right.version == 2


def test_a_proposal_that_is_reshaped_is_confirmed(image: SmearImage, annotator: User, edit: Any) -> None:
    cell = propose(image, 300, 200)
    editor = edit(annotator)
    editor.press("t")
    editor.stroke((320, 190), (360, 190), (360, 210), (320, 210))
    editor.saved()
    cell.refresh_from_db()
    assert (cell.status, cell.border["kind"]) == ("confirmed", "polygon")
    undone(editor)
    cell.refresh_from_db()
    assert (cell.status, cell.border) == ("proposed", cell.proposed_border)


def test_the_brush_pushes_adds_and_takes(image: SmearImage, annotator: User, edit: Any) -> None:
    cell = draw(image)
    editor = edit(annotator)
    editor.click(150, 150)
    editor.press("u")
    editor.stroke((190, 150), (230, 150))
    editor.saved()
    cell.refresh_from_db()
    pushed = shape(cell)
    assert pushed.bounds[2] > 230
    assert pushed.contains(box(105, 105, 195, 195))
    undone(editor)
    editor.stroke((150, 105), (150, 80), hold="Shift")
    editor.saved()
    cell.refresh_from_db()
    assert shape(cell).area > 10_200
    assert shape(cell).contains(Point(150, 80))
    undone(editor)
    editor.stroke((90, 150), (130, 150), hold="Alt")
    editor.saved()
    cell.refresh_from_db()
    assert shape(cell).area < 9_800
    assert not shape(cell).contains(Point(130, 150))
    undone(editor)
    cell.refresh_from_db()
    assert cell.border == SQUARE
    # The same without keys, by the buttons.
    editor.page.locator("#tool-options").get_by_role("button", name="Take").click()
    editor.stroke((210, 150), (170, 150))
    editor.saved()
    cell.refresh_from_db()
    assert shape(cell).area < 9_800


def test_the_brush_changes_its_size_and_takes_the_border_under_it(
    image: SmearImage, annotator: User, edit: Any
) -> None:
    near, far = draw(image), draw(image, square(400, 300))
    editor = edit(annotator)
    editor.press("u", "]", "]", "[")
    editor.says("Brush: 43 pixels")
    left, top = editor.at(300, 200)
    editor.page.mouse.move(left, top)
    view = editor.page.get_attribute("#editor", "data-view")
    with editor.holding("Control"):
        editor.page.mouse.wheel(0, -100)
    editor.says("Brush: 52 pixels")
    assert editor.page.get_attribute("#editor", "data-view") == view
    editor.stroke((300, 200), (330, 200))
    editor.says("Begin on a border")
    editor.stroke((410, 350), (380, 350))
    editor.saved()
    near.refresh_from_db()
    far.refresh_from_db()
    assert (near.version, far.version) == (1, 2)
    assert shape(far).area > 10_000


def test_escape_gives_a_stroke_up(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image)
    editor = edit(annotator)
    for key in ("u", "t", "k"):
        editor.press(key)
        editor.page.mouse.move(*editor.at(150, 150))
        editor.page.mouse.down()
        editor.page.mouse.move(*editor.at(260, 150), steps=5)
        editor.press("Escape")
        editor.page.mouse.move(*editor.at(300, 180), steps=3)
        editor.page.mouse.up()
    editor.saved()
    assert Cell.objects.get().version == 1


def test_a_line_splits_a_cell_and_the_larger_part_stays_it(image: SmearImage, annotator: User, edit: Any) -> None:
    cell = draw(image)
    label = Label.objects.get(group__study=image.study, name="Myeloblast")
    CellLabel.objects.create(cell=cell, label=label, annotator=annotator)
    editor = edit(annotator)
    editor.press("k")
    editor.stroke((130, 80), (130, 220))
    editor.rows(2)
    editor.saved()
    cell.refresh_from_db()
    other = Cell.objects.exclude(pk=cell.pk).get()
    assert shape(cell).area == pytest.approx(7_000, rel=0.02)
    assert shape(cell).area + shape(other).area == pytest.approx(10_000, abs=1)
    assert [each.label for each in other.labels.all()] == [label]
    undone(editor)
    cell.refresh_from_db()
    other.refresh_from_db()
    assert (cell.border, other.status) == (SQUARE, "deleted")


def test_cells_are_merged_and_the_largest_keeps_its_labels(image: SmearImage, annotator: User, edit: Any) -> None:
    large, small = draw(image), draw(image, square(202, 120, 60))
    far = draw(image, square(450, 300))
    editor = edit(annotator)
    editor.click(230, 150)
    editor.press("m")
    editor.says("Select two cells or more")
    # The nearest as well: by keys alone.
    editor.press("Shift+g", "m")
    editor.rows(2)
    editor.saved()
    for cell in (large, small, far):
        cell.refresh_from_db()
    assert (large.status, small.status, far.version) == ("confirmed", "deleted", 1)
    assert shape(large).area == pytest.approx(13_720, rel=0.02)
    editor.press("Shift+g", "m")
    editor.says("do not touch")
    undone(editor)
    for cell in (large, small):
        cell.refresh_from_db()
    assert (large.border, small.status) == (SQUARE, "confirmed")


def test_neighbours_share_an_edge(image: SmearImage, annotator: User, edit: Any) -> None:
    left, right = draw(image), draw(image, square(203, 100))
    editor = edit(annotator)
    editor.click(250, 150)
    editor.press("Shift+s")
    editor.saved()
    right.refresh_from_db()
    left.refresh_from_db()
    assert left.border == SQUARE
    assert shape(right).distance(shape(left)) < 0.05
    assert shape(right).intersection(shape(left)).area < 0.5
    assert shape(right).area == pytest.approx(10_300, rel=0.01)


def test_borders_are_simplified_and_smoothed(image: SmearImage, annotator: User, edit: Any) -> None:
    ring = list(Point(200, 200).buffer(60, quad_segs=40).exterior.coords)[:-1]
    jitter = [[x + (i % 2) * 0.6, y] for i, (x, y) in enumerate(ring)]
    cell = draw(image, {"kind": "polygon", "points": jitter})
    editor = edit(annotator)
    editor.press("y")
    editor.says("Select polygons")
    editor.click(200, 200)
    editor.press("y")
    editor.says("instead of 160")
    editor.saved()
    cell.refresh_from_db()
    assert len(cell.border["points"]) < 40
    undone(editor)
    editor.press("Shift+y")
    editor.saved()
    cell.refresh_from_db()
    assert 12 <= len(cell.border["points"]) <= 60
    assert shape(cell).area == pytest.approx(3.1416 * 60**2, rel=0.03)


def test_an_ellipse_stays_one_until_a_vertex_is_asked_for(image: SmearImage, annotator: User, edit: Any) -> None:
    cell = draw(image, {"kind": "ellipse", "cx": 300, "cy": 200, "rx": 60, "ry": 40, "theta": 0})
    editor = edit(annotator)
    editor.click(300, 200)
    editor.press("y", "Shift+y")
    editor.says("as smooth and simple")
    with editor.holding("Control"):
        editor.click(300 + 60 * 0.7071, 200 + 40 * 0.7071)
    editor.saved()
    cell.refresh_from_db()
    assert cell.border["kind"] == "polygon"
    assert shape(cell).area == pytest.approx(3.1416 * 60 * 40, rel=0.03)
    undone(editor)
    cell.refresh_from_db()
    assert cell.border["kind"] == "ellipse"
