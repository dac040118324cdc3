"""Why a model says so: asked in the gallery's large view, answered by a worker, shown over the crop."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from PIL import Image
from playwright.sync_api import expect

from annotation.models import Cell, Label, Study
from inference import kept_heads, saliency_jobs
from inference.models import INTERACTIVE, CellProbability, SaliencyJob
from tests.browser.cells import draw, square
from tests.browser.gallery_page import GalleryPage
from training.cell_head import Head

pytestmark = pytest.mark.django_db(transaction=True)


class Contrast:
    """Sees how much the pixels in the upper left quarter of a crop differ."""

    name = "contrast/1"

    def extract(self, crops: Sequence[Image.Image]) -> Any:
        return np.array([[np.asarray(crop)[:150, :150].std() / 255] for crop in crops], dtype=np.float32)

    def maps(self, crop: Image.Image) -> Any:
        raise ValueError("This model has no maps to take gradients of.")


def answer_next() -> None:
    """What a worker does with the question that comes next."""
    for _ in range(200):
        job = SaliencyJob.objects.filter(state="queued").first()
        if job is not None:
            saliency_jobs.work(job, lambda backbone: Contrast())
            return
        time.sleep(0.05)
    raise AssertionError("Nobody has asked.")


@pytest.fixture
def cells(study: Study, make_image: Any, monkeypatch: pytest.MonkeyPatch) -> list[Cell]:
    """Three cells; the heads that learn see promyelocytes by contrast, and have said so of two."""
    from config.celery import app

    monkeypatch.setattr(app, "send_task", lambda *args, **options: None)
    image = make_image(study, width=640, height=480, um_per_pixel=0.1)
    made = [draw(image, square(20 + 270 * n, 60, 60)) for n in range(2)]
    made.append(draw(image, square(300, 350, 60)))
    label = Label.objects.get(group__study=study, name="Promyelocyte")
    for each, probability in zip(made[:2], (0.92, 0.31), strict=True):
        CellProbability.objects.create(cell=each, label=label, probability=probability, bundle=INTERACTIVE)
    head = Head(np.array([[0.0, 40.0]], dtype=np.float32), np.array([0.0, -8.0], dtype=np.float32))
    kept_heads.keep(label.group_id, "contrast/1", [({label.pk: 1}, head)])
    return made


def test_why(cells: list[Cell], study: Study, annotator: User, page_of: Any) -> None:
    page = GalleryPage(page_of(annotator, f"/studies/{study.pk}/gallery/?sort=field"))
    page.known()
    page.click(0)
    page.press("Enter")
    dialog = page.page.get_by_role("dialog")
    why, words = dialog.get_by_role("button", name="Why?"), dialog.locator("[data-words]")
    heat = dialog.locator("#why-picture")
    expect(heat).to_be_hidden()
    why.click()
    voice = dialog.get_by_label("Label and model")
    expect(voice.locator("option:checked")).to_have_text("Promyelocyte 92 % · the heads that learn as you label")
    expect(words).to_have_text("Asks the model.")
    answer_next()
    expect(words).to_contain_text("Orange: covering this place lowers it")
    expect(words).to_contain_text("not whether the model is right")
    expect(heat).to_be_visible()
    canvas = heat.locator("canvas")
    colours = "(canvas, at) => [...canvas.getContext('2d').getImageData(at, at, 1, 1).data]"
    red, _, blue, opaque = canvas.evaluate(colours, 75)
    assert opaque > 60 and red > blue, "where the model looks"
    assert canvas.evaluate(colours, 285)[3] < 30, "where it does not"
    dialog.get_by_label("Strength of the colours").fill("20")
    expect(canvas).to_have_css("opacity", "0.2")
    dialog.get_by_label("Method").select_option(label="Gradients (Grad-CAM)")
    expect(heat).to_be_hidden()
    answer_next()
    # What a worker cannot do is said.
    expect(words).to_have_text("This model has no maps to take gradients of.")
    # The next cell is asked about in the same way, and one of which no model has spoken says so.
    dialog.locator(".enlarged-facts").click()
    page.press("ArrowRight")
    expect(voice.locator("option:checked")).to_contain_text("Promyelocyte 31 %")
    page.press("ArrowRight")
    expect(words).to_have_text("No model has said anything of this cell yet.")
    expect(heat).to_be_hidden()
    why.click()
    expect(voice).to_be_hidden()


def test_from_the_editor(cells: list[Cell], study: Study, annotator: User, page_of: Any) -> None:
    page = page_of(annotator, f"/images/{cells[1].image_id}/")
    link = page.get_by_role("link", name="Why?")
    expect(page.locator("#selected")).to_contain_text("No cell selected")
    expect(link).to_be_hidden()
    page.goto(f"/images/{cells[1].image_id}/?again#cell-{cells[1].pk}")
    with page.context.expect_page() as opened:
        link.click()
    gallery = opened.value
    voice = gallery.get_by_role("dialog").get_by_label("Label and model")
    expect(voice.locator("option:checked")).to_contain_text("Promyelocyte 31 %", timeout=15_000)
    answer_next()
    expect(gallery.locator("#why-picture")).to_be_visible()
