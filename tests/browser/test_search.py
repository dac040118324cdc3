"""The search of a round in a real Chromium: watched while it goes on, and its settings taken into the next round."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from annotation.models import Study
from tests.training.conftest import annotated_study, make_annotated, no_broker  # noqa: F401
from tests.training.test_search_pages import TRIALS, ended, trial
from training.launching import launch
from training.models import Round, Search

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def searching(annotated_study: Study, admin: User, no_broker: Any) -> Round:  # noqa: F811
    made = launch(annotated_study, admin, trials=5)
    Search.objects.create(round=made, trials=TRIALS[:2])
    made.claim()
    made.beat(progress={"trial": 3, "trials": 5, "best": 0.76, "epoch": 1, "epochs": 9, "eta_seconds": 300})
    return made


def test_a_search_is_watched_and_its_settings_go_into_the_next_round(
    searching: Round, admin: User, page_of: Any
) -> None:
    page = page_of(admin, f"/rounds/{searching.pk}/")
    expect(page.get_by_label("Progress", exact=True)).to_contain_text("Trial 3 of 5, best so far 0.760")
    page.get_by_role("link", name="Search of 5 trials").click()
    expect(page.locator(".search-said")).to_contain_text("Trial 3 of 5")
    expect(page.locator(".search-trials tbody tr")).to_have_count(2)
    expect(page.get_by_role("link", name="Use these settings")).to_have_count(0)
    # The page asks again by itself.
    better = trial(2, value=0.79, map_50=0.98, corrections=4)
    Search.objects.filter(round=searching).update(trials=[*TRIALS[:2], better])
    expect(page.locator(".search-trials tbody tr")).to_have_count(3)
    expect(page.locator(".search-chosen")).to_contain_text("0.790")
    expect(page.locator(".search-best-value")).to_contain_text("trial 3")
    expect(page.locator(".search-small .plot")).to_have_count(7)
    Search.objects.filter(round=searching).update(trials=TRIALS)
    ended(searching)
    # With its end the whole page comes anew, with the way on.
    page.get_by_role("link", name="Use these settings for the next round").click()
    expect(page.get_by_label("Other settings")).to_be_visible()
    text = page.get_by_label("Other settings").input_value()
    assert "lr=0.02" in text.splitlines() and "nms=0.4" in text.splitlines()
    page.get_by_role("button", name="Launch round").click()
    expect(page.get_by_role("heading", name="Round 2", exact=True)).to_be_visible()
    assert Round.objects.get(study=searching.study, number=2).settings["lr"] == 0.02
