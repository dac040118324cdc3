"""Two people at one image: each sees the other and what they do."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from annotation.models import Cell, SmearImage
from tests.browser.cells import draw, propose
from tests.browser.company import SOON, corners
from tests.browser.saved_cells import in_database, on_screen

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_sees_that_the_other_is_there_until_they_leave(image: SmearImage, pair: Any) -> None:
    mine, theirs = pair()
    face = mine.page.locator("#faces .face")
    expect(face).to_have_attribute("title", "theo", timeout=SOON)
    expect(theirs.page.locator("#faces .face")).to_have_attribute("title", "anna", timeout=SOON)
    expect(mine.page.locator("#faces")).to_contain_text("Also here: theo")
    theirs.page.goto("/")
    expect(face).to_have_count(0, timeout=SOON)


def test_what_the_other_draws_moves_and_deletes_is_seen(image: SmearImage, annotator: User, pair: Any) -> None:
    cell = draw(image)
    mine, theirs = pair()
    theirs.polygon((300, 100), (360, 110), (350, 180))
    expect(mine.page.locator("#cell-list")).to_have_attribute("data-count", "2", timeout=SOON)
    expect(mine.page.locator(".flash")).to_have_count(1)
    theirs.press("q")
    theirs.click(150, 150)
    theirs.press("Shift+ArrowRight")
    expect_corner(mine.page, cell, [110, 100])
    theirs.press("Delete")
    expect(mine.page.locator("#cell-list")).to_have_attribute("data-count", "1", timeout=SOON)
    theirs.press("Control+z")
    expect(mine.page.locator("#cell-list")).to_have_attribute("data-count", "2", timeout=SOON)
    assert on_screen(mine.page) == in_database(image, annotator)


def expect_corner(page: Page, cell: Cell, corner: list[float]) -> None:
    page.wait_for_function(
        """([id, corner]) => {
          const detail = {};
          document.querySelector("#editor").dispatchEvent(new CustomEvent("marrowloop-look", { detail }));
          const [x, y] = detail.cells.find((cell) => cell.id === id).border.points[0];
          return x === corner[0] && y === corner[1];
        }""",
        arg=[str(cell.pk), corner],
        timeout=SOON,
    )


def test_what_the_other_changed_is_not_undone_here(image: SmearImage, pair: Any) -> None:
    cell = draw(image)
    mine, theirs = pair()
    mine.click(150, 150)
    mine.press("ArrowRight")
    expect_corner(theirs.page, cell, [101, 100])
    theirs.click(150, 150)
    theirs.press("Shift+ArrowDown")
    expect_corner(mine.page, cell, [101, 110])
    mine.press("Control+z")
    mine.says("Nothing to undo")
    assert corners() == [[101, 110]]


def test_what_the_other_does_right_after_a_save_is_seen_though_the_answer_comes_late(
    image: SmearImage, annotator: User, pair: Any
) -> None:
    cell = draw(image)
    mine, theirs = pair()
    late = []
    mine.page.route("**/operations/", lambda route: late.append((route, route.fetch())))
    mine.click(150, 150)
    mine.press("ArrowRight")
    expect_corner(theirs.page, cell, [101, 100])
    theirs.click(150, 150)
    theirs.press("Shift+ArrowDown")
    theirs.saved()
    mine.page.wait_for_timeout(1_500)
    route, answer = late.pop()
    route.fulfill(response=answer)
    mine.saved()
    expect_corner(mine.page, cell, [101, 110])
    assert on_screen(mine.page) == in_database(image, annotator)


def test_a_review_makes_it_read_only_at_once(image: SmearImage, pair: Any, edit: Any, reviewer: User) -> None:
    draw(image)
    SmearImage.objects.update(state="annotated")
    mine, _ = pair()
    theirs = edit(reviewer)
    theirs.page.get_by_role("button", name="Mark as reviewed").click()
    expect(mine.page.locator("#image-state")).to_have_text("Reviewed", timeout=SOON)
    mine.click(150, 150)
    mine.press("ArrowRight")
    mine.says("reviewed")
    theirs.page.get_by_role("button", name="Reopen").click()
    expect(mine.page.locator("#image-state")).to_have_text("In progress", timeout=SOON)
    mine.press("ArrowRight")
    mine.saved()
    assert corners() == [[101, 100]]


def test_new_proposals_are_read_anew(image: SmearImage, pair: Any) -> None:
    mine, _ = pair()
    propose(image, 200, 200)
    revision = SmearImage.objects.get().revision + 1
    SmearImage.objects.update(revision=revision, replaced_in=revision)
    expect(mine.page.locator("#cell-list")).to_have_attribute("data-count", "1", timeout=SOON)
