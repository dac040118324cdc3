"""An image goes from one person to another: taken, given back, sent back."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from annotation.models import SmearImage
from tests.browser.company import SOON

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_image_is_taken_and_given_back(image: SmearImage, pair: Any) -> None:
    mine, theirs = pair()
    mine.page.get_by_role("button", name="Assign to me").click()
    expect(mine.page.get_by_role("button", name="Give back")).to_be_visible()
    expect(theirs.page.locator("#assignee")).to_contain_text("Assigned to anna", timeout=SOON)
    expect(theirs.page.locator("#assignee button")).to_be_hidden()
    assert SmearImage.objects.get().assignee.get_username() == "anna"
    mine.page.get_by_role("button", name="Give back").click()
    expect(theirs.page.get_by_role("button", name="Assign to me")).to_be_visible(timeout=SOON)
    assert SmearImage.objects.get().assignee is None


def test_a_reviewer_sends_back_with_a_word(image: SmearImage, annotator: User, reviewer: User, edit: Any) -> None:
    SmearImage.objects.update(state="annotated")
    mine, theirs = edit(annotator), edit(reviewer)
    theirs.page.get_by_role("button", name="Send back").click()
    dialog = theirs.page.locator("#send-back")
    dialog.get_by_label("What is to be done").fill("Two cells at the edge are missing.")
    dialog.get_by_role("button", name="Send back").click()
    expect(mine.page.locator("#image-state")).to_have_text("In progress", timeout=SOON)
    mine.page.locator("#comments summary").first.click()
    expect(mine.page.locator(".thread")).to_contain_text("Two cells at the edge are missing.")
