"""A real server that is killed in the middle of a save, and comes back: nothing is lost, nothing doubled."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from playwright.sync_api import Browser, expect

from annotation.models import Cell, Operation, SmearImage
from tests.browser.cells import draw
from tests.browser.conftest import wait_for_silence
from tests.browser.editor_page import EditorPage
from tests.browser.saved_cells import eventually, in_database, journal, on_screen
from tests.browser.signed_in import cookie_of

pytestmark = pytest.mark.django_db(transaction=True)


class Server:
    """gunicorn as ./run starts it, on the tests' database."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        database = settings.DATABASES["default"]
        name, user, password = (quote(str(database[key]), safe="") for key in ("NAME", "USER", "PASSWORD"))
        host = quote(str(database["HOST"]), safe="")
        address = f"postgresql://{user}:{password}@{host}:{database['PORT']}/{name}"
        environment = {
            **os.environ,
            "DATABASE_URL": address,
            "BROKER_URL": settings.CELERY_BROKER_URL,
            "MARROWLOOP_DATA": str(self.folder),
            "MARROWLOOP_SECRET_KEY": settings.SECRET_KEY,
            "MARROWLOOP_DEBUG": "1",
            "MARROWLOOP_STATIC_STORAGE": "django.contrib.staticfiles.storage.StaticFilesStorage",
            "MARROWLOOP_WEB_WORKERS": "1",
        }
        command = [sys.executable, "-m", "gunicorn", "--config", "python:config.gunicorn_settings"]
        self.process = subprocess.Popen(
            [*command, "--bind", f"127.0.0.1:{self.port}"],
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 40
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/sign-in/", timeout=5).read()
                return
            except (urllib.error.URLError, OSError):
                assert time.monotonic() < deadline, "The server does not come up."
                assert self.process.poll() is None, "The server has ended."
                time.sleep(0.1)

    def kill(self) -> None:
        """Without any warning: the master and its workers at once."""
        if self.process is None:
            return
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None


@pytest.fixture
def server(own_data_folder: Path) -> Iterator[Server]:
    running = Server(own_data_folder)
    running.start()
    yield running
    running.kill()
    wait_for_silence()


def test_a_server_killed_in_the_middle_of_a_save_gets_everything_when_it_is_back(
    image: SmearImage, annotator: User, server: Server, chromium: Browser, console: Any
) -> None:
    console.expect("ERR_|Failed to load resource")
    cell = draw(image)
    context = chromium.new_context(base_url=server.url, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(15_000)
    context.add_cookies([cookie_of(annotator, server.url)])
    page = context.new_page()
    console.watch(page)
    page.goto(f"/images/{image.pk}/")
    editor = EditorPage(page)
    editor.polygon((300, 100), (360, 110), (350, 180))
    editor.saved()
    editor.press("q")
    with transaction.atomic():
        # The save waits for this row in the middle of its transaction.
        SmearImage.objects.select_for_update().get(pk=image.pk)
        editor.click(150, 150)
        editor.press("Shift+ArrowRight", "1")
        editor.polygon((300, 300), (360, 310), (350, 380))
        eventually(page, waits_for_a_lock)
        server.kill()
    editor.press("2")
    expect(page.locator("#save-status")).to_contain_text("Failed – retrying")
    assert len(journal(page)) >= 4
    shown = on_screen(page)
    server.start()
    page.evaluate("dispatchEvent(new Event('online'))")
    editor.saved()
    eventually(page, lambda: journal(page) == [])
    assert shown == on_screen(page) == in_database(image, annotator)
    assert Cell.objects.count() == 3
    cell.refresh_from_db()
    assert cell.border["points"][0] == [110, 100]
    made = list(Operation.objects.values_list("cell", "version"))
    assert len(made) == len(set(made))
    context.close()


def waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        # Within a transaction PostgreSQL shows who waits as it was at the first look.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])
