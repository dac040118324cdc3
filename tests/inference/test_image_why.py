"""Why a bundle of whole images suspects a diagnosis: what was planted lights up, and the background does not; the job,
the command and the API know such bundles."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from PIL import Image, ImageDraw

from annotation.models import Cell, SmearImage, Study
from inference import field_why, field_why_jobs
from inference.diagnosis import DiagnosisProblem
from inference.diagnosis_said import Diagnosed, Said
from inference.field_why_jobs import ask, bundles_that_explain, work
from inference.image_why import explain_image
from inference.models import FieldWhyJob
from inference.occlusion import Stopped
from training.decisions import Decision
from training.diagnosis_judging import Calibration
from training.diagnosis_settings import ImageSettings
from training.image_bundle import ImageModel
from training.image_teaching import Lesson, teach_network
from training.models import Bundle, Kind

NAME, BUNDLE = "APL vs non-APL AML", "i" * 12
SIZE, PARTS = 64, 8
EMPTY, SIGN, OTHER = (225, 205, 215), (110, 60, 140), (205, 120, 130)


def field(place: tuple[int, int] | None, chance: np.random.Generator) -> Image.Image:
    """Pale discs everywhere, and of APL a dark one in addition."""
    image = Image.new("RGB", (SIZE, SIZE), EMPTY)
    draw = ImageDraw.Draw(image)
    for _ in range(4):
        x, y = chance.uniform(6, SIZE - 6, 2)
        draw.ellipse((x - 6, y - 6, x + 6, y + 6), fill=OTHER)
    if place:
        x, y = place
        draw.ellipse((x - 8, y - 8, x + 8, y + 8), fill=SIGN)
    noisy = np.asarray(image, dtype=np.float64) + chance.normal(0, 4, (SIZE, SIZE, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def anywhere(chance: np.random.Generator) -> tuple[int, int]:
    x, y = chance.integers(10, SIZE - 10, 2).tolist()
    return x, y


class Loaded:
    """ImageModels of one model that is not on the disk."""

    def __init__(self, model: Any) -> None:
        self.loaded = [(SimpleNamespace(pk=BUNDLE), model)]

    def say(self, found: Diagnosed, images: dict[str, Callable[[], Image.Image]]) -> None:
        (_, model), (opened,) = self.loaded[0], images.values()
        chances = model.probabilities("all", [model.seen(opened())])[NAME]
        told = {"apl": float(chances[0]), "non_apl_aml": float(chances[1])}
        found.said.append(Said(NAME, "image", BUNDLE, told["apl"], told, "APL", 0.5, "all"))


@pytest.fixture(scope="module")
def model() -> ImageModel:
    chance = np.random.default_rng(3)
    images = [field(anywhere(chance) if number % 2 else None, chance) for number in range(24)]
    pixels = [np.ascontiguousarray(np.asarray(each).transpose(2, 0, 1)) for each in images]
    numbers = np.arange(24)
    lesson = Lesson(pixels, numbers, [str(each % 2) for each in numbers], [(numbers + 1) % 2], [2])
    settings = ImageSettings(size=SIZE, passes=60, batch=3, lr=1e-3, augmentation=0.0)
    network = teach_network(lesson, settings, (0,))
    card = {"inputs": {"short_side": SIZE}, "architecture": {"chains": ["all"]}}
    decision = Decision.stated({"name": NAME, "classes": ["apl", "non_apl_aml"]})
    return ImageModel(card, (decision,), {NAME: Calibration(1.0, (0.0, 0.0))}, {}, {"all": network})


def test_the_map_lights_up_where_the_sign_was_planted_and_nowhere_else(model: ImageModel) -> None:
    chance = np.random.default_rng(8)
    wide = SIZE // PARTS
    for place in ((20, 44), (44, 20), (12, 12)):
        told: list[tuple[int, int]] = []
        image = field(place, chance)
        found, said = explain_image(
            image,
            Loaded(model),  # type: ignore[arg-type]
            None,
            columns=PARTS,
            rows=PARTS,
            overlap=2.0,
            progress=lambda *each, told=told: not told.append(each),  # type: ignore[misc]
        )
        assert said.decision == NAME
        assert found.probability == pytest.approx(said.probability, abs=1e-5)
        middles = (np.arange(PARTS) + 0.5) * wide
        away = np.hypot(middles[None] - place[0], middles[:, None] - place[1])
        # Blocks are 16 px wide and the disc too: the one that counts most touches it, and beyond 22 px none does.
        assert away[np.unravel_index(found.changes.argmax(), found.changes.shape)] < 16
        assert found.changes[away < 8].mean() > 5 * np.abs(found.changes[away > 22]).mean()
        assert told[0] == (0, 64) and told[-1] == (64, 64) and len(told) == 9
    with pytest.raises(Stopped):
        explain_image(
            field(None, chance),
            Loaded(model),  # type: ignore[arg-type]
            NAME,
            columns=4,
            rows=4,
            overlap=1.0,
            progress=lambda done, total: False,
        )
    with pytest.raises(DiagnosisProblem, match="no decision 'x'; they make: APL vs non-APL AML"):
        explain_image(field(None, chance), Loaded(model), "x", columns=2, rows=2, overlap=1.0)  # type: ignore[arg-type]


class Darkness:
    """Suspects APL by how much of an image is dark; as an ImageModel."""

    def seen(self, image: Image.Image) -> Any:
        return np.asarray(image.convert("RGB").resize((SIZE, SIZE))).transpose(2, 0, 1)

    def probabilities_of_each(self, chain: str, images: Any) -> dict[str, Any]:
        dark = 0.1 + 0.8 * (images.mean(axis=1) < 140).mean(axis=(1, 2))
        return {NAME: np.stack([dark, 1 - dark], axis=1)}

    def probabilities(self, chain: str, images: list[Any]) -> dict[str, Any]:
        return {NAME: self.probabilities_of_each(chain, np.stack(images))[NAME].mean(axis=0)}


@pytest.fixture
def dark(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (field_why, field_why_jobs):
        monkeypatch.setattr(module, "ImageModels", lambda bundles: Loaded(Darkness()))


@pytest.fixture
def bundle(study: Study) -> Bundle:
    card = {"architecture": {"decisions": [{"name": NAME, "classes": ["apl", "non_apl_aml"]}]}}
    return Bundle.objects.create(id=BUNDLE, study=study, kind=Kind.IMAGE, card=card, in_use=True)


@pytest.mark.django_db
def test_a_job_asks_a_bundle_of_whole_images_where_there_is_no_cell(
    study: Study,
    bundle: Bundle,
    dark: None,
    make_field: Callable[..., list[Cell]],
    no_broker: list[Any],
    annotator: User,
    outsider: User,
    client_of: Callable[[User], Client],
) -> None:
    cells = Bundle.objects.create(id="c" * 12, study=study, kind=Kind.MIL, card=bundle.card)
    assert bundles_that_explain(study) == [cells, bundle], "cells first, also out of use"
    image: SmearImage = make_field(study, "P1", ((90, 60, 110), (230, 220, 225)))[0].image
    Cell.objects.filter(image=image).update(ignored=True)
    address = reverse("api-field-why", args=[image.pk])
    asked = {"bundle": BUNDLE, "decision": NAME, "columns": 8, "overlap": 1}
    assert client_of(outsider).post(address, asked, content_type="application/json").status_code == 404
    assert client_of(annotator).post(address, asked, content_type="application/json").status_code == 202
    job = FieldWhyJob.objects.get()
    assert work(job)
    told = client_of(annotator).get(reverse("api-field-why-map", args=[image.pk, job.pk])).json()
    assert (told["model"], told["cells"], told["chain"]) == ("Whole image", 0, "all")
    changes = np.array(told["changes"])
    assert changes.shape == (job.rows, 8) and changes.max() > 0.01
    # The dark cell lies from 0 to 20 px of the field's width.
    lit = np.argwhere(changes > 0.5 * changes.max())[:, 1]
    assert (lit * image.width / 8 < 22).all()
    # Cells that come and go change nothing of what is seen as a whole.
    Cell.objects.filter(image=image).update(ignored=False)
    (kept,) = client_of(annotator).get(address).json()["maps"]
    assert kept["old"] is False
    page = client_of(annotator).get(reverse("field-why", args=[image.pk])).content.decode()
    assert f"{NAME}: Whole image" in page
    with pytest.raises(DiagnosisProblem, match="does not decide 'x'"):
        ask(image, bundle, "x", 8, 1.0)


@pytest.mark.django_db
def test_the_command_explains_a_file_without_looking_for_cells(
    study: Study, bundle: Bundle, dark: None, tmp_path: Path
) -> None:
    field((20, 44), np.random.default_rng(1)).save(tmp_path / "field.png")
    said = io.StringIO()
    parts = {"columns": 8, "rows": 8, "out": tmp_path / "map.png"}
    call_command("occlude", tmp_path / "field.png", bundle=[BUNDLE], stdout=said, stderr=io.StringIO(), **parts)
    found = json.loads(said.getvalue())
    assert (found["model"], found["cells"], found["of"], found["columns"]) == ("image", 0, "apl", 8)
    changes = np.array(found["changes"])
    assert np.unravel_index(changes.argmax(), (8, 8)) in [(5, 2), (5, 1), (4, 2), (4, 1), (5, 3)]
    assert Image.open(parts["out"]).size == (SIZE, SIZE)
    Bundle.objects.create(id="c" * 12, study=study, kind=Kind.MIL, card=bundle.card)
    with pytest.raises(CommandError, match="ask one kind at a time"):
        call_command("occlude", tmp_path / "field.png", bundle=[BUNDLE, "c" * 12], stderr=io.StringIO())
