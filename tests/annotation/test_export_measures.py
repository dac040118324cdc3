"""Measures go out in the table and in COCO, of borders as they are, and come back to nobody's harm."""

import csv
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone

from annotation.exporting import export
from annotation.formats.detect import read_records
from annotation.measuring import measure_study
from annotation.models import Cell, SmearImage, Study
from tests.annotation.changes import LARGER, SQUARE, change, one

pytestmark = pytest.mark.django_db


@pytest.fixture
def two(image: SmearImage, drawn: Cell, annotator: User) -> tuple[Cell, Cell]:
    """Two measured cells, of which the second was moved since."""
    moved = one(image, annotator, change("create", uuid4(), 0, border=SQUARE)).cell
    measure_study(image.study)
    one(image, annotator, change("reshape", moved.pk, 1, border=LARGER))
    return drawn, moved


def table(study: Study, target: Path) -> dict[str, dict[str, str]]:
    export(study, "csv", target)
    return {row["cell"]: row for row in csv.DictReader(target.open(encoding="utf-8"))}


def test_the_table_has_the_measures_of_borders_as_they_are(study: Study, two: Any, tmp_path: Path):
    rows = table(study, tmp_path / "cells.csv")
    drawn, moved = (rows[str(cell.pk)] for cell in two)
    assert (drawn["unit of measures"], drawn["measure: area"], drawn["measure: solidity"]) == ("px", "400.0", "1.0")
    assert (moved["unit of measures"], moved["measure: area"], moved["area_px"]) == ("", "", "900.0")


def test_a_known_scale_is_said(study: Study, two: Any, tmp_path: Path):
    SmearImage.objects.update(um_per_pixel=0.5)
    measure_study(study)
    rows = table(study, tmp_path / "cells.csv")
    assert {(row["unit of measures"], row["measure: area"]) for row in rows.values()} == {
        ("µm", "100.0"),
        ("µm", "225.0"),
    }


def test_without_measures_the_table_is_as_it_was(study: Study, drawn: Cell, tmp_path: Path):
    (row,) = table(study, tmp_path / "cells.csv").values()
    assert not [name for name in row if "measure" in name]


def test_coco_has_them_among_what_is_our_own(study: Study, two: Any, tmp_path: Path):
    SmearImage.objects.update(state="annotated")
    export(study, "coco", tmp_path / "cells.json")
    owns = [each["marrowloop"] for each in json.loads((tmp_path / "cells.json").read_text())["annotations"]]
    assert [own.get("measures", {}).get("area") for own in owns] == [400.0, None]
    assert owns[0]["measures"]["unit"] == "px" and None not in owns[0]["measures"].values()


@pytest.mark.parametrize("format", ["csv", "coco", "via"])
def test_an_import_passes_over_them(study: Study, two: Any, tmp_path: Path, format: str):
    SmearImage.objects.update(state="annotated")
    target = tmp_path / f"cells.{'csv' if format == 'csv' else 'json'}"
    export(study, format, target)
    (record,) = read_records(target).images
    assert len(record.regions) == 2 and not record.skipped


def test_an_export_as_of_an_earlier_moment_leaves_them_out(study: Study, two: Any, tmp_path: Path):
    target = tmp_path / "then.csv"
    call_command("export", str(target), study=study.name, format="csv", as_of=timezone.now().isoformat())
    assert "measure" not in target.read_text(encoding="utf-8")
