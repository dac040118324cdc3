"""What a reviewer decided is what exports, the past of a study and classifiers take, and its readers' words are not."""

import csv
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from annotation.as_of import choices_as_of
from annotation.exporting import export
from annotation.models import Cell, SmearImage, Study
from annotation.readings import finish
from inference.cell_choices import labels_said
from tests.annotation.reading import asked, cells_on, decide, label_id, part, say
from training.classifier_freeze import freeze_labelled
from training.classifier_target import Target
from training.freeze import freeze

pytestmark = pytest.mark.django_db


@pytest.fixture
def image(study: Study, make_image: Any) -> SmearImage:
    return make_image(study, state="annotated", um_per_pixel=0.1)


@pytest.fixture
def cells(study: Study, image: SmearImage, annotator: User, reviewer: User) -> list[Cell]:
    """Three cells: what people say stands, is decided otherwise, and is decided where nobody has spoken."""
    cells = cells_on(image, 3)
    for each in cells[:2]:
        say(each, annotator, "Myeloblast")
    decide(cells[1], reviewer, "Cell type", ["Monocyte"])
    decide(cells[2], reviewer, "Cell type", ["Lymphocyte"])
    return cells


COUNTS = ["Myeloblast", "Monocyte", "Lymphocyte"]


def test_exports_hold_what_was_decided(study: Study, cells: list[Cell], tmp_path: Path) -> None:
    export(study, "csv", tmp_path / "cells.csv")
    with (tmp_path / "cells.csv").open() as stream:
        rows = {row["cell"]: row["label: Cell type"] for row in csv.DictReader(stream)}
    assert [rows[str(each.pk)] for each in cells] == COUNTS


def test_rounds_learn_what_was_decided(study: Study, cells: list[Cell]) -> None:
    frozen = freeze(study).manifest["images"][0]["borders"]
    assert {border["id"]: border["labels"] for border in frozen} == {
        str(each.pk): [name] for each, name in zip(cells, COUNTS, strict=True)
    }
    labelled = freeze_labelled(study, Target("Cell type", None)).manifest["images"][0]["borders"]
    assert {border["id"]: border["choices"]["Cell type"] for border in labelled} == {
        str(each.pk): [name] for each, name in zip(cells, COUNTS, strict=True)
    }
    said = labels_said([each.pk for each in cells])
    assert [said[each.pk] for each in cells] == [[label_id(study, name)] for name in COUNTS]


def test_the_past_knows_what_was_decided_by_then(
    study: Study, image: SmearImage, cells: list[Cell], reviewer: User, annotator: User
) -> None:
    decided = timezone.now()
    decide(cells[1], reviewer, "Cell type", None)
    decide(cells[2], reviewer, "Cell type", [])
    reading = asked(study, reviewer, [annotator], groups=["Characteristics"])
    for each in cells:
        say(each, annotator, "Auer rod")
    finish(part(reading, annotator))
    rod = label_id(study, "Auer rod")

    def then(moment: Any) -> list[set[int]]:
        found = choices_as_of([image.pk], moment)
        return [set(found[each.pk].labels) if each.pk in found else set() for each in cells]

    assert then(decided) == [{label_id(study, name)} for name in COUNTS]
    # Asked about Auer rods alone, the annotator gave their own earlier word on the type away.
    assert then(None) == [{rod}] * 3
