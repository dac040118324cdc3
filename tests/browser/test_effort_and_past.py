"""The effort curve and an image's past in a real Chromium: from round to round, what is hidden, and to the editor."""

import re
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from annotation.image_state import set_state
from annotation.models import SmearImage, Study
from annotation.operations import apply
from tests.annotation.changes import LARGER, SQUARE, change
from tests.training.test_effort import corrected, made_round
from training.models import Round

pytestmark = pytest.mark.django_db(transaction=True)
FAR = {"kind": "circle", "cx": 200.0, "cy": 200.0, "r": 30.0}


@pytest.fixture
def worked(study: Study, image: SmearImage, make_image: Any, annotator: User, teammate: User) -> Round:
    """First proposals corrected by two people, a round, and one border moved and one added on the image since."""
    corrected(image, "watershed/1", annotator, "accept", "delete")
    corrected(make_image(study, seed=1), "watershed/1", teammate, "move", "move")
    made = made_round(study, 1, "aaaaaaaaaaaa")
    corrected(make_image(study, seed=2), "aaaaaaaaaaaa", annotator, "accept", "accept")
    cell = image.cells.get(status="confirmed")
    set_state(image.pk, annotator, "in_progress")
    changes = [
        change("reshape", cell.pk, cell.version, border=LARGER),
        change("create", uuid.uuid4(), 0, border=FAR),
        change("create", uuid.uuid4(), 0, border=SQUARE),
    ]
    apply(image.pk, annotator, changes)
    set_state(image.pk, annotator, "annotated")
    return made


def test_the_effort_of_each_round_is_found_from_the_rounds(worked: Round, reviewer: User, page_of: Any) -> None:
    page = page_of(reviewer, f"/studies/{worked.study_id}/rounds/")
    expect(page.locator(".effort-said")).to_contain_text("Too few cells to tell")
    page.get_by_role("link", name="Effort of each round").click()
    expect(page.get_by_role("link", name="Effort", exact=True)).to_have_attribute("aria-current", "page")
    expect(page.get_by_role("figure")).not_to_have_count(0)
    expect(page.locator(".plot-end").first).to_be_visible()
    people = page.get_by_role("region", name="By annotator")
    expect(people).to_contain_text("theo")
    page.get_by_role("navigation", name="Round").get_by_role("link", name="Round 1").click()
    expect(people).not_to_contain_text("theo")
    expect(people).to_contain_text("anna")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert download.value.suggested_filename == f"effort-{worked.study_id}.csv"


def test_a_study_that_was_never_counted_is_counted_while_its_page_stands(
    worked: Round, reviewer: User, page_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotation.effort._FEW_IMAGES", 1)
    monkeypatch.setattr("training.views.effort.PAGE_SECONDS", 0.0)
    monkeypatch.setattr("training.views.effort.ASKING_SECONDS", 0.0)
    page = page_of(reviewer, f"/studies/{worked.study_id}/effort/")
    # Three images, one a request.
    expect(page.get_by_role("region", name="By annotator")).to_contain_text("theo")
    expect(page.get_by_text("being counted")).to_have_count(0)


def test_an_image_as_of_a_round_beside_what_became_of_it(
    worked: Round, image: SmearImage, annotator: User, page_of: Any, console: Any
) -> None:
    # The moment that is none.
    console.expect("400")
    page = page_of(annotator, f"/images/{image.pk}/")
    page.get_by_role("link", name="Past").click()
    expect(page).to_have_url(re.compile(rf"/images/{image.pk}/past/$"))
    expect(page.get_by_role("link", name="Round 1")).to_have_attribute("aria-current", "true")
    moved = page.locator('.past-layer[data-since="moved"]')
    expect(moved.locator("path")).to_have_count(2)
    added = page.locator('.past-layer[data-since="added"]')
    expect(added.locator("path")).to_have_count(2)
    # The picture lies under the borders, in its own pixels.
    loaded = "async image => { await image.decode(); return image.getBoundingClientRect().width }"
    assert page.locator(".past-field image").evaluate(loaded) > 100
    page.get_by_label("2 added since").uncheck()
    expect(added).to_be_hidden()
    expect(moved).to_be_visible()
    whole = page.locator(".past-field svg").bounding_box()
    page.get_by_label("2×").check()
    larger = page.locator(".past-field svg").bounding_box()
    assert larger["width"] > 1.5 * whole["width"]
    page.get_by_label("or at a time").fill("tomorrow")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("alert")).to_contain_text("neither the number of a round nor a time")
    page.get_by_role("link", name="Open in the editor").click()
    expect(page.locator("#image-state")).to_have_text("Annotated")


def test_the_link_leads_to_whichever_image_is_open(
    worked: Round, image: SmearImage, annotator: User, page_of: Any
) -> None:
    page = page_of(annotator, f"/images/{image.pk}/")
    page.wait_for_selector("#editor[data-ready=true]")
    page.get_by_label("Next image").click()
    following = SmearImage.objects.filter(pk__gt=image.pk).order_by("pk").first()
    assert following is not None
    expect(page).to_have_url(re.compile(rf"/images/{following.pk}/"))
    page.get_by_role("link", name="Past").click()
    expect(page).to_have_url(re.compile(rf"/images/{following.pk}/past/$"))
