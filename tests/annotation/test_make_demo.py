"""The demo study: marked as synthetic, with truth, and the same however often it is made."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotation.formats.truth import read_truth
from annotation.models import Cell, CellLabel, Patient, SmearImage, Study
from annotation.synthetic import GENERATOR_VERSION

pytestmark = pytest.mark.django_db
OPTIONS = ["--patients", "3", "--images-per-patient", "2", "--size", "480x360", "--seed", "5"]


def make(*options: str, study: str = "Demo") -> dict[str, Any]:
    out = io.StringIO()
    call_command("make_demo", "--study", study, *(options or OPTIONS), stdout=out, stderr=io.StringIO())
    (line,) = out.getvalue().splitlines()
    return json.loads(line)


def test_demo(tmp_path: Path) -> None:
    made = make(*OPTIONS, "--annotated", "3", "--truth", str(tmp_path / "truth.json"))
    study = Study.objects.get(name="Demo")
    cells = Cell.objects.filter(image__study=study)
    assert made == {
        "study": "Demo",
        "images": 6,
        "cells": cells.filter(ignored=False).count(),
        "patients": 3,
        "generator": GENERATOR_VERSION,
    }
    assert made["cells"] > 0
    assert study.synthetic and all(image.synthetic and image.um_per_pixel for image in study.images.all())
    assert set(Patient.objects.values_list("diagnosis", flat=True)) == {"apl", "non_apl_aml", "healthy"}
    assert [image.state for image in study.images.all()] == ["annotated"] * 3 + ["new"] * 3
    typed = CellLabel.objects.filter(label__group__name="Cell type")
    assert set(typed.values_list("cell", flat=True)) == set(cells.filter(ignored=False).values_list("pk", flat=True))
    assert {cell.border["kind"] for cell in cells} == {"polygon"}
    assert set(cells.filter(ignored=True).values_list("ignored_class", flat=True)) <= {"smudge", "edge"}
    sizes = {image.name: (image.width, image.height) for image in study.images.all()}
    truth = read_truth(tmp_path / "truth.json", "via", None, None, None, (), sizes)
    assert len(truth.images) == 6 and truth.skipped == []
    assert sum(map(len, list(truth.images.values())[:3])) == cells.count()

    before = list(cells.order_by("pk").values()), list(SmearImage.objects.order_by("pk").values())
    assert make(*OPTIONS, "--annotated", "3") == made
    assert before == (list(cells.order_by("pk").values()), list(SmearImage.objects.order_by("pk").values()))


def test_synthetic_images_are_not_mixed_into_a_real_study(study: Study, make_image: Any) -> None:
    make_image(study)
    with pytest.raises(CommandError, match="holds real images"):
        make(*OPTIONS, study=study.name)


@pytest.mark.parametrize("options", [["--size", "10x10"], ["--size", "abc"], ["--patients", "0"], ["--seed", "-1"]])
def test_bad_arguments(options: list[str]) -> None:
    with pytest.raises(CommandError):
        make(*options)
    assert not Study.objects.exists()
