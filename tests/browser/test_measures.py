"""Measures as people meet them: asked for on their page, sorted by in the gallery, told of a cell in large."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from annotation.models import Cell, CellLabel, CellMeasures, Label, Study
from inference.cell_measure_jobs import work
from inference.models import CellMeasureJob
from tests.browser.cells import draw, square
from tests.browser.gallery_page import GalleryPage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cells(study: Study, make_image: Any) -> list[Cell]:
    """Three cells of 40, 60 and 50 px."""
    image = make_image(study, width=640, height=480, um_per_pixel=0.1)
    made = [draw(image, square(20 + 100 * n, 20, side)) for n, side in enumerate((40, 60, 50))]
    for each, name in zip(made, ("Lymphocyte", "Myeloblast", "Myeloblast"), strict=True):
        CellLabel.objects.create(cell=each, label=Label.objects.get(group__study=study, name=name))
    return made


def test_measure_compare_and_look_at_the_largest(
    study: Study, cells: list[Cell], annotator: User, page_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CellMeasureJob, "send", lambda job: None)
    page = page_of(annotator, f"/studies/{study.pk}/measures/")
    expect(page.get_by_text("0 of 3 cells are measured.")).to_be_visible()
    page.get_by_role("button", name="Measure the others now").click()
    expect(page.get_by_text("Measuring is queued.")).to_be_visible()
    assert work(CellMeasureJob.objects.get()) == 3
    # The page sees for itself that the job has ended.
    expect(page.get_by_text("All 3 cells are measured.")).to_be_visible()
    page.locator("select[name=measure]").select_option(label="Perimeter (µm)")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("figcaption", has_text="Perimeter (µm) by label")).to_be_visible()
    page.get_by_role("link", name="Myeloblast: median").click()

    gallery = GalleryPage(page)
    gallery.count(2)
    assert page.locator(".tile[data-place='0']").get_attribute("data-cell") == str(cells[1].pk)
    expect(page.get_by_label("Measure", exact=True)).to_have_value("perimeter")
    page.get_by_label("Measure up to", exact=True).fill("20")
    gallery.count(1)
    gallery.known()
    gallery.click(0)
    gallery.press("Enter")
    expect(page.get_by_role("row", name="Area 25.0 µm²", exact=True).first).to_be_visible()
    assert CellMeasures.objects.count() == 3


def test_a_measure_that_is_chosen_is_sorted_by(
    study: Study, cells: list[Cell], annotator: User, page_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = CellMeasureJob.objects.create(study=study)
    work(job)
    gallery = GalleryPage(page_of(annotator, f"/studies/{study.pk}/gallery/"))
    gallery.choose("Measure", "Diameter (µm)")
    expect(gallery.page.get_by_label("Order", exact=True)).to_have_value("measure-down")
    assert gallery.tile(0).get_attribute("data-cell") == str(cells[1].pk)
    gallery.choose("Order", "By measure, lowest first")
    assert gallery.tile(0).get_attribute("data-cell") == str(cells[0].pk)
