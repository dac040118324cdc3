"""Whatever happens on the way, every border ends on the server once: offline, killed, signed out, answers lost."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, Route, expect

from annotation.models import Cell, Operation, SmearImage
from tests.browser.cells import draw, propose
from tests.browser.editor_page import EditorPage
from tests.browser.saved_cells import eventually, in_database, journal, look, on_screen, state_of

pytestmark = pytest.mark.django_db(transaction=True)

TROUBLE = "ERR_|Failed to load resource"
SAVING = "**/api/v1/images/*/operations/"


def hurry(page: Page) -> None:
    """What the browser says when the connection is back: try at once instead of waiting longer and longer."""
    page.evaluate("dispatchEvent(new Event('online'))")


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


# --- random sequences ---

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


# --- the connection ---


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


# --- the tab ---


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
    editor.page.route(SAVING, lambda route: route.abort())
    editor.polygon((100, 100), (180, 110), (170, 200))
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
    editor.page.route(SAVING, lambda route: route.abort())
    editor.polygon((100, 100), (180, 110), (170, 200))
    expect(editor.page.locator("#save-status")).to_contain_text("1 unsaved")
    editor.press("Escape", "Escape", "p", "n")
    editor.page.wait_for_function(
        "(image) => document.querySelector('#editor').dataset.image !== image", arg=str(image.pk)
    )
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


# --- the session ---


def test_signing_in_again_in_place(image: SmearImage, annotator: User, edit: Any, console: Any) -> None:
    console.expect(TROUBLE)
    editor = edit(annotator)
    Session.objects.all().delete()
    editor.polygon((100, 100), (180, 110), (170, 200))
    dialog = editor.page.locator("#sign-in-again")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_label("User name")).to_have_value("anna")
    dialog.get_by_label("Password").fill("not this one")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_contain_text("The password does not match.")
    dialog.get_by_label("Password").fill("smear-and-stain-1")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_be_hidden()
    editor.rows(1)
    settled(editor)
    assert Operation.objects.get().user == annotator
    editor.press("1")
    editor.saved()


def test_work_waits_while_nobody_is_signed_in_and_goes_on_after_another_tab(
    image: SmearImage, annotator: User, edit: Any, client_of: Any, console: Any
) -> None:
    console.expect(TROUBLE)
    editor = edit(annotator)
    Session.objects.all().delete()
    editor.polygon((100, 100), (180, 110), (170, 200))
    dialog = editor.page.locator("#sign-in-again")
    dialog.get_by_role("button", name="Later").click()
    expect(editor.page.locator("#notices")).to_contain_text("You are signed out.")
    editor.press("1")
    expect(editor.page.locator("#save-status")).to_contain_text("2 unsaved (signed out)")
    sign_in_elsewhere(editor.page, client_of(annotator))
    editor.page.evaluate("dispatchEvent(new Event('focus'))")
    expect(editor.page.locator("#notices")).not_to_contain_text("You are signed out.")
    settled(editor)
    assert Cell.objects.get().labels.get().label.name == "Myeloblast"


def test_nothing_is_saved_under_the_name_of_somebody_else(
    image: SmearImage, annotator: User, teammate: User, edit: Any, client_of: Any, console: Any
) -> None:
    console.expect(TROUBLE)
    editor = edit(annotator)
    sign_in_elsewhere(editor.page, client_of(teammate))
    editor.polygon((100, 100), (180, 110), (170, 200))
    dialog = editor.page.locator("#sign-in-again")
    expect(dialog).to_contain_text("theo is signed in in this browser now. These changes are anna's")
    assert not Operation.objects.exists()
    sign_in_elsewhere(editor.page, client_of(annotator))
    editor.page.evaluate("dispatchEvent(new Event('focus'))")
    expect(dialog).to_be_hidden()
    settled(editor)
    assert Operation.objects.get().user == annotator


def sign_in_elsewhere(page: Page, client: Any) -> None:
    """As if somebody had used the sign-in page in another tab of the browser."""
    cookie = client.cookies["sessionid"].value
    origin = page.evaluate("location.origin")
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": origin}])


# --- what the server does not take ---


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
    editor.page.route(SAVING, lambda route: route.abort())
    editor.polygon((100, 100), (180, 110), (170, 200))
    expect(editor.page.locator("#save-status")).to_contain_text("1 unsaved")
    SmearImage.objects.filter(pk=image.pk).update(state="reviewed")
    editor.press("Escape", "Escape", "n")
    editor.page.wait_for_function(
        "(image) => document.querySelector('#editor').dataset.image !== image", arg=str(image.pk)
    )
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
