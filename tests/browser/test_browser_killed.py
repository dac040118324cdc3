"""The whole browser killed, as by a power cut: what it had not saved is saved at the next start."""

import contextlib
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.contrib.auth.models import User
from playwright.sync_api import BrowserContext, Error, Playwright, expect

from annotation.models import Cell, Operation, SmearImage
from config.chromium import NAMES, find_chromium
from tests.browser.conftest import FLAGS, wait_for_silence
from tests.browser.editor_page import EditorPage
from tests.browser.saved_cells import eventually, in_database, journal, on_screen
from tests.browser.signed_in import cookie_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_killed_browser_loses_nothing(
    image: SmearImage, annotator: User, live_server: Any, playwright: Playwright, tmp_path: Path
) -> None:
    profile = tmp_path / "profile"
    context = start(playwright, profile, live_server.url)
    context.add_cookies([cookie_of(annotator, live_server.url)])
    page = context.pages[0]
    page.goto(f"/images/{image.pk}/")
    editor = EditorPage(page)
    page.route("**/operations/", lambda route: route.abort())
    for x in (100, 250, 400):
        editor.polygon((x, 100), (x + 60, 110), (x + 50, 180))
    editor.press("1", "q", "ArrowRight")
    expect(page.locator("#save-status")).to_contain_text("Failed – retrying")
    eventually(page, lambda: len(journal(page)) == 5)
    shown = on_screen(page)
    for process in psutil.process_iter(["cmdline"]):
        if f"--user-data-dir={profile}" in (process.info["cmdline"] or []):
            process.kill()
    # Playwright may have noticed by itself.
    with contextlib.suppress(Error):
        context.close()
    assert not Cell.objects.exists()

    context = start(playwright, profile, live_server.url)
    context.add_cookies([cookie_of(annotator, live_server.url)])
    page = context.pages[0]
    page.goto(f"/images/{image.pk}/")
    editor = EditorPage(page)
    editor.rows(3)
    editor.saved()
    eventually(page, lambda: journal(page) == [])
    assert on_screen(page) == in_database(image, annotator) == shown
    assert Operation.objects.count() == 5
    context.close()
    wait_for_silence()


def start(playwright: Playwright, profile: Path, url: str) -> BrowserContext:
    found = find_chromium()
    if found is None:
        pytest.fail(f"No Chromium on this machine: none of {', '.join(NAMES)} is on the path.")
    context = playwright.chromium.launch_persistent_context(
        profile, executable_path=found, args=FLAGS, base_url=url, viewport={"width": 1280, "height": 800}
    )
    context.set_default_timeout(15_000)
    return context
