"""The pages around the editor in a real Chromium: sign-in, worklist, upload, members."""

import re
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from annotation.models import Study

pytestmark = pytest.mark.browser
PASSWORD = "smear-and-stain-1"


@pytest.fixture
def signed_in(chromium: Browser, live_server: Any) -> Iterator[Callable[[User], Page]]:
    """signed_in(user): a page on the studies. The test fails on an error of script or a breach of the policy."""
    faults: list[str] = []
    contexts = []

    def make(user: User) -> Page:
        context = chromium.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 800})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if "Content Security" in message.text else None)
        page.goto("/sign-in/")
        page.get_by_label("User name").fill(user.username)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Studies")).to_be_visible()
        return page

    yield make
    for context in contexts:
        context.close()
    assert faults == []


def _png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _file(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "image/png", "buffer": content}


def test_the_worklist_filters_searches_and_goes_back(
    study: Study, annotator: User, make_image: Any, signed_in: Callable[[User], Page]
) -> None:
    for seed in range(4):
        make_image(study, seed=seed, state="annotated" if seed % 2 else "new")
    page = signed_in(annotator)
    page.get_by_role("link", name=study.name).click()
    cards = page.locator(".image-card")
    expect(cards).to_have_count(4)
    page.get_by_role("navigation", name="Images by state").get_by_role("link", name="Annotated").click()
    expect(cards).to_have_count(2)
    expect(page).to_have_url(re.compile(r"\?state=annotated$"))
    page.get_by_label("Search by file name or patient").press_sequentially("field-3")
    expect(cards).to_have_count(1)
    expect(page.get_by_label("Search by file name or patient")).to_be_focused()
    expect(page).to_have_url(re.compile(r"state=annotated.*q=field-3"))
    page.go_back()
    expect(cards).to_have_count(2)
    expect(page.locator(".site-header")).to_have_count(1)
    expect(page.get_by_label("Search by file name or patient")).to_have_value("")


def test_each_file_has_its_result_and_a_lost_connection_a_retry(
    study: Study, annotator: User, signed_in: Callable[[User], Page]
) -> None:
    page = signed_in(annotator)
    page.goto(f"/studies/{study.pk}/upload/")
    page.get_by_label("Patient code").fill("P-7")
    chooser = page.locator("#upload-files")
    files = [_file("one.png", _png(1)), _file("again.png", _png(1)), _file("words.png", b"words")]
    for number, file in enumerate(files, 1):
        chooser.set_input_files([file])
        expect(page.locator("#upload-summary")).to_have_text(re.compile(f"^{number} files? done"))
    rows = page.locator(".upload-file")
    expect(rows.nth(0)).to_contain_text("stored")
    expect(rows.nth(1)).to_contain_text("duplicate of one.png")
    expect(rows.nth(2)).to_contain_text("refused: The file is not an image")

    page.route("**/api/v1/**", lambda route: route.abort())
    chooser.set_input_files([_file("two.png", _png(2))])
    expect(rows.nth(3)).to_contain_text("The connection was lost.")
    page.unroute("**/api/v1/**")
    page.get_by_role("button", name="Retry two.png").click()
    expect(rows.nth(3)).to_contain_text("stored")
    assert {image.name for image in study.images.all()} == {"one.png", "two.png"}
    assert {image.patient.code for image in study.images.select_related("patient")} == {"P-7"}

    page.get_by_role("link", name="Go to the worklist").click()
    expect(page.locator(".image-card")).to_have_count(2)


def test_a_broken_file_that_is_dropped_does_not_hold_up_a_good_one(
    study: Study, annotator: User, signed_in: Callable[[User], Page]
) -> None:
    page = signed_in(annotator)
    page.goto(f"/studies/{study.pk}/upload/")
    whole = _png(3)
    files = {"broken.png": whole[: len(whole) // 2], "good.png": whole}
    dropped = page.evaluate_handle(
        """files => {
          const transfer = new DataTransfer();
          for (const [name, bytes] of files)
            transfer.items.add(new File([new Uint8Array(bytes)], name, {type: "image/png"}));
          return transfer;
        }""",
        [[name, list(content)] for name, content in files.items()],
    )
    zone = page.locator("#drop-zone")
    zone.dispatch_event("dragenter", {"dataTransfer": dropped})
    expect(zone).to_have_class(re.compile("is-over"))
    zone.dispatch_event("drop", {"dataTransfer": dropped})
    expect(zone).not_to_have_class(re.compile("is-over"))
    expect(page.locator("#upload-summary")).to_have_text("2 files done: 1 stored, 1 refused")
    expect(page.locator(".upload-file", has_text="broken.png")).to_contain_text("refused: ")
    assert [image.name for image in study.images.all()] == ["good.png"]


def test_many_files_at_once(study: Study, annotator: User, signed_in: Callable[[User], Page]) -> None:
    page = signed_in(annotator)
    page.goto(f"/studies/{study.pk}/upload/")
    page.locator("#upload-files").set_input_files([_file(f"{seed}.png", _png(seed)) for seed in range(12)])
    expect(page.locator("#upload-summary")).to_have_text("12 files done: 12 stored")
    assert study.images.count() == 12


def test_a_file_that_is_too_large_is_not_even_sent(
    study: Study, annotator: User, settings: Any, signed_in: Callable[[User], Page]
) -> None:
    settings.UPLOAD_BUDGET = 2**20
    page = signed_in(annotator)
    page.goto(f"/studies/{study.pk}/upload/")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.locator("#upload-files").set_input_files([_file("huge.tif", b"\0" * (2**20 + 1))])
    expect(page.locator(".upload-file")).to_contain_text("refused: larger than the 1.0 MB")
    assert sent == []


def test_an_admin_is_asked_before_a_member_goes(
    study: Study, admin: User, annotator: User, signed_in: Callable[[User], Page]
) -> None:
    page = signed_in(admin)
    page.goto(f"/studies/{study.pk}/members/")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Remove anna").click()
    assert study.memberships.filter(user=annotator).exists()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Remove anna").click()
    expect(page.get_by_role("status")).to_contain_text("anna is no longer a member")
    assert not study.memberships.filter(user=annotator).exists()


def test_signing_out_by_the_menu(annotator: User, signed_in: Callable[[User], Page]) -> None:
    page = signed_in(annotator)
    page.get_by_label("Account of anna").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
