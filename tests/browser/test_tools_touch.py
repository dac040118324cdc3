"""One finger draws, two pan and zoom, one that rests selects; the pen draws, the hand beside it does not."""

import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from annotation.models import Cell, SmearImage
from tests.browser.cells import SQUARE, draw, propose, shape, square
from tests.browser.editor_page import EditorPage

pytestmark = pytest.mark.django_db(transaction=True)

Place = tuple[float, float]


class Hand:
    """Fingers and pen on the screen; places are image pixels as the view was when the hand came."""

    def __init__(self, editor: EditorPage) -> None:
        self.editor = editor
        self.browser = editor.page.context.new_cdp_session(editor.page)

    def fingers(self, *paths: list[Place], rest: float = 0) -> None:
        """Fingers one after another down, together along their paths, and up."""
        at = [[self.editor.at(*place) for place in path] for path in paths]
        for down in range(1, len(at) + 1):
            self._touch("touchStart", [path[0] for path in at[:down]])
        time.sleep(rest)
        for step in range(1, max(len(path) for path in at)):
            self._touch("touchMove", [path[min(step, len(path) - 1)] for path in at])
        self._touch("touchEnd", [])

    def pen(self, *path: Place) -> None:
        for i, place in enumerate(path):
            x, y = self.editor.at(*place)
            kind = "mousePressed" if i == 0 else "mouseMoved"
            self._pen(kind, x, y, 1)
        self._pen("mouseReleased", *self.editor.at(*path[-1]), 0)

    def _touch(self, kind: str, places: list[Place]) -> None:
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
        self.browser.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def _pen(self, kind: str, x: float, y: float, buttons: int) -> None:
        options = {"type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1}
        self.browser.send("Input.dispatchMouseEvent", {**options, "pointerType": "pen"})


def line(start: Place, end: Place, steps: int = 8) -> list[Place]:
    return [
        (start[0] + (end[0] - start[0]) * i / steps, start[1] + (end[1] - start[1]) * i / steps)
        for i in range(steps + 1)
    ]


def test_one_finger_draws_and_taps_set_vertices(image: SmearImage, annotator: User, edit: Any) -> None:
    editor = edit(annotator, has_touch=True)
    hand = Hand(editor)
    editor.page.locator('.toolbar [data-command="ellipse"]').tap()
    hand.fingers(line((100, 100), (200, 180)))
    editor.rows(1)
    editor.page.locator('.toolbar [data-command="polygon"]').tap()
    for place in [(300, 300), (400, 300), (400, 400)]:
        hand.fingers([place])
    editor.page.locator("#tool-options").get_by_role("button", name="Finish").tap()
    editor.rows(2)
    editor.saved()
    ellipse, polygon = Cell.objects.order_by("created_at")
    assert ellipse.border["rx"] == pytest.approx(50, abs=3)
    assert shape(polygon).area == pytest.approx(5_000, rel=0.05)


def test_two_fingers_pan_and_zoom_while_a_tool_is_in_use(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image)
    editor = edit(annotator, has_touch=True)
    hand = Hand(editor)

    def view() -> list[float]:
        return [float(value) for value in str(editor.page.get_attribute("#editor", "data-view")).split()]

    for tool in ("w", "u", "t", "q"):
        editor.press(tool)
        before = view()
        hand.fingers(line((250, 250), (290, 250)), line((350, 250), (390, 250)))
        editor.page.wait_for_timeout(600)
        moved = view()
        assert moved[1] < before[1] - 15
        hand.fingers(line((250, 250), (220, 250)), line((300, 250), (330, 250)))
        editor.page.wait_for_timeout(600)
        assert view()[0] < 0.8 * moved[0]
        editor.press("=")
        editor.page.wait_for_timeout(400)
    editor.rows(1)
    editor.saved()
    assert Cell.objects.get().version == 1


def test_the_second_finger_keeps_the_vertices_set(image: SmearImage, annotator: User, edit: Any) -> None:
    editor = edit(annotator, has_touch=True)
    hand = Hand(editor)
    editor.press("w")
    for place in [(300, 300), (400, 300), (400, 400)]:
        hand.fingers([place])
    hand.fingers(line((250, 250), (290, 250)), line((350, 250), (390, 250)))
    editor.page.wait_for_timeout(600)
    hand.fingers([(300, 400)])
    editor.press("Enter")
    editor.rows(1)
    editor.saved()
    assert shape(Cell.objects.get()).area == pytest.approx(10_000, rel=0.05)


def test_a_finger_that_rests_selects_whatever_the_tool(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image)
    draw(image, square(300, 100))
    editor = edit(annotator, has_touch=True)
    hand = Hand(editor)
    editor.press("w")
    hand.fingers([(150, 150)], rest=0.8)
    editor.title("Unlabelled cell")
    editor.press("q")
    hand.fingers([(350, 150)], rest=0.8)
    editor.title("2 cells selected")
    editor.rows(2)
    hand.fingers([(500, 400)])
    editor.title("No cell selected")
    assert {cell.version for cell in Cell.objects.all()} == {1}


def test_a_finger_that_trembles_taps(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image)
    editor = edit(annotator, has_touch=True)
    hand = Hand(editor)
    hand.fingers([(150, 150), (154, 152), (152, 155)])
    editor.title("Unlabelled cell")
    editor.press("w")
    for x, y in [(300, 300), (400, 300), (400, 400)]:
        hand.fingers([(x, y), (x + 4, y + 2), (x + 2, y + 4)])
    editor.press("Enter")
    editor.rows(2)
    editor.saved()
    drawn = Cell.objects.order_by("created_at").last()
    assert drawn is not None
    assert len(drawn.border["points"]) == 3
    # Panning for a while is no resting.
    editor.press("q", "Escape")
    hand.fingers([(500, 100), (520, 120), (540, 130)], rest=0)
    editor.title("No cell selected")


def test_a_finger_settles_a_region(image: SmearImage, annotator: User, edit: Any) -> None:
    inside, outside = propose(image, 150, 150), propose(image, 500, 400)
    editor = edit(annotator, has_touch=True)
    hand = Hand(editor)
    editor.page.locator('.toolbar [data-command="region"]').tap()
    corners: list[Place] = [(80, 80), (250, 80), (250, 250), (80, 250), (80, 90)]
    ring = [place for start, end in zip(corners, corners[1:], strict=False) for place in line(start, end)]
    hand.fingers(ring)
    bar = editor.page.locator("#region-bar")
    expect(bar).to_contain_text("1 proposal")
    bar.get_by_role("button", name="Accept all").tap()
    editor.saved()
    inside.refresh_from_db()
    outside.refresh_from_db()
    assert (inside.status, outside.status) == ("confirmed", "proposed")


def test_a_pen_draws_and_presses_borders(image: SmearImage, annotator: User, edit: Any) -> None:
    cell = draw(image)
    editor = edit(annotator, has_touch=True)
    hand = Hand(editor)
    editor.press("e")
    hand.pen(*line((300, 300), (400, 360)))
    editor.rows(2)
    editor.press("u")
    hand.pen(*line((190, 150), (230, 150)))
    editor.saved()
    cell.refresh_from_db()
    assert cell.border != SQUARE
    assert shape(cell).bounds[2] > 228
    expect(editor.page.locator("#editor")).to_have_attribute("data-tool", "brush")
