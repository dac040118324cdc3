"""The session ends in the middle of the work: one signs in again in place, under one's own name."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from annotation.models import Cell, Operation, SmearImage
from tests.browser.trouble import TROUBLE, settled

pytestmark = pytest.mark.django_db(transaction=True)


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
