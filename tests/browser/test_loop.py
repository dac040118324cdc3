"""The loop as people walk it, in a real Chromium, with a real worker: correct and draw, train, propose anew."""

import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlencode

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from playwright.sync_api import Page, expect

from annotation.models import Cell, ImageName, SmearImage, Study
from annotation.store import ImageStore
from config.celery import app
from config.embedded_valkey import Valkey
from config.keeper import die_with_parent
from inference.proposals import FirstProposals, propose
from tests.browser.editor_page import EditorPage
from tests.config.conftest import wait_until
from tests.training.snapshots import disc_field
from training.models import Bundle, Round

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PASSWORD = "smear-and-stain-1"
# A crowded machine is no fault of the product: only a step that never ends fails.
PATIENCE = 180_000.0
# Fields so small that a step of training takes a second; eight of them are enough to find discs.
WIDTH, HEIGHT, EPOCHS = 112, 96, 8


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    expect.set_options(timeout=PATIENCE)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture
def broker(own_data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a message queue of this test alone: its worker takes nobody else's messages."""
    server = Valkey(own_data_folder)
    command, options = server.command()
    with (own_data_folder / "valkey.log").open("wb") as log:
        process = _start(command, log, **options)
    try:
        assert wait_until(server.answers, PATIENCE / 1000)
        send = app.send_task

        def send_there(*args: Any, **options: Any) -> Any:
            with app.connection_for_write(server.address) as there:
                return send(*args, connection=there, **options)

        monkeypatch.setattr(app, "send_task", send_there)
        yield server.address
    finally:
        _end(process)


@pytest.fixture
def worker(transactional_db: Any, own_data_folder: Path, broker: str) -> Iterator[None]:
    """A Celery worker of both queues on the test's database, as ./run starts them; its log is worker.log."""
    command = [sys.executable, "-m", "celery", "--app", "config.celery", "worker", "--queues", "training,inference"]
    command += ["--concurrency", "1", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
    environment = {
        **os.environ,
        "MARROWLOOP_DATA": str(own_data_folder),
        "DATABASE_URL": _database_url(),
        "BROKER_URL": broker,
        # Threads that wait for one another on a crowded machine cost more than they bring to images this small.
        "OMP_NUM_THREADS": "1",
    }
    with (own_data_folder / "worker.log").open("wb") as log:
        process = _start(command, log, cwd=settings.BASE_DIR, env=environment)
    yield
    # Before the database is emptied for the next test.
    _end(process)


def _start(command: list[str], log: IO[bytes], **options: Any) -> "subprocess.Popen[bytes]":
    """It dies with the tests, also where these are killed."""
    last_will = die_with_parent(signal.SIGKILL)
    return subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=last_will, **options)


def _end(process: "subprocess.Popen[bytes]") -> None:
    for force in (signal.SIGTERM, signal.SIGQUIT, signal.SIGKILL):
        process.send_signal(force)
        try:
            process.wait(20)
            return
        except subprocess.TimeoutExpired:
            continue


def _database_url() -> str:
    at = connection.settings_dict
    whole = partial(quote, safe="")
    login = f"{whole(at['USER'])}:{whole(at['PASSWORD'])}@" if at["PASSWORD"] else f"{whole(at['USER'])}@"
    more = {"host": at["HOST"], "port": at["PORT"], **at["OPTIONS"]}
    return f"postgresql://{login}/{whole(at['NAME'])}?{urlencode({k: v for k, v in more.items() if v})}"


def disc_image(study: Study, seed: int, name: str, **fields: Any) -> tuple[SmearImage, list[tuple[int, int, int]]]:
    """A stored field with two cells, and where they are: (x, y, radius)."""
    pixels, discs = disc_field(seed, WIDTH, HEIGHT, 2)
    sha256 = ImageStore(Path(settings.IMAGE_STORE)).put(pixels)
    fold = SmearImage.next_fold(study)
    image = SmearImage.objects.create(study=study, sha256=sha256, width=WIDTH, height=HEIGHT, fold=fold, **fields)
    ImageName.objects.create(image=image, name=name)
    return image, discs


@pytest.fixture
def field(study: Study) -> SmearImage:
    """The field to correct, in a study with four annotated ones and two that nobody touches."""
    for seed in range(1, 5):
        image, discs = disc_image(study, seed, f"done-{seed}.png", state="annotated")
        for x, y, r in discs:
            cell = Cell(image=image)
            cell.place({"kind": "circle", "cx": x, "cy": y, "r": r}, image)
            cell.save()
    field, _ = disc_image(study, 0, "field.png")
    for seed in (5, 6):
        disc_image(study, seed, f"fresh-{seed}.png")
    propose(study, FirstProposals(), SmearImage.objects.filter(study=study).unannotated().prefetch_related("names"))
    return field


def sign_in(page: Page, user: User) -> None:
    page.set_default_timeout(PATIENCE)
    page.get_by_label("User name").fill(user.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Studies")).to_be_visible()


def outline(x: float, y: float, r: float) -> list[tuple[float, float]]:
    """Six places around a disc."""
    return [(x + r * math.cos(turn * math.pi / 3), y + r * math.sin(turn * math.pi / 3)) for turn in range(6)]


def test_the_loop(study: Study, annotator: User, admin: User, field: SmearImage, page_of: Any, worker: None) -> None:
    (x, y, _), (torn_x, torn_y, torn_r) = disc_field(0, WIDTH, HEIGHT, 2)[1]

    # An annotator corrects one first proposal, rejects the other and draws that cell instead.
    page = page_of(None, "/")
    sign_in(page, annotator)
    page.get_by_role("link", name=study.name).click()
    page.get_by_role("link", name="field.png, Proposed, 0 cells").click()
    editor = EditorPage(page)
    editor.rows(2)
    editor.click(x, y)
    expect(page.locator("#selected [data-title]")).to_contain_text("Proposal")
    kept = field.cells.get(x0__lt=x, x1__gt=x, y0__lt=y, y1__gt=y)
    vertex = max(kept.border["points"])
    editor.drag(tuple(vertex), (vertex[0] + 4, vertex[1]))
    editor.title("Unlabelled cell")
    editor.click(torn_x, torn_y)
    editor.press("Delete")
    editor.rows(1)
    editor.polygon(*outline(torn_x, torn_y, torn_r))
    editor.rows(2)
    editor.saved()

    # Both are there after a reload, for the annotator and in the rows.
    page.reload()
    editor = EditorPage(page)
    editor.rows(2)
    for place in [(x, y), (torn_x, torn_y)]:
        editor.click(*place)
        editor.title("Unlabelled cell")
        expect(page.locator("#selected [data-facts]")).to_contain_text("Polygon")
    corrections = {cell.correction: cell for cell in field.cells.with_correction()}
    assert set(corrections) == {"moved", "deleted", "added"}
    assert corrections["moved"].pk == kept.pk
    assert max(corrections["moved"].border["points"]) == pytest.approx([vertex[0] + 4, vertex[1]], abs=0.5)
    assert len(corrections["added"].border["points"]) == 6
    page.get_by_role("button", name="Mark as annotated").click()
    expect(page.locator("#image-state")).to_have_text("Annotated")

    # The admin launches a round and watches it, on a page that is never reloaded by hand.
    page = page_of(None, "/")
    sign_in(page, admin)
    page.get_by_role("link", name=study.name).click()
    page.get_by_role("link", name="Rounds").click()
    expect(page.locator(".rounds-since")).to_contain_text("5 annotated images to learn from")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Epochs").fill(str(EPOCHS))
    page.get_by_role("button", name="Launch round").click()
    page.wait_for_url("**/rounds/*/")
    # Whichever end comes is waited for, so that a failure shows at once and with its reason.
    expect(page.locator(".round-head .job-state")).to_have_text(re.compile("Succeeded|Failed|Cancelled"))
    round_ = Round.objects.get()
    assert (round_.state, round_.reason) == ("succeeded", "")
    expect(page.get_by_role("heading", name="On held-out patients")).to_be_visible()
    expect(page.locator(".round-log")).to_contain_text("Judged on 1 images")
    expect(page.locator("#round-live").get_by_role("figure")).to_have_count(2)
    # What its scores are worth comes after the rest of the page.
    scores = page.get_by_role("region", name="Scores")
    expect(scores).to_contain_text("On 1 image that judged this round")
    expect(scores.get_by_role("figure").filter(has_text="Corrections per cell")).to_be_visible()
    assert (round_.counts["images"], round_.counts["cells"]) == (5, 10)
    bundle = Bundle.used_by(study)
    assert bundle is not None and bundle == round_.bundle

    # What it has learnt is proposed where nobody has been, and only there.
    page.get_by_role("link", name="Worklist").click()
    page.get_by_role("button", name="Propose borders").click()
    expect(page.get_by_text(f"Proposals by bundle {bundle.pk}")).to_contain_text("on 2 images")
    shown = Cell.objects.shown().filter(status="proposed", image__study=study)
    assert {cell.run.bundle for cell in shown} == {bundle.pk}
    fresh = shown.order_by("-score")[0].image
    assert fresh.name.startswith("fresh-")
    assert fresh.state == "proposed"
    page.get_by_role("link", name=f"{fresh.name}, Proposed").click()
    editor = EditorPage(page)
    editor.rows(shown.filter(image=fresh).count())
    page.locator("#cell-list [data-id]").first.click()
    expect(page.locator("#selected [data-title]")).to_contain_text("Proposal 0.")
    settled = {cell.pk: cell.border for cell in field.cells.all()}
    assert settled == {cell.pk: cell.border for cell in corrections.values()}
