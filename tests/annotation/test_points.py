"""A point: a cell is there, its border is not drawn yet. It goes in and out, and never counts as a border."""

import io
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from annotation.borders import bounds
from annotation.exporting import export
from annotation.formats.detect import read_records
from annotation.formats.records import PERSONAL
from annotation.formats.truth import read_truth
from annotation.models import Cell, Label, SmearImage, TextAttribute
from annotation.operations import apply
from annotation.points import median_size, region_around
from inference.overlap import Field, Scored, Truth, average_precision, best_matches, precision_recall
from tests.annotation.changes import SQUARE, change, one

POINT = {"kind": "point", "cx": 40.0, "cy": 20.0}
# As the truth of a run: circles about so large as the cells beside a point.
CIRCLE = {"kind": "circle", "cx": 40.0, "cy": 20.0, "r": 10.0}


@pytest.fixture
def pointed(image: SmearImage, annotator: User) -> SmearImage:
    """A drawn cell and a point; the point has a label of which somebody is half sure, and a remark."""
    label = Label.objects.get(group__study=image.study, name="Myeloblast").pk
    remark = TextAttribute.objects.get(study=image.study).pk
    cell = uuid.uuid4()
    apply(
        image.pk,
        annotator,
        [
            change("create", uuid.uuid4(), 0, border=SQUARE),
            change("create", cell, 0, border=POINT),
            change("label", cell, 1, labels=[label], confidence={label: 0.5}, texts={remark: "=Blast?"}),
        ],
    )
    SmearImage.objects.filter(pk=image.pk).update(state="annotated")
    return image


@pytest.mark.django_db
def test_a_point_is_a_cell_with_a_correction_like_any_other(image: SmearImage, annotator: User) -> None:
    asked = change("create", uuid.uuid4(), 0, border=POINT)
    assert one(image, annotator, asked).status == "applied"
    cell = Cell.objects.with_correction().get()
    assert (cell.border, cell.correction) == (POINT, "added")
    assert (cell.x0, cell.y0, cell.x1, cell.y1) == (40, 20, 40, 20)
    # Its border, once somebody draws it.
    assert one(image, annotator, change("reshape", asked.cell, 1, border=SQUARE)).cell.border == SQUARE


@pytest.mark.django_db
@pytest.mark.parametrize("format", ["via", "csv", "coco"])
def test_an_export_holds_what_the_format_can_and_says_what_it_cannot(
    pointed: SmearImage, tmp_path: Path, format: str
) -> None:
    done = export(pointed.study, format, tmp_path / "out")
    (record,) = read_records(tmp_path / "out").images
    kinds = [region.border["kind"] for region in record.regions]
    if format == "coco":
        assert (kinds, done.cells) == (["polygon"], 1)
        assert done.notes == ("1 point is not exported: COCO holds no cell without a border.",)
    else:
        assert (sorted(kinds), done.cells, done.notes) == (["point", "polygon"], 2, ())
        point = next(region for region in record.regions if region.border["kind"] == "point")
        assert point.border == POINT
        assert point.labels == (("Cell type", "Myeloblast"),)
        assert PERSONAL in read_records(tmp_path / "out").notes


@pytest.mark.django_db
def test_confidence_and_texts_go_out(pointed: SmearImage, tmp_path: Path) -> None:
    study = pointed.study
    export(study, "via", tmp_path / "via")
    (entry,) = json.loads((tmp_path / "via").read_text())["_via_img_metadata"].values()
    said = [region["region_attributes"] for region in entry["regions"]][1]
    assert (said["marrowloop_confidence"], said["marrowloop_text_remark"]) == ("Myeloblast: 0.5", "=Blast?")
    export(study, "csv", tmp_path / "csv")
    header, *rows = (tmp_path / "csv").read_text().splitlines()
    assert header.endswith("labels: Characteristics,confidence: Cell type,confidence: Characteristics,text: Remark")
    # A text that a spreadsheet would take for a formula is one no more, and a point has no area.
    assert any(row.endswith("Myeloblast,,0.5,,'=Blast?") and ",point,40.0,20.0,40.0,20.0,,," in row for row in rows)
    apply_label(pointed)
    export(study, "coco", tmp_path / "coco")
    (annotation,) = json.loads((tmp_path / "coco").read_text())["annotations"]
    own = annotation["marrowloop"]
    assert own["texts"] == {"Remark": "Square"}
    assert own["labels"]["Cell type"] == {"multiple": False, "names": ["Myeloblast"], "confidence": {"Myeloblast": 1.0}}


def apply_label(image: SmearImage) -> None:
    square = next(cell for cell in Cell.objects.filter(image=image) if cell.border["kind"] == "polygon")
    label = Label.objects.get(group__study=image.study, name="Myeloblast").pk
    remark = TextAttribute.objects.get(study=image.study).pk
    asked = change("label", square.pk, 1, labels=[label], confidence={label: 1}, texts={remark: "Square"})
    assert one(image, User.objects.get(username="anna"), asked).status == "applied"


def project(folder: Path, *shapes: dict[str, Any]) -> Path:
    entry = {
        "filename": "a.png",
        "size": -1,
        "regions": [{"shape_attributes": shape, "region_attributes": {"kind": "cell"}} for shape in shapes],
        "file_attributes": {},
    }
    path = folder / "project.json"
    path.write_text(json.dumps({"a.png-1": entry}))
    return path


VIA_POINT = {"name": "point", "cx": 40, "cy": 20}
VIA_CIRCLE = {"name": "circle", "cx": 20, "cy": 20, "r": 8}


@pytest.mark.django_db
def test_points_of_via_come_in_as_points(tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    folder = tmp_path / "smears"
    folder.mkdir()
    Image.fromarray(np.zeros((48, 64, 3), dtype=np.uint8)).save(folder / "a.png")
    outside = {"name": "point", "cx": 400, "cy": 20}
    path = project(tmp_path, VIA_POINT, VIA_CIRCLE, VIA_POINT, outside)
    out = io.StringIO()
    options = ["--study", "S", "--annotations", str(path)]
    call_command("import_images", str(folder), *options, stdout=out, stderr=io.StringIO())
    result = json.loads(out.getvalue())
    assert result["cells"] == 2
    assert [skipped["reason"] for skipped in result["skipped"]] == [
        "Region 2: The same border is there already.",
        "Region 3: The point lies outside the image.",
    ]
    assert sorted(cell.border["kind"] for cell in Cell.objects.all()) == ["circle", "point"]
    assert SmearImage.objects.get().revision == 1
    assert set(Cell.objects.values_list("revision", flat=True)) == {1}


def test_a_point_of_a_truth_is_a_region_that_neither_rewards_nor_punishes(tmp_path: Path) -> None:
    path = project(tmp_path, VIA_POINT, VIA_CIRCLE)
    truth = read_truth(path, "via", None, None, None, (), {"a.png": (64, 48)})
    drawn, point = sorted(truth.images["a.png"], key=lambda cell: cell.ignored)
    assert (drawn.ignored, point.ignored) == (False, True)
    # As wide as the median cell, 16 px.
    assert point.border == {"kind": "circle", "cx": 40, "cy": 20, "r": 8.0}
    there = [Truth(cell.border, cell.ignored) for cell in (drawn, point)]
    found = [Scored(drawn.border, 0.9), Scored(point.border, 0.8)]
    for proposals in (found, found[:1]):
        fields = [Field(there, proposals)]
        assert precision_recall(fields) == (1.0, 1.0)
        assert average_precision(fields)["map"] == pytest.approx(1.0)


def test_a_truth_of_points_alone_has_no_cell_to_find(tmp_path: Path) -> None:
    truth = read_truth(project(tmp_path, VIA_POINT), "via", None, None, None, (), {"a.png": (64, 48)})
    (point,) = truth.images["a.png"]
    assert point.ignored and point.border["r"] == pytest.approx(0.8)


def test_scoring_does_not_stumble_over_a_bare_point() -> None:
    there = [Truth(POINT), Truth(POINT, ignored=True)]
    assert best_matches([CIRCLE, POINT], there, 0.0) == []
    assert precision_recall([Field(there, [Scored(CIRCLE, 0.9), Scored(POINT, 0.8)])]) == (0.0, 0.0)


def test_the_region_around_a_point() -> None:
    assert median_size([]) is None
    assert median_size([(0, 0, 10, 10), (0, 0, 20, 20), (0, 0, 9, 36)]) == 18
    region = region_around({"kind": "point", "cx": 0.0, "cy": 48.0}, 10, 64, 48)
    assert bounds(region, 64, 48) == (0, 43, 5, 48)
