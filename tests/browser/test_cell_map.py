"""The map of cells as people use it: made, coloured, pointed at, picked from, and gone on from to the gallery."""

import re
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotation.models import Cell, CellLabel, Label, Patient, Study
from inference import kept_map
from inference.models import CellFeatures, CellMapJob
from inference.packed_ids import pack
from tests.browser.cells import draw, square
from tests.browser.gallery_page import GalleryPage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cells(study: Study, make_image: Any, monkeypatch: pytest.MonkeyPatch) -> list[Cell]:
    """Sixteen cells of two patients; the first of them lymphocytes, the others not labelled."""
    from config.celery import app

    monkeypatch.setattr(app, "send_task", lambda *args, **options: None)
    made = []
    for number in (1, 2):
        patient = Patient.arrive(study, f"P-{number}")
        image = make_image(study, width=640, height=480, seed=number, um_per_pixel=0.1, patient=patient)
        made += [draw(image, square(20 + 70 * n, 60, 60)) for n in range(8)]
    label = Label.objects.get(group__study=study, name="Lymphocyte")
    for each in made[:8]:
        CellLabel.objects.create(cell=each, label=label)
    return made


def lay_out(study: Study, cells: list[Cell]) -> None:
    """A map on which the first half of the cells lies to the left, the others to the right, each in a row."""
    at = np.array([[0.0 if n < 8 else 100.0, 10.0 * (n % 8)] for n in range(len(cells))], dtype=np.float32)
    order = sorted(range(len(cells)), key=lambda n: cells[n].pk)
    tables = {"ids": pack([cells[n].pk for n in order]), "pca": at[order], "umap": at[order]}
    facts = {"backbone": "toy", "explained": (0.31, 0.042), "learned_from": len(cells)}
    kept_map.keep(study, tables, timezone.now(), facts | {"features": kept_map.stand_of(study)})


def ready(page: Page) -> None:
    page.wait_for_selector("#map[data-ready=true]")


def point(page: Page, right: bool, row: int) -> tuple[float, float]:
    """Where a cell lies in the window: the map has a margin of 24 px, and the rows are 70 apart."""
    box = page.locator("#map-canvas").bounding_box()
    assert box
    scale = min((box["width"] - 48) / 100, (box["height"] - 48) / 70)
    x = box["x"] + box["width"] / 2 + (50 if right else -50) * scale
    return x, box["y"] + box["height"] / 2 - (10 * row - 35) * scale


def test_from_the_map_to_the_gallery(study: Study, cells: list[Cell], annotator: User, page_of: Any) -> None:
    page = page_of(annotator, f"/studies/{study.pk}/map/")
    ready(page)
    expect(page.get_by_role("heading", name="No map yet")).to_be_visible()
    page.get_by_role("button", name="Make the map").click()
    expect(page.locator("#map-stand")).to_have_text("It waits for a worker.")
    job = CellMapJob.objects.get()
    assert job.claim()
    job.beat(progress={"stage": "places", "done": 5, "total": 16})
    expect(page.locator("#map-stand")).to_contain_text("the place of each cell, 5 of 16")
    lay_out(study, cells)
    job.succeed()
    expect(page.locator("#map-stand")).to_contain_text("16 cells, made")
    expect(page.locator("#map-nothing")).to_be_hidden()
    page.get_by_label("Laid out by").select_option(label="main axes (PCA)")
    expect(page.locator("#map-stand")).to_contain_text("the axis to the right holds 31 %, the one upwards 4.2 %")
    legend = page.locator("#map-legend")
    expect(legend.get_by_role("button")).to_have_text(["Lymphocyte8", "No label8"])

    # What is under the pointer, and nothing that the legend hides.
    page.mouse.move(*point(page, True, 2))
    hover = page.locator("#map-hover")
    expect(hover).to_contain_text("P-2")
    expect(hover.locator("img")).to_have_js_property("complete", True)
    page.mouse.move(*point(page, False, 2))
    expect(hover).to_contain_text("Lymphocyte")
    legend.get_by_role("button", name="Lymphocyte").click()
    page.mouse.move(*point(page, False, 3))
    page.mouse.move(*point(page, False, 2))
    page.wait_for_timeout(150)
    expect(hover).to_be_hidden()
    legend.get_by_role("button", name="Lymphocyte").click()
    page.get_by_label("Colour by").select_option(label="Patient")
    expect(legend.get_by_role("button")).to_have_text(["P-18", "P-28"])

    # A lasso around three of the right, a box around all of them.
    picked = page.locator("#map-picked")
    (x, low), (_, high) = point(page, True, 0), point(page, True, 2)
    page.keyboard.down("Shift")
    page.mouse.move(x - 15, low + 12)
    page.mouse.down()
    for corner in ((x + 15, low + 12), (x + 15, high - 12), (x - 15, high - 12)):
        page.mouse.move(*corner, steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")
    expect(picked).to_contain_text("3 cells picked out")
    expect(picked.locator("img")).to_have_count(3)
    page.keyboard.press("Escape")
    expect(picked).to_be_hidden()
    page.keyboard.press("b")
    page.mouse.move(x - 20, low + 20)
    page.mouse.down()
    page.mouse.move(x + 20, point(page, True, 7)[1] - 20, steps=3)
    page.mouse.up()
    expect(picked).to_contain_text("8 cells picked out")
    picked.get_by_text("Open in the gallery").click()
    gallery = GalleryPage(page)
    gallery.count(8)
    expect(page.get_by_text("Picked out on the map")).to_be_visible()
    page.get_by_role("button", name="Show all cells").click()
    gallery.ready()
    gallery.count(16)
    assert "among" not in page.url


def test_a_click_shows_the_cell_in_large(study: Study, cells: list[Cell], annotator: User, page_of: Any) -> None:
    lay_out(study, cells)
    page = page_of(annotator, f"/studies/{study.pk}/map/")
    ready(page)
    # A map that was moved and zoomed and shown whole again is as it was.
    x, y = point(page, False, 4)
    page.mouse.move(x + 40, y)
    page.mouse.wheel(0, -400)
    page.mouse.down()
    page.mouse.move(x + 90, y + 30, steps=4)
    page.mouse.up()
    page.keyboard.press("0")
    page.mouse.click(x, y)
    GalleryPage(page)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("P-1")
    expect(dialog).to_contain_text("6.0 × 6.0 µm")
    expect(page).to_have_url(re.compile(rf"like={cells[4].pk}$"))


def test_an_old_map_says_so(study: Study, cells: list[Cell], annotator: User, page_of: Any) -> None:
    lay_out(study, cells)
    CellFeatures.objects.create(cell=cells[0], crop_hash="0" * 64, backbone="toy", vector=b"\0\0")
    page = page_of(annotator, f"/studies/{study.pk}/map/")
    ready(page)
    expect(page.locator("#map-stand")).to_contain_text("The map is older than the features")
    page.get_by_role("button", name="Make it anew").click()
    expect(page.locator("#map-stand")).to_contain_text("It waits for a worker.")
    assert CellMapJob.objects.count() == 1
