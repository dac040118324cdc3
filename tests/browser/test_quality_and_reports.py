"""A reviewer looks where to count, and signs a case report, in a real Chromium."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from PIL import Image, ImageFilter
from playwright.sync_api import expect

from annotation.models import Cell, CellLabel, Label, Patient, SmearImage, Study
from annotation.store import ImageStore
from annotation.synthetic import SyntheticSmear, draw_patient, draw_smear
from inference.image_quality_jobs import judge_study
from inference.models import CaseReport
from tests.browser.editor_page import EditorPage

pytestmark = pytest.mark.django_db(transaction=True)
UM = 0.13
NAMES = {"band_neutrophil": "Neutrophil", "segmented_neutrophil": "Neutrophil"}


def stored(study: Study, drawn: SyntheticSmear, pixels: Image.Image, name: str, **fields: Any) -> SmearImage:
    image = SmearImage.objects.create(
        study=study,
        patient=Patient.arrive(study, "P-1", "apl"),
        sha256=ImageStore(settings.IMAGE_STORE).put(pixels),
        width=pixels.width,
        height=pixels.height,
        um_per_pixel=UM,
        fold=0,
        **fields,
    )
    image.names.create(name=name)
    return image


@pytest.fixture
def case(study: Study, annotator: User) -> Iterator[Patient]:
    """A patient with a reviewed field, all of its cells labelled, and a field that is half out of focus."""
    drawn = draw_smear(draw_patient(3, 0), 0, 640, 480, UM)
    field = Image.fromarray(drawn.pixels)
    good = stored(study, drawn, field, "good.png", state="reviewed")
    for each in drawn.cells:
        if each.ignored:
            continue
        cell = Cell(image=good)
        cell.place(each.border, good)
        cell.save()
        name = NAMES.get(each.cell_type, each.cell_type.capitalize())
        label = Label.objects.get(group__study=study, name=name)
        CellLabel.objects.create(cell=cell, label=label, annotator=annotator)
    soft = np.asarray(field.filter(ImageFilter.GaussianBlur(12)))
    half = Image.fromarray(np.concatenate([drawn.pixels, soft], axis=1))
    stored(study, drawn, half, "half.png", state="new")
    stored(study, drawn, Image.fromarray(soft), "soft.png", state="new")
    judge_study(study)
    yield Patient.objects.get(code="P-1")


def test_regions_are_shown_over_the_image_and_poor_images_are_marked(
    study: Study, case: Patient, annotator: User, page_of: Any
) -> None:
    page = page_of(annotator, f"/studies/{study.pk}/")
    expect(page.get_by_text("1 image is poor")).to_be_visible()
    page.get_by_label("Quality").select_option("Poor quality")
    expect(page.locator(".image-card")).to_have_count(1)
    expect(page.locator(".quality-mark")).to_contain_text("Poor: The image is out of focus")
    page.get_by_role("link", name="soft.png").click()
    EditorPage(page)
    expect(page.locator("[data-image-quality]")).to_have_text("Poor image")
    half = SmearImage.objects.get(names__name="half.png")
    page.goto(f"/images/{half.pk}/")
    edit = EditorPage(page)
    legend = page.locator("#regions")
    expect(legend).to_be_hidden()
    page.locator("#view > summary").click()
    edit.press("Shift+R")
    expect(legend).to_contain_text("67 % of the image is good to count on.")
    expect(legend.get_by_text("Out of focus")).to_be_visible()
    expect(legend.get_by_text("Too dense")).to_be_hidden()
    page.get_by_role("button", name="Regions to count in").click()
    expect(legend).to_be_hidden()


def test_a_reviewer_signs_a_report_that_stays(
    study: Study, case: Patient, annotator: User, reviewer: User, page_of: Any
) -> None:
    page = page_of(reviewer, f"/studies/{study.pk}/")
    page.get_by_role("link", name="Reports", exact=True).click()
    page.get_by_role("link", name="P-1", exact=True).click()
    expect(page.get_by_text("For research only, not a medical device.").first).to_be_visible()
    counted = page.get_by_role("row", name="Promyelocyte").locator("td").nth(1)
    number = int(counted.inner_text())
    assert number > 3
    page.get_by_role("button", name="Sign the report").click()
    expect(page.get_by_text("The report is signed: it stays as it is now.")).to_be_visible()
    # Somebody corrects a label from the cells shown.
    other = page_of(annotator, f"/patients/{case.pk}/report/")
    other.locator(".case-cells a").first.click()
    EditorPage(other)
    expect(other.locator("#selected [data-title]")).not_to_have_text("No cell selected")
    label = Label.objects.get(group__study=study, name="Myelocyte")
    cell = Cell.objects.filter(labels__label__name="Promyelocyte")[0]
    CellLabel.objects.filter(cell=cell).update(label=label)
    page.reload()
    expect(counted).to_have_text(str(number))
    page.get_by_role("link", name="The report as it is now").click()
    expect(page.get_by_text("What is below has changed since.")).to_be_visible()
    expect(counted).to_have_text(str(number - 1))
    page.get_by_role("link", name="signed by rita").first.click()
    page.get_by_text("Withdraw", exact=True).click()
    page.get_by_label("Why is it withdrawn?").fill("A promyelocyte was a myelocyte.")
    page.get_by_role("button", name="Withdraw the report").click()
    expect(page.locator(".case-signed")).to_contain_text("WITHDRAWN by rita")
    assert CaseReport.objects.get().is_intact
