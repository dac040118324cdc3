"""A bundle is judged on another study's patients: asked on its page, which shows by itself what came of it."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from annotation.models import Membership, Role, Study
from inference.models import ValidationJob
from inference.validation_jobs import work
from tests.inference.conftest import no_broker
from tests.inference.test_validation import bundle, elsewhere, judging
from training.models import Bundle

__all__ = ["bundle", "elsewhere", "judging", "no_broker"]
pytestmark = pytest.mark.django_db(transaction=True)


def test_on_other_patients(bundle: Bundle, elsewhere: Study, judging: Any, reviewer: User, page_of: Any) -> None:
    Membership.objects.create(study=elsewhere, user=reviewer, role=Role.REVIEWER)
    page = page_of(reviewer, f"/studies/{bundle.study_id}/bundles/?kind=ensemble")
    page.get_by_role("link", name="On other patients").click()
    expect(page.get_by_text("It was not judged on other patients yet.")).to_be_visible()
    page.get_by_label("Judge it on").select_option("Elsewhere (12 patients)")
    page.get_by_role("button", name="Judge", exact=True).click()
    expect(page.get_by_text("Elsewhere: queued.")).to_be_visible()
    assert work(ValidationJob.objects.select_related("study", "bundle").get())
    expect(page.get_by_role("heading", name="Elsewhere: APL vs non-APL AML")).to_be_visible(timeout=15_000)
    expect(page.get_by_role("row", name="Dresden")).to_contain_text("0.000")
    expect(page.get_by_role("img", name="Calibration")).to_be_visible()
    # Reached from the other study's side too.
    page.goto(f"/studies/{elsewhere.pk}/reports/")
    page.get_by_role("link", name=f"Ensemble {bundle.pk}").click()
    expect(page.get_by_role("link", name="E00")).to_be_visible()
