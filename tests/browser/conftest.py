"""A real Chromium on the live server: pages signed in as somebody, and no unexpected error in the console."""

import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from annotation.models import SmearImage, Study
from config.chromium import NAMES, find_chromium
from tests.browser.editor_page import EditorPage
from tests.browser.signed_in import cookie_of

# Playwright's synchronous API runs an event loop in this thread; the database is used between its calls only.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


# One browser for all of these tests: starting it took a second for each file, in each worker. It is gone when other
# tests follow, in whose thread no event loop may run.
@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    found = find_chromium()
    if found is None:
        pytest.fail(f"No Chromium on this machine: none of {', '.join(NAMES)} is on the path.")
    browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
    yield browser
    browser.close()


class Console:
    """What went wrong in the pages of a test."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.expected: list[str] = []

    def expect(self, pattern: str) -> None:
        """An error whose text has this pattern belongs to the test."""
        self.expected.append(pattern)

    def watch(self, page: Page) -> None:
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def unexpected(self) -> list[str]:
        return [text for text in self.errors if not any(re.search(each, text) for each in self.expected)]


@pytest.fixture
def console() -> Iterator[Console]:
    watched = Console()
    yield watched
    assert watched.unexpected() == []


@pytest.fixture
def page_of(live_server: Any, chromium: Browser, console: Console) -> Iterator[Any]:
    """page_of(user, path="/", **context options): a page signed in as the user, in a browser context of its own."""
    if not (Path(settings.BASE_DIR) / "static" / "dist" / "editor.js").exists():
        pytest.fail("The pages' scripts are not bundled: run `node static/build.mjs` (./run and ./test do it).")
    contexts: list[BrowserContext] = []

    def make(user: User | None, path: str = "/", **options: Any) -> Page:
        options.setdefault("viewport", {"width": 1280, "height": 800})
        context = chromium.new_context(base_url=live_server.url, **options)
        context.set_default_timeout(15_000)
        contexts.append(context)
        if user is not None:
            context.add_cookies([cookie_of(user, live_server.url)])
        page = context.new_page()
        console.watch(page)
        page.goto(path)
        return page

    yield make
    for context in contexts:
        context.close()
    wait_for_silence()


def wait_for_silence() -> None:
    """Until the live server has answered what the pages asked last: the database is emptied next, and would wait for
    it, or it for the database."""
    deadline = time.monotonic() + 15
    silent = 0
    while silent < 4 and time.monotonic() < deadline:
        # The server has a thread for each connection; those of closed pages end with their last answer.
        answering = any("process_request_thread" in thread.name for thread in threading.enumerate())
        silent = 0 if answering or _others_ask() else silent + 1
        time.sleep(0.02)


def _others_ask() -> bool:
    """Whether the database is at work for somebody besides this thread."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle')"
        )
        return bool(cursor.fetchone()[0])


@pytest.fixture
def image(study: Study, make_image: Any) -> SmearImage:
    return make_image(study, width=640, height=480, um_per_pixel=0.1)


@pytest.fixture
def edit(page_of: Any, image: SmearImage) -> Any:
    """edit(user, **context options): the image in the editor, signed in as the user."""

    def make(user: User, **options: Any) -> EditorPage:
        return EditorPage(page_of(user, f"/images/{image.pk}/", **options))

    return make


@pytest.fixture
def pair(edit: Any, annotator: User, teammate: User, console: Any) -> Any:
    """pair(): the image open at anna's and at theo's."""

    def make() -> tuple[EditorPage, EditorPage]:
        console.expect("412|503")
        return edit(annotator), edit(teammate)

    return make
