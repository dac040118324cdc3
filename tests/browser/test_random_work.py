"""Random work, with cuts at random: the screen, the journal and the database end the same."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, Route

from annotation.models import SmearImage
from tests.browser.cells import draw, propose
from tests.browser.editor_page import EditorPage
from tests.browser.saved_cells import eventually, in_database, journal, look, on_screen, state_of
from tests.browser.trouble import SAVING, TROUBLE, assert_nothing_doubled, hurry, settled

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = [
    *["polygon", "ellipse", "nudge", "label", "delete", "undo", "redo"] * 2,
    "accept",
    "unselect",
    "next",
    "pause",
    "cut",
    "mend",
    "reload",
]


class Hand:
    """Random work on an image, and what undo and redo must bring back."""

    def __init__(self, editor: EditorPage, random_numbers: random.Random) -> None:
        self.editor = editor
        self.random = random_numbers
        self.offline = False
        self.past: list[dict[str, Any]] = []
        self.future: list[dict[str, Any]] = []

    @property
    def page(self) -> Page:
        return self.editor.page

    def do(self, step: str) -> None:
        before = on_screen(self.page)
        getattr(self, f"_{step}")()
        after = on_screen(self.page)
        if step == "undo":
            if self.past:
                assert after == self.past.pop()
                self.future.append(before)
        elif step == "redo":
            if self.future:
                assert after == self.future.pop()
                self.past.append(before)
        elif step == "reload":
            self.past, self.future = [], []
        elif after != before:
            self.past.append(before)
            self.future = []

    def _place(self) -> tuple[float, float]:
        return self.random.randrange(60, 560, 20), self.random.randrange(60, 400, 20)

    def _polygon(self) -> None:
        x, y = self._place()
        self.editor.polygon((x, y), (x + 30, y + 4), (x + 26, y + 30), (x - 4, y + 22))
        self.editor.press("q")

    def _ellipse(self) -> None:
        x, y = self._place()
        self.editor.press("e")
        self.editor.drag((x, y), (x + 34, y + 26), steps=2)
        self.editor.press("q")

    def _nudge(self) -> None:
        # Without a selection an arrow key leads to another image.
        if self.page.locator("#selected [data-title]").inner_text() != "No cell selected":
            self.editor.press(self.random.choice(["Shift+ArrowRight", "ArrowDown", "ArrowUp"]))

    def _label(self) -> None:
        self.editor.press(self.random.choice("1239"))

    def _delete(self) -> None:
        self.editor.press("Delete")

    def _accept(self) -> None:
        self.editor.press("Enter")

    def _next(self) -> None:
        self.editor.press(".")

    def _unselect(self) -> None:
        self.editor.press("Escape")

    def _undo(self) -> None:
        self.editor.press("Control+z")

    def _redo(self) -> None:
        self.editor.press("Control+y")

    def _pause(self) -> None:
        self.page.wait_for_timeout(self.random.randrange(0, 400))

    def _cut(self) -> None:
        self.offline = True
        self.page.context.set_offline(True)

    def _mend(self) -> None:
        self.offline = False
        self.page.context.set_offline(False)

    def _reload(self) -> None:
        self._mend()
        self.page.wait_for_timeout(50)
        self.page.reload()
        self.editor = EditorPage(self.page)


def merged(base: dict[str, Any], kept: list[dict[str, Any]]) -> dict[str, Any]:
    """What the database would hold after the operations of a journal."""
    cells = {**base, **{each["cell"]: state_of(each["after"]) for each in kept}}
    return {cell: state for cell, state in cells.items() if state[0] != "deleted"}


@pytest.fixture
def fresh_images(study: Any, make_image: Any) -> Iterator[SmearImage]:
    """Image after image, each with two proposals and a confirmed cell."""

    def images() -> Iterator[SmearImage]:
        for number in itertools.count(100):
            made = make_image(study, width=640, height=480, um_per_pixel=0.1, seed=number)
            propose(made, 100, 420)
            propose(made, 520, 60)
            draw(made, {"kind": "ellipse", "cx": 320, "cy": 430, "rx": 30, "ry": 20, "theta": 0.3})
            yield made

    return images()


def test_random_work_ends_the_same_on_the_screen_in_the_journal_and_in_the_database(
    fresh_images: Iterator[SmearImage], annotator: User, page_of: Any, console: Any
) -> None:
    console.expect(TROUBLE)
    page = page_of(annotator)
    page.on("dialog", lambda dialog: dialog.accept())

    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(st.lists(st.sampled_from(STEPS), min_size=12, max_size=30), st.randoms(use_true_random=False))
    def works(steps: list[str], random_numbers: random.Random) -> None:
        page.context.set_offline(False)
        made = next(fresh_images)
        page.goto(f"/images/{made.pk}/")
        hand = Hand(EditorPage(page), random_numbers)
        for step in steps:
            hand.do(step)
        if hand.offline:
            shown = on_screen(page)
            eventually(page, lambda: merged(in_database(made, annotator), journal(page)) == shown, seconds=5)
            hand.do("mend")
        settled(hand.editor)
        assert on_screen(page) == in_database(made, annotator)
        assert_nothing_doubled()

    works()


def test_twenty_cuts_during_two_hundred_edits_lose_and_double_nothing(
    image: SmearImage, annotator: User, edit: Any, console: Any
) -> None:
    console.expect(TROUBLE)
    editor = edit(annotator)
    page = editor.page
    dice = random.Random(7)
    cuts = {"before": 0, "after": 0, "error": 0}

    def treat(route: Route) -> None:
        if sum(cuts.values()) < 20 and dice.random() < 0.6:
            # A request that never arrives, an answer that never arrives, and a server that stumbles.
            kind = min(cuts, key=lambda each: (cuts[each], dice.random()))
            cuts[kind] += 1
            if kind == "error":
                route.fulfill(status=500, json={"detail": "The server made a mistake."})
                return
            if kind == "after":
                route.fetch()
            route.abort()
            return
        route.continue_()

    page.route(SAVING, treat)
    places = itertools.cycle([(x, y) for x in range(60, 600, 60) for y in range(60, 440, 60)])
    for number in range(200):
        if number % 5 == 0:
            x, y = next(places)
            editor.press("e")
            editor.drag((x - 15, y - 12), (x + 15, y + 12), steps=2)
            editor.press("q")
        else:
            editor.press(
                dice.choice(["ArrowRight", "ArrowDown", "Shift+ArrowLeft", "1", "2", "Control+z", "Control+y"])
            )
        if number % 3 == 0:
            page.wait_for_timeout(140)
        if number % 6 == 0:
            hurry(page)
    for _ in range(40):
        if sum(cuts.values()) >= 20:
            break
        editor.press("Shift+ArrowRight")
        page.wait_for_timeout(150)
        hurry(page)
    assert sum(cuts.values()) == 20
    assert look(page)["problems"] == []
    shown = on_screen(page)
    settled(editor)
    assert look(page)["problems"] == []
    assert on_screen(page) == shown == in_database(image, annotator)
    assert_nothing_doubled()
