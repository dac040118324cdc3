"""What people say about a cell or a place, and what the others see of it."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from annotation.models import Comment, SmearImage
from tests.browser.cells import draw
from tests.browser.company import SOON

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_comment_on_a_cell_is_answered_and_resolved(image: SmearImage, pair: Any) -> None:
    cell = draw(image)
    mine, theirs = pair()
    mine.click(150, 150)
    mine.press("Shift+n")
    composer = mine.page.locator(".comment-composer")
    expect(composer).to_contain_text("About the selected cell")
    composer.get_by_label("Comment").fill("Is this one a promyelocyte?")
    composer.get_by_role("button", name="Send").click()
    expect(mine.page.locator(".thread")).to_contain_text("Is this one a promyelocyte?")
    pin = theirs.page.locator(".ol-overlay-container .comment-pin")
    expect(pin).to_have_text("1", timeout=SOON)
    pin.click()
    theirs.title("Unlabelled cell")
    thread = theirs.page.locator(".thread")
    thread.locator("summary").click()
    thread.get_by_label("Answer").fill("No: look at the nucleus.")
    thread.get_by_role("button", name="Answer", exact=True).click()
    expect(mine.page.locator(".thread")).to_contain_text("No: look at the nucleus.", timeout=SOON)
    mine.page.get_by_role("button", name="Resolve", exact=True).click()
    expect(mine.page.locator(".thread")).to_have_count(0)
    expect(pin).to_have_count(0, timeout=SOON)
    mine.page.get_by_role("button", name="Resolved").click()
    expect(mine.page.locator(".thread")).to_contain_text("Resolved by anna")
    first, second = Comment.objects.order_by("created_at")
    assert (first.cell, second.answers, first.resolved_by.get_username()) == (cell, first, "anna")


def test_a_comment_on_a_place_is_kept_while_the_server_is_away(
    image: SmearImage, annotator: User, edit: Any, console: Any
) -> None:
    console.expect("ERR_FAILED")
    editor = edit(annotator)
    editor.press("Shift+n")
    editor.says("Click the place")
    editor.click(420, 300)
    composer = editor.page.locator(".comment-composer")
    composer.get_by_label("Comment").fill("A smudge.")
    address = "**/comments/"
    editor.page.route(address, lambda route: route.abort())
    composer.get_by_role("button", name="Send").click()
    expect(composer).to_contain_text("Not sent: the server cannot be reached.")
    editor.page.unroute(address)
    composer.get_by_role("button", name="Send").click()
    expect(editor.page.locator(".thread")).to_contain_text("A smudge.")
    comment = Comment.objects.get()
    assert (comment.x, comment.y) == pytest.approx((420, 300), abs=2)
