"""What goes out comes back: borders with their kinds, labels, ignored regions, states, patients."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from annotation.borders import BorderError, bounds, clean
from annotation.formats import coco, csv, via_project
from annotation.formats.detect import read_records
from annotation.formats.records import Selection, place
from annotation.formats.rows import CellRow, Choice, Group, ImageRow
from annotation.models import Cell, CellLabel, Label, Patient, ProposalRun, SmearImage, Study
from annotation.scheme import study_named
from annotation.store import ImageStore
from tests.annotation.test_borders import HEIGHT, WIDTH, borders

FORMATS = ["via", "coco", "csv"]
GROUPS = [
    Group("Cell type", False, ("Myeloblast", "Blast 2")),
    Group("Überraschung; viel", True, ("=1+1", "a;b", "[x")),
]
text = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=12)
choices = st.tuples(
    st.sampled_from([(), ("Myeloblast",), ("Blast 2",)]),
    st.sets(st.sampled_from(GROUPS[1].labels)).map(lambda names: tuple(sorted(names))),
)


def write(format: str, stream: Any, rows: list[ImageRow]) -> None:
    if format == "via":
        via_project.write(stream, "Study", GROUPS, rows)
    elif format == "coco":
        coco.write(stream, "Study", ["Myeloblast", "smudge"], rows)
    else:
        csv.write(stream, GROUPS, rows)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(borders, choices, st.booleans(), st.sampled_from(["", "smudge", "=x"])), max_size=5),
    text,
    text,
    st.sampled_from(FORMATS),
)
def test_round_trip_of_random_borders(tmp_path: Path, cells: Any, name: str, patient: str, format: str) -> None:
    rows = []
    for number, (raw, (one, many), ignored, ignored_class) in enumerate(cells):
        try:
            border = clean(raw, WIDTH, HEIGHT)
        except BorderError:
            continue
        assume(all(border != row.border for row in rows))
        chosen = [Choice("Cell type", False, one)] if one else []
        chosen += [Choice(GROUPS[1].name, True, many)] if many else []
        kind = ignored_class if ignored else ""
        box = bounds(border, WIDTH, HEIGHT)
        rows.append(CellRow(str(number), border, box, tuple(chosen), "confirmed", ignored, kind, "drawn", "added"))
    assume(not any(c in name for c in "/\\") and name not in (".", ".."))
    path = tmp_path / "export"
    with path.open("w", encoding="utf-8", newline="") as stream:
        write(format, stream, [ImageRow(1, name, WIDTH, HEIGHT, 0.25, "reviewed", patient, "apl", rows)])
    (record,) = read_records(path).images
    assert (record.name, record.state, record.diagnosis, record.um_per_pixel) == (name, "reviewed", "apl", 0.25)
    assert record.patient == patient
    placed = place(record, WIDTH, HEIGHT, Selection())
    assert placed.skipped == []
    for row, found in zip(rows, placed.regions, strict=True):
        assert found.border == row.border
        assert found.ignored == row.ignored
        assert not row.ignored or found.class_name == row.ignored_class
        names = {(choice.group, label) for choice in row.choices for label in choice.names}
        assert set(found.region.labels) == names


@pytest.fixture
def filled(study: Study, make_image: Any, annotator: Any, teammate: Any) -> Study:
    patient = Patient.arrive(study, "P1", "apl")
    first = make_image(study, seed=1, name="deep/a.png", state="reviewed", patient=patient, um_per_pixel=0.5)
    make_image(study, seed=2, name="negative.png", state="annotated")
    started = make_image(study, seed=3, name="started, half.png", state="in_progress")
    untouched = make_image(study, seed=4, name="new.png", state="proposed")
    shapes = [
        {"kind": "polygon", "points": [[1.25, 2.0], [20.0, 3.0], [18.0, 30.5]]},
        {"kind": "rectangle", "x": 3.0, "y": 4.0, "width": 10.0, "height": 11.0},
        {"kind": "ellipse", "cx": 30.0, "cy": 20.0, "rx": 9.0, "ry": 4.5, "theta": 0.7854},
        {"kind": "circle", "cx": 40.0, "cy": 30.0, "r": 6.0},
    ]
    cells = []
    for image, border, ignored in [*((first, shape, False) for shape in shapes), (started, shapes[0], True)]:
        cell = Cell(image=image, ignored=ignored, ignored_class="smudge" if ignored else "")
        cell.place(clean(border, image.width, image.height), image)
        cell.save()
        cells.append(cell)
    label = {label.name: label for label in Label.objects.filter(group__study=study)}
    CellLabel.objects.create(cell=cells[0], label=label["Myeloblast"], annotator=annotator)
    CellLabel.objects.create(cell=cells[0], label=label["Promyelocyte"], annotator=teammate)
    CellLabel.objects.create(cell=cells[0], label=label["Auer rod"], annotator=teammate)
    CellLabel.objects.create(cell=cells[1], label=label["Lymphocyte"], annotator=None)
    own = Label.objects.create(group=label["Auer rod"].group, name='Sudan / black "B"', order=9)
    CellLabel.objects.create(cell=cells[2], label=own, annotator=annotator)
    proposals = ProposalRun.objects.create(study=study, bundle="watershed/1", score_threshold=0.5)
    for status, image in (("proposed", untouched), ("deleted", first)):
        border = clean(shapes[3], image.width, image.height)
        fields = {"run": proposals, "score": 0.9, "proposed_border": border}
        cell = Cell(image=image, status=status, origin="proposal", **fields)
        cell.place(border, image)
        cell.save()
    return study


def export(study: Study, format: str, target: Path, *options: str) -> tuple[dict[str, Any], str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("export", str(target), "--study", study.name, "--format", format, *options, stdout=out, stderr=err)
    return json.loads(out.getvalue()), err.getvalue()


def content(study: Study, *, untouched: bool = True) -> Any:
    images = {}
    for image in SmearImage.objects.filter(study=study):
        state = "new" if image.state == "proposed" else image.state
        cells = []
        for cell in Cell.objects.filter(image=image).confirmed():
            rows = list(cell.labels.order_by("pk"))
            last = [row.annotator_id for row in rows][-1:]
            labels = sorted(row.label.name for row in rows if row.annotator_id in last)
            cells.append((json.dumps(cell.border, sort_keys=True), cell.ignored, cell.ignored_class, tuple(labels)))
        code = image.patient and (image.patient.code, image.patient.diagnosis)
        patient = code if state != "new" or untouched else None
        images[image.name] = (state, image.um_per_pixel, patient, sorted(cells))
    return images


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_into_an_empty_study_gives_the_same(
    filled: Study, format: str, tmp_path: Path, settings: Any
) -> None:
    target = tmp_path / f"export.{format}"
    result, notes = export(filled, format, target)
    assert (result["cells"], result["ignored"]) == (4, 1)
    assert result["images"] == (3 if format == "coco" else 4)
    assert "1 proposals" in notes
    store = ImageStore(settings.IMAGE_STORE)
    for image in SmearImage.objects.filter(study=filled):
        file = tmp_path / "files" / image.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(store.pixels(image.sha256).read_bytes())
    out = io.StringIO()
    folder = str(tmp_path / "files")
    options = ["--study", "Empty", "--annotations", str(target)]
    call_command("import_images", folder, *options, stdout=out, stderr=io.StringIO())
    assert json.loads(out.getvalue())["skipped"] == []
    empty = Study.objects.get(name="Empty")
    assert content(empty) == content(filled)
    call_command("import_images", folder, *options, stdout=out, stderr=io.StringIO())
    assert json.loads(out.getvalue().splitlines()[-1])["cells"] == 0
    assert content(empty) == content(filled)


@pytest.mark.parametrize("format", FORMATS)
def test_a_diagnosis_of_another_study_is_read_by_its_own_spellings(
    study: Study, make_image: Any, format: str, tmp_path: Path, settings: Any
) -> None:
    study.diagnosis_rows = study.diagnoses.added("CML").as_json()
    study.save()
    image = make_image(study, seed=1, name="a.png", state="annotated", patient=Patient.arrive(study, "P1", "cml"))
    file = tmp_path / "files" / image.name
    file.parent.mkdir()
    file.write_bytes(ImageStore(settings.IMAGE_STORE).pixels(image.sha256).read_bytes())
    export(study, format, tmp_path / "export")
    knowing = study_named("Knows it otherwise")
    knowing.diagnosis_rows = knowing.diagnoses.added("Philadelphia positive", spellings=["CML"]).as_json()
    knowing.save()
    for name, diagnosis, skipped in ((knowing.name, "philadelphia_positive", []), ("Does not", "unknown", ["P1"])):
        out = io.StringIO()
        options = ["--study", name, "--annotations", str(tmp_path / "export")]
        call_command("import_images", str(file.parent), *options, stdout=out, stderr=io.StringIO())
        assert [each["name"] for each in json.loads(out.getvalue())["skipped"]] == skipped
        assert Patient.objects.get(study__name=name).diagnosis == diagnosis


def test_a_via_project_has_the_structure_of_via(filled: Study, tmp_path: Path) -> None:
    export(filled, "via", tmp_path / "v.json")
    project = json.loads((tmp_path / "v.json").read_text())
    assert list(project) == [
        "_via_settings",
        "_via_img_metadata",
        "_via_attributes",
        "_via_data_format_version",
        "_via_image_id_list",
    ]
    assert project["_via_data_format_version"] == "2.0.10"
    assert set(project["_via_settings"]) == {"ui", "core", "project"}
    assert project["_via_image_id_list"] == list(project["_via_img_metadata"])
    for key, entry in project["_via_img_metadata"].items():
        assert list(entry) == ["filename", "size", "regions", "file_attributes"]
        assert key == f"{entry['filename']}{entry['size']}"
        assert all(isinstance(value, str) for value in entry["file_attributes"].values())
        for region in entry["regions"]:
            for id_, value in region["region_attributes"].items():
                definition = project["_via_attributes"]["region"][id_]
                assert "__" not in id_
                if definition["type"] == "checkbox":
                    assert set(value) <= set(definition["options"])
                elif definition["type"] in ("radio", "dropdown"):
                    assert value in definition["options"]
    for definition in project["_via_attributes"]["region"].values():
        assert definition["type"] == "text" or set(definition["default_options"]) <= set(definition["options"])
    shapes = [r["shape_attributes"]["name"] for r in project["_via_img_metadata"]["deep/a.png-1"]["regions"]]
    assert shapes == ["polygon", "rect", "ellipse", "circle"]


def test_coco_says_the_same_to_other_tools(filled: Study, tmp_path: Path) -> None:
    export(filled, "coco", tmp_path / "c.json")
    document = json.loads((tmp_path / "c.json").read_text())
    names = {category["id"]: category["name"] for category in document["categories"]}
    assert [names[a["category_id"]] for a in document["annotations"]] == [
        "Promyelocyte",
        "Lymphocyte",
        "cell",
        "cell",
        "smudge",
    ]
    assert [a["iscrowd"] for a in document["annotations"]] == [0, 0, 0, 0, 1]
    rectangle = document["annotations"][1]
    assert rectangle["bbox"] == [3, 4, 10, 11] and rectangle["area"] == 110
    assert len(document["annotations"][3]["segmentation"][0]) == 128
    for annotation in document["annotations"]:
        annotation["segmentation"][0][0] += 0.5
    (tmp_path / "c.json").write_text(json.dumps(document))
    moved = read_records(tmp_path / "c.json").images[0].regions
    assert {region.border["kind"] for region in moved} == {"polygon"}, "another tool's outline counts"


def test_the_table_has_sizes_and_corrections(filled: Study, tmp_path: Path) -> None:
    import csv as standard

    result, _ = export(filled, "csv", tmp_path / "t.csv", "--deleted")
    with (tmp_path / "t.csv").open(newline="") as stream:
        rows = list(standard.DictReader(stream))
    assert len(rows) == 8
    rectangle = next(row for row in rows if row["kind"] == "rectangle")
    assert (rectangle["area_px"], rectangle["area_um2"]) == ("110.0", "27.5")
    assert rectangle["label: Cell type"] == "Lymphocyte"
    assert sorted(row["correction"] for row in rows if row["cell"]) == ["added"] * 5 + ["deleted"]
    assert len(read_records(tmp_path / "t.csv").images[0].regions) == 4


def test_faults_leave_the_target_as_it_was(filled: Study, tmp_path: Path, monkeypatch: Any) -> None:
    target = tmp_path / "v.json"
    target.write_text("before")

    def fails(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("annotation.exporting.via_project.write", fails)
    with pytest.raises(CommandError, match="No space left"):
        export(filled, "via", target)
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []
    with pytest.raises(CommandError, match="There is no study"):
        call_command("export", str(target), "--study", "absent", "--format", "via")
    with pytest.raises(CommandError, match="is a folder"):
        export(filled, "via", tmp_path)
