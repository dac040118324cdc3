"""Cells that MILLIE finds: scored when somebody asks, first in the gallery, and in a space of their own on the map."""

from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import expect

from annotation.models import Cell, Patient, Study
from inference import cell_evidence, kept_map
from inference.models import CellMapJob, EvidenceJob
from inference.packed_ids import pack
from tests.browser.cells import draw, square
from tests.browser.gallery_page import GalleryPage
from tests.inference.gallery import look
from tests.inference.millie import AML, HEALTHY, Toy, use_millie

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cells(study: Study, make_image: Any, monkeypatch: pytest.MonkeyPatch) -> list[Cell]:
    """Four cells of a patient, none labelled; the third speaks for APL, the others the less the later they are."""
    from config.celery import app

    monkeypatch.setattr(app, "send_task", lambda *args, **options: None)
    image = make_image(study, width=640, height=480, um_per_pixel=0.1, patient=Patient.arrive(study, "P-1"))
    found = [draw(image, square(20 + 90 * place, 60, 60)) for place in range(4)]
    for each, figure in zip(found, (0.3, 0.1, 2.0, -0.5), strict=True):
        look(each, figure, 0, 1)
    use_millie(study, monkeypatch)
    return found


def test_cells_that_speak_come_first(cells: list[Cell], study: Study, annotator: User, page_of: Any) -> None:
    page = page_of(annotator, f"/studies/{study.pk}/gallery/")
    GalleryPage(page)
    order = page.get_by_label("Order", exact=True)
    expect(order.locator("option[value=speaks-for]")).to_have_count(0)
    page.get_by_role("link", name="Find cells that speak for a diagnosis").click()
    page.get_by_role("button", name="Score all cells now").click()
    expect(page.get_by_text("It waits for a worker.")).to_be_visible()
    assert cell_evidence.work(EvidenceJob.objects.get(), lambda _: Toy())
    # The page says by itself when it is done.
    page.get_by_role("link", name="Speaks most for APL").first.click()
    gallery = GalleryPage(page)
    gallery.known()
    expect(order.locator("option:checked")).to_have_text("Speaks most for APL")
    decision = page.get_by_label("Scored by MILLIE for")
    expect(decision).to_have_value(AML.name)
    crop = gallery.tile(0).locator("img")
    expect(crop).to_be_visible()
    gallery.click(0)
    gallery.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"{AML.name}: 98 % by this cell alone")
    gallery.press("Escape")
    expect(dialog).to_be_hidden()
    decision.select_option(HEALTHY.name)
    gallery.ready()
    expect(page).to_have_url(f"{page.url.split('?')[0]}?sort=speaks-for&decision=APL+vs+healthy+donor")
    gallery.known()
    gallery.click(0)
    gallery.press("Enter")
    expect(dialog).to_contain_text(f"{HEALTHY.name}: 73 % by this cell alone")
    gallery.press("Escape")
    # Another order asks for no decision.
    gallery.choose("Order", "Newest first")
    expect(decision).to_be_hidden()
    assert "decision" not in page.url


def test_the_space_of_millie_on_the_map(cells: list[Cell], study: Study, annotator: User, page_of: Any) -> None:
    def lay_out(space: str, spread: float) -> None:
        at = np.array([[place, spread * place] for place in range(4)], dtype=np.float32)
        facts = {"backbone": "toy", "explained": (0.31, 0.042), "learned_from": 4}
        facts["features"] = kept_map.stand_of(study, "f" * 12 if space else "")
        ids = pack(sorted(each.pk for each in cells))
        kept_map.keep(study, {"ids": ids, "pca": at, "umap": at}, timezone.now(), facts, space)

    lay_out("", 1.0)
    page = page_of(annotator, f"/studies/{study.pk}/map/")
    page.wait_for_selector("#map[data-ready=true]")
    stand = page.locator("#map-stand")
    expect(stand).to_contain_text("4 cells, made")
    page.get_by_label("As seen by").select_option(label=f"MILLIE, {AML.name}")
    expect(page.get_by_role("heading", name="No map yet")).to_be_visible()
    page.get_by_role("button", name="Make the map").click()
    expect(stand).to_have_text("It waits for a worker.")
    job = CellMapJob.objects.get()
    assert job.space == AML.name and job.claim()
    lay_out(AML.name, 2.0)
    job.succeed()
    expect(stand).to_contain_text("4 cells, made")
    expect(page.locator("#map-nothing")).to_be_hidden()
    page.get_by_label("As seen by").select_option(label="the backbone")
    expect(stand).to_contain_text("4 cells, made")
