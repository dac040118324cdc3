"""Drawing: every shape, polygons by clicks and freehand, and undo while a border is half drawn."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect
from shapely.geometry import Point, Polygon

from annotation.models import Cell, SmearImage
from tests.browser.cells import draw, shape, square

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_circle_a_rectangle_and_a_point_are_drawn_and_the_tool_stays(
    image: SmearImage, annotator: User, edit: Any
) -> None:
    editor = edit(annotator)
    editor.press("o")
    editor.drag((100, 100), (140, 130))
    editor.drag((250, 100), (250, 130))
    editor.press("r")
    editor.drag((300, 200), (380, 260))
    with editor.holding("Shift"):
        editor.drag((420, 200), (480, 230))
    editor.press("x")
    editor.click(100, 300)
    editor.click(200, 300)
    editor.rows(6)
    editor.saved()
    borders = [cell.border for cell in Cell.objects.order_by("created_at")]
    assert [border["kind"] for border in borders] == ["circle"] * 2 + ["rectangle"] * 2 + ["point"] * 2
    assert [borders[0][name] for name in ("cx", "cy", "r")] == pytest.approx([100, 100, 50], abs=1)
    assert [borders[2][name] for name in ("x", "y", "width", "height")] == pytest.approx([300, 200, 80, 60], abs=1)
    assert borders[3]["width"] == pytest.approx(60, abs=1)
    assert borders[3]["height"] == pytest.approx(borders[3]["width"], abs=0.02)
    assert [borders[5]["cx"], borders[5]["cy"]] == pytest.approx([200, 300], abs=1)


def test_a_border_around_a_mark_becomes_the_border_of_that_cell(image: SmearImage, annotator: User, edit: Any) -> None:
    marked = draw(image, {"kind": "point", "cx": 150, "cy": 150})
    editor = edit(annotator)
    editor.press("e")
    editor.drag((110, 110), (190, 190))
    editor.saved()
    cell = Cell.objects.get()
    assert (cell.pk, cell.border["kind"]) == (marked.pk, "ellipse")


def test_clicks_and_freehand_mix_in_one_polygon(image: SmearImage, annotator: User, edit: Any) -> None:
    editor = edit(annotator)
    editor.press("w")
    editor.click(100, 100)
    editor.stroke((200, 100), (220, 150), (200, 200))
    editor.click(100, 200)
    editor.press("Enter")
    editor.rows(1)
    editor.saved()
    drawn = shape(Cell.objects.get())
    assert (
        drawn.intersection(Polygon([(100, 100), (200, 100), (220, 150), (200, 200), (100, 200)])).area
        > 0.97 * drawn.area
    )
    assert drawn.area == pytest.approx(11_000, rel=0.03)


def test_a_freehand_loop_finishes_by_itself(image: SmearImage, annotator: User, edit: Any) -> None:
    editor = edit(annotator)
    editor.press("w")
    ring = Point(300, 240).buffer(60, quad_segs=6).exterior.coords
    editor.stroke(*[(x, y) for x, y in ring][:-1])
    editor.rows(1)
    editor.saved()
    cell = Cell.objects.get()
    assert cell.border["kind"] == "polygon"
    assert shape(cell).intersection(Point(300, 240).buffer(60)).area > 0.95 * 3.1416 * 60**2
    # The tool stays: the next cell is drawn at once.
    editor.stroke((450, 100), (520, 100), (520, 170), (450, 170), (450, 105))
    editor.rows(2)
    editor.press("Control+z")
    editor.rows(1)


def test_shift_draws_freehand_without_a_button_held(image: SmearImage, annotator: User, edit: Any) -> None:
    editor = edit(annotator)
    editor.press("w")
    editor.click(100, 100)
    with editor.holding("Shift"):
        for point in [(200, 100), (230, 150), (200, 200), (100, 200)]:
            editor.page.mouse.move(*editor.at(*point), steps=8)
    editor.press("n")
    editor.rows(1)
    editor.saved()
    assert shape(Cell.objects.get()).area == pytest.approx(11_500, rel=0.03)


def test_vertices_are_undone_and_redone_while_drawing(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image, square(400, 300))
    editor = edit(annotator)
    editor.press("w")
    for point in [(100, 100), (200, 100), (200, 200), (300, 300)]:
        editor.click(*point)
    undo, redo = (editor.page.locator(f'.toolbar [data-command="{command}"]') for command in ("undo", "redo"))
    expect(redo).to_be_disabled()
    undo.click()
    expect(redo).to_be_enabled()
    editor.press("Control+z", "Control+z", "Control+z")
    expect(undo).to_be_disabled()
    editor.press("Control+y", "Control+Shift+z", "Control+y")
    # Not what is drawn already, and no leaving the image: the keys act on the border in hand.
    editor.press("Delete")
    editor.press("Control+y", "p")
    editor.says("Finish the border first")
    editor.press("e", "w", "q")
    editor.click(100, 200)
    editor.press("Enter")
    editor.rows(2)
    editor.saved()
    drawn = Cell.objects.order_by("created_at").last()
    assert drawn is not None
    assert [value for point in drawn.border["points"] for value in point] == pytest.approx(
        [100, 100, 200, 100, 200, 200, 100, 200], abs=1
    )
    editor.press("Control+z")
    editor.rows(1)
    editor.press("Control+y")
    editor.rows(2)


def test_a_right_click_takes_the_last_vertex_back_and_a_click_on_the_first_finishes(
    image: SmearImage, annotator: User, edit: Any
) -> None:
    editor = edit(annotator)
    editor.press("w")
    for point in [(100, 100), (200, 100), (200, 200), (400, 400)]:
        editor.click(*point)
    editor.click(300, 300, button="right")
    editor.click(102, 101)
    editor.rows(1)
    editor.saved()
    assert len(Cell.objects.get().border["points"]) == 3


def test_the_buttons_of_the_polygon_do_what_the_keys_do(image: SmearImage, annotator: User, edit: Any) -> None:
    editor = edit(annotator)
    editor.page.get_by_role("button", name="Draw a polygon, by clicks or freehand").click()
    for point in [(100, 100), (200, 100), (200, 200), (400, 400)]:
        editor.click(*point)
    bar = editor.page.locator("#tool-options")
    bar.get_by_role("button", name="Vertex back").click()
    bar.get_by_role("button", name="Finish").click()
    editor.rows(1)
    editor.saved()
    assert len(Cell.objects.get().border["points"]) == 3
    editor.click(300, 300)
    bar.get_by_role("button", name="Give up").click()
    editor.press("q")
    expect(bar.get_by_role("button", name="Finish")).to_be_hidden()


def test_vertices_snap_to_the_neighbour_and_let_go_with_alt(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image, square(100, 100))
    editor = edit(annotator)
    editor.press("s", "w")
    resolution = float(str(editor.page.get_attribute("#editor", "data-view")).split()[0])
    near = 200 + 3 * resolution
    editor.click(near, 100)
    editor.click(300, 100)
    editor.click(300, 200)
    with editor.holding("Alt"):
        editor.click(near, 200)
    editor.press("Enter")
    editor.rows(2)
    editor.saved()
    drawn = Cell.objects.order_by("created_at").last()
    assert drawn is not None
    assert drawn.border["points"][0] == [200, 100]
    assert drawn.border["points"][3][0] == pytest.approx(near, abs=0.6 * resolution)
    assert drawn.border["points"][3] != [200, 200]
