"""Which parts of an image speak for a diagnosis: asked on its page, made by a worker, laid over the image."""

import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from annotation.models import SmearImage, Study
from annotation.store import ImageStore
from inference import field_why_jobs
from inference.models import FieldWhyJob
from tests.browser.cells import draw, square
from tests.browser.editor_page import EditorPage
from tests.inference.test_occlude_command import Redness
from tests.labelled_cells import BLUE, RED
from training.models import Bundle, Kind

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "APL vs non-APL AML"
COLOUR = "(canvas, [x, y]) => [...canvas.getContext('2d').getImageData(x * canvas.width, y * canvas.height, 1, 1).data]"


@pytest.fixture
def image(study: Study, settings: Any, monkeypatch: pytest.MonkeyPatch) -> SmearImage:
    """A field with a red cell to the left, and blue ones; models suspect APL by how red a cell is."""
    from config.celery import app

    monkeypatch.setattr(app, "send_task", lambda *args, **options: None)
    monkeypatch.setattr(field_why_jobs, "Models", Redness)
    picture = Image.new("RGB", (640, 480), (225, 215, 220))
    for x, colour in ((80, RED), (300, BLUE), (500, BLUE)):
        ImageDraw.Draw(picture).rectangle((x, 200, x + 59, 259), fill=colour)
    sha256 = ImageStore(settings.IMAGE_STORE).put(picture)
    made = SmearImage.objects.create(study=study, sha256=sha256, width=640, height=480, fold=0, um_per_pixel=0.2)
    made.names.create(name="field.png")
    for x in (80, 300, 500):
        draw(made, square(x, 200, 60))
    card = {"architecture": {"decisions": [{"name": NAME, "classes": ["apl", "non_apl_aml"]}]}}
    Bundle.objects.create(id="b" * 12, study=study, kind=Kind.MIL, card=card, in_use=True)
    return made


def asked() -> FieldWhyJob:
    for _ in range(200):
        job = FieldWhyJob.objects.filter(state="queued").select_related("image__study", "bundle").first()
        if job is not None:
            return job
        time.sleep(0.05)
    raise AssertionError("Nobody has asked.")


def test_parts_that_speak(image: SmearImage, annotator: User, page_of: Any) -> None:
    page = page_of(annotator, f"/images/{image.pk}/")
    EditorPage(page)
    page.locator("#view > summary").click()
    page.get_by_role("link", name="Parts that speak for a diagnosis").click()
    canvas, words = page.locator("[data-heat]"), page.locator("[data-words]")
    expect(page.locator("#field-why")).to_have_attribute("data-ready", "true")
    expect(canvas).to_be_hidden()
    page.get_by_role("combobox", name="Parts").select_option("12 × 9")
    # Asked for and ended again.
    page.get_by_role("button", name="Make the map").click()
    expect(page.locator("[data-done]")).to_have_text("It waits for a worker.")
    page.get_by_role("button", name="Cancel").click()
    expect(words).to_have_text("Cancelled by anna before it started.")
    page.get_by_role("button", name="Make the map").click()
    assert field_why_jobs.work(asked())
    expect(words).to_contain_text("by the 3 cells of this image alone the probability of APL")
    expect(words).to_contain_text("not whether it is right")
    expect(canvas).to_be_visible()
    red, _, blue, opaque = canvas.evaluate(COLOUR, [0.17, 0.48])
    assert opaque > 100 and red > blue, "on the red cell"
    assert canvas.evaluate(COLOUR, [0.9, 0.9])[3] < 30, "nothing lies here"
    page.get_by_label("Strength of the colours").fill("30")
    expect(canvas).to_have_css("opacity", "0.3")
    box = page.locator("[data-stage]").bounding_box()
    page.mouse.move(box["x"] + 0.17 * box["width"], box["y"] + 0.48 * box["height"])
    expect(page.locator("[data-hover]")).to_contain_text("Without this part APL is")
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.9 * box["height"])
    expect(page.locator("[data-hover]")).to_have_text("APL stays as probable without this part")
    # It is there again, also from the report.
    page.goto(f"/images/{image.pk}/report/")
    page.get_by_role("link", name="Why", exact=True).click()
    expect(canvas).to_be_visible()
    expect(page.locator("[data-maps]")).to_contain_text("12 × 9 parts")
