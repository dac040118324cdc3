"""Files and annotation records become rows: once, in order, and never over what people have made."""

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from annotation.importing import find_files, take_file
from annotation.intake import IntakeError
from annotation.models import Cell, CellLabel, ImageName, Operation, Patient, ProposalRun, SmearImage, Study

pytestmark = pytest.mark.django_db
State = SmearImage.State


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (100, 80)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate(["a.png", "b.png", "deep/c.png"]):
        picture(tmp_path / "smears" / name, seed)
    return tmp_path / "smears"


def run(path: Path, *options: Any) -> dict[str, Any]:
    out = io.StringIO()
    call_command("import_images", str(path), "--study", "S", *map(str, options), stdout=out, stderr=io.StringIO())
    lines = out.getvalue().splitlines()
    assert len(lines) == 1
    return json.loads(lines[0])


def counts(result: dict[str, Any]) -> tuple[int, int, int]:
    return result["images"], result["cells"], len(result["skipped"])


def via(path: Path, **images: list[dict[str, Any]]) -> Path:
    entries = {
        f"{name}.png-1": {"filename": f"{name}.png", "size": -1, "regions": regions, "file_attributes": {}}
        for name, regions in images.items()
    }
    path.write_text(json.dumps(entries))
    return path


def rect(x: int, kind: str = "cell") -> dict[str, Any]:
    return {
        "shape_attributes": {"name": "rect", "x": x, "y": 5, "width": 10, "height": 10},
        "region_attributes": {"kind": kind},
    }


def image(name: str) -> SmearImage:
    return SmearImage.objects.get(names__name=name)


def everything() -> list[Any]:
    return [
        list(SmearImage.objects.order_by("pk").values()),
        list(ImageName.objects.order_by("pk").values()),
        list(Cell.objects.order_by("pk").values()),
        list(CellLabel.objects.order_by("pk").values()),
        list(Patient.objects.order_by("pk").values()),
    ]


# --- files ---


def test_a_folder_is_taken_in_depth_and_name_order(folder: Path) -> None:
    picture(folder / ".hidden" / "x.png", 9)
    picture(folder / ".x.png", 9)
    (folder / "notes.jpg").write_text("hello")
    result = run(folder)
    assert counts(result) == (3, 0, 1)
    assert result["skipped"][0]["name"] == "notes.jpg"
    assert [image.name for image in SmearImage.objects.all()] == ["a.png", "b.png", "deep/c.png"]
    assert {image.state for image in SmearImage.objects.all()} == {State.NEW}
    assert sorted(SmearImage.objects.values_list("fold", flat=True)) == [0, 1, 2]


def test_limit_takes_the_first_good_images(folder: Path) -> None:
    (folder / "a.png").write_bytes(b"")
    assert counts(run(folder, "--limit", 1)) == (1, 0, 1)
    assert image("b.png")
    assert counts(run(folder, "--limit", 1)) == (0, 0, 1)


def test_links_do_not_lead_out(folder: Path, tmp_path: Path) -> None:
    outside = picture(tmp_path / "outside" / "secret.png", 7)
    os.symlink(outside, folder / "link.png")
    os.symlink(outside.parent, folder / "folder")
    os.symlink(folder / "a.png", folder / "again.png")
    os.symlink(folder / "nowhere", folder / "broken.png")
    os.mkfifo(folder / "pipe.png")
    result = run(folder)
    assert {skipped["name"] for skipped in result["skipped"]} == {"link.png", "folder", "broken.png", "pipe.png"}
    assert result["images"] == 3
    assert [name.name for name in image("a.png").names.all()] == ["a.png", "again.png"]


def test_the_same_pixels_are_one_image_with_both_names(study: Study, other_study: Study, folder: Path) -> None:
    first = take_file(study, folder / "a.png", "a.png")
    Image.open(folder / "a.png").save(folder / "a.bmp")
    with (folder / "a.bmp").open("rb") as stream:
        again = take_file(study, stream, "copy.bmp")
    assert (first.status, again.status) == ("stored", "duplicate")
    assert first.image == again.image
    assert [name.name for name in first.image.names.all()] == ["a.png", "copy.bmp"]
    assert take_file(other_study, folder / "a.png", "a.png").status == "stored"


def test_scale_by_option_metadata_study(study: Study, folder: Path) -> None:
    scaled = folder / "scaled.tif"
    Image.open(folder / "b.png").save(scaled, resolution_unit=3, resolution=40_000)
    sources = SmearImage.SizeSource
    unknown = take_file(study, folder / "a.png", "a.png").image
    assert (unknown.um_per_pixel, unknown.um_source) == (None, sources.UNKNOWN)
    known = take_file(study, scaled, "scaled.tif").image
    assert (known.um_per_pixel, known.um_source) == (0.25, sources.METADATA)
    study.um_per_pixel = 0.5
    study.save()
    default = take_file(study, folder / "deep" / "c.png", "c.png").image
    assert (default.um_per_pixel, default.um_source) == (0.5, sources.STUDY)
    told = take_file(study, scaled, "scaled.tif", um_per_pixel=0.1).image
    assert (told.pk, told.um_per_pixel, told.um_source) == (known.pk, 0.1, sources.OPTION)


def test_bad_arguments_stop_with_one_sentence(folder: Path, tmp_path: Path) -> None:
    for options in (
        [tmp_path / "absent"],
        [folder, "--um-per-pixel", "-1"],
        [folder, "--um-per-pixel", "nan"],
        [folder, "--limit", "0"],
        [folder, "--annotations", tmp_path / "absent"],
        [folder, "--patients", folder / "a.png"],
    ):
        with pytest.raises(CommandError):
            run(*options)
    assert not Study.objects.filter(name="S").exists()


def test_find_files_of_one_file(folder: Path) -> None:
    assert [file.name for file in find_files(folder / "deep" / "c.png")[0]] == ["c.png"]
    with pytest.raises(IntakeError, match="no file or folder"):
        find_files(folder / "absent")


# --- borders ---


def test_annotations(folder: Path, tmp_path: Path) -> None:
    source = via(tmp_path / "v.json", a=[rect(5), rect(20, "smudge"), rect(40, "red"), rect(500)], b=[], gone=[rect(1)])
    result = run(folder, "--annotations", source, "--classes", "cell", "--ignore", "smudge")
    assert counts(result) == (3, 1, 2)
    assert result["ignored"] == 1
    assert {skipped["name"] for skipped in result["skipped"]} == {"a.png", "gone.png"}
    cells = Cell.objects.filter(image=image("a.png")).order_by("x0")
    assert [(cell.x0, cell.x1, cell.ignored, cell.ignored_class) for cell in cells] == [
        (5, 15, False, ""),
        (20, 30, True, "smudge"),
    ]
    assert {(cell.status, cell.origin) for cell in cells} == {("confirmed", "imported")}
    assert image("a.png").state == State.ANNOTATED
    assert image("b.png").state == State.ANNOTATED, "named without cells: a negative"
    assert image("deep/c.png").state == State.NEW


def test_importing_twice_changes_nothing(folder: Path, tmp_path: Path) -> None:
    source = via(tmp_path / "v.json", a=[rect(5), rect(20, "Promyelocyte")], b=[])
    table = tmp_path / "p.csv"
    table.write_text("patient,image,diagnosis\nP1,a.png,APL\nP1,b.png,APL\nP2,c.png,healthy\n")
    options = ["--annotations", source, "--patients", table, "--um-per-pixel", "0.2"]
    assert counts(run(folder, *options)) == (3, 2, 0)
    before = everything()
    again = run(folder, *options)
    assert counts(again) == (0, 0, 0) and again["duplicates"] == 3
    assert everything() == before


def test_a_class_named_like_a_label_becomes_that_label(folder: Path, tmp_path: Path) -> None:
    run(folder, "--annotations", via(tmp_path / "v.json", a=[rect(5, "promyelocyte"), rect(20, "strange")]))
    label = CellLabel.objects.get()
    assert (label.label.name, label.annotator, label.cell.x0) == ("Promyelocyte", None, 5)


def test_an_image_of_which_nothing_could_be_read_is_no_negative(folder: Path, tmp_path: Path) -> None:
    result = run(folder, "--annotations", via(tmp_path / "v.json", a=[rect(500)]))
    assert counts(result) == (3, 0, 1)
    assert image("a.png").state == State.NEW


def test_what_people_made_is_never_overwritten(folder: Path, tmp_path: Path, django_user_model: Any) -> None:
    run(folder, "--annotations", via(tmp_path / "v.json", a=[rect(5)], b=[]))
    cell = Cell.objects.get()
    Operation.objects.create(id=cell.pk, image=cell.image, cell=cell, user=None, kind="reshape", based_on=1, version=2)
    SmearImage.objects.filter(pk=image("deep/c.png").pk).update(state=State.IN_PROGRESS)
    before = everything()
    later = via(tmp_path / "w.json", a=[rect(5), rect(30)], b=[rect(40)])
    (folder / "deep" / "c.png").rename(folder / "c.png")
    entries = json.loads(later.read_text()) | json.loads(via(tmp_path / "x.json", c=[rect(50)]).read_text())
    later.write_text(json.dumps(entries))
    result = run(folder, "--annotations", later)
    assert counts(result) == (0, 0, 3)
    assert "People have worked" in result["skipped"][0]["reason"]
    after = everything()
    assert [after[0], *after[2:]] == [before[0], *before[2:]]


def test_open_proposals_give_way_to_an_imported_truth(folder: Path, tmp_path: Path) -> None:
    run(folder)
    there = image("a.png")
    proposals = ProposalRun.objects.create(study=there.study, bundle="watershed/1", score_threshold=0.5)
    border = {"kind": "circle", "cx": 50.0, "cy": 50.0, "r": 9.0}
    fields = {"run": proposals, "score": 0.9, "proposed_border": border}
    proposal = Cell(image=there, status="proposed", origin="proposal", **fields)
    proposal.place(border, there)
    proposal.save()
    SmearImage.objects.filter(pk=there.pk).update(state=State.PROPOSED)
    assert counts(run(folder, "--annotations", via(tmp_path / "v.json", a=[rect(5)]))) == (0, 1, 0)
    assert [cell.origin for cell in Cell.objects.filter(image=there).shown()] == ["imported"]
    assert image("a.png").state == State.ANNOTATED


# --- patients ---


def test_patients_by_image_and_by_folder(tmp_path: Path) -> None:
    for index, name in enumerate(["P1/1.png", "P1/2.png", "P2/1.png", "loose.png"]):
        picture(tmp_path / "s" / name, index)
    table = tmp_path / "patients.csv"
    table.write_text("patient;diagnosis;age\nP1;APL;3\nP2;nonsense;4\nP3;APL;5\n;APL;6\n")
    result = run(tmp_path / "s", "--patients", table)
    assert {p.code: p.diagnosis for p in Patient.objects.all()} == {"P1": "apl", "P2": "unknown"}
    assert image("P1/2.png").patient == image("P1/1.png").patient
    assert image("loose.png").patient is None
    assert [skipped["name"] for skipped in result["skipped"]] == ["P2", "row 5", "P3"]


def test_a_later_table_adds_patients_but_moves_none(folder: Path, tmp_path: Path) -> None:
    run(folder)
    table = tmp_path / "p.csv"
    table.write_text("patient,image\nP1,a.png\nP1,b.png\n")
    run(folder, "--patients", table)
    folds = list(Patient.objects.values_list("code", "fold"))
    table.write_text("patient,image,diagnosis\nP2,a.png,APL\nP1,b.png,healthy\nP3,c.png,APL\nP3,c.png,healthy\n")
    result = run(folder, "--patients", table)
    assert image("a.png").patient is not None and image("a.png").patient.code == "P1"
    assert Patient.objects.get(code="P1").diagnosis == "healthy"
    assert [row for row in Patient.objects.values_list("code", "fold") if row in folds] == folds
    assert [skipped["name"] for skipped in result["skipped"]] == ["P3"]


def test_a_study_reads_its_own_diagnoses(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "p.csv"
    table.write_text("patient,image,diagnosis\nP1,a.png,CML\nP2,b.png,M3\n")
    (skipped,) = run(folder, "--patients", table)["skipped"]
    assert skipped["name"] == "P1" and skipped["reason"] == (
        "Row 2: Diagnosis 'CML' is not one of APL, non-APL AML, healthy donor, unknown: admins add diagnoses and "
        "spellings on the study's page of diagnoses. It counts as unknown."
    )
    study = Patient.objects.get(code="P1").study
    study.diagnosis_rows = study.diagnoses.added("Chronic myeloid leukaemia", "ph", ["CML"]).as_json()
    study.save()
    table.write_text("patient,image,diagnosis\nP1,a.png,c.m.l.\nP2,b.png,ph\n")
    (skipped,) = run(folder, "--patients", table)["skipped"]
    assert skipped == {"name": "P2", "reason": "The patient's diagnosis here is APL and stays so."}
    assert Patient.objects.get(code="P1").diagnosis_title == "Chronic myeloid leukaemia"


def test_cohorts_stand_in_the_table_and_stay(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "p.csv"
    table.write_text("patient,image,diagnosis,Site\nP1,a.png,APL,Berlin\nP1,b.png,APL,Dresden\n")
    assert [each["reason"] for each in run(folder, "--patients", table)["skipped"]] == [
        "Row 3: The cohort was Berlin before; that stands."
    ]
    assert Patient.objects.get(code="P1").cohort == "Berlin"
    table.write_text("patient,image,batch\nP1,a.png,7\n")
    result = run(folder, "--patients", table)
    assert result["skipped"] == [{"name": "P1", "reason": "The patient's cohort here is Berlin and stays so."}]


def test_one_file_of_a_patient_s_folder(tmp_path: Path) -> None:
    picture(tmp_path / "P1" / "x.png")
    table = tmp_path / "p.csv"
    table.write_text("patient,diagnosis\nP1,APL\n")
    run(tmp_path / "P1" / "x.png", "--patients", table)
    assert image("x.png").patient is not None


# --- real files ---


def test_blood_fields_as_yolo(shared_data: Path) -> None:
    train = shared_data / "blood-fields" / "train"
    options = ["--annotations", train / "labels", "--format", "yolo", "--classes", "WBC", "--limit", 4]
    result = run(train / "images", *options)
    assert result["images"] == 4 and result["cells"] >= 4 and result["skipped"] == []
    assert run(train / "images", *options)["cells"] == 0


def test_yolo_labels_beside_the_images(folder: Path) -> None:
    (folder / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (folder / "classes.txt").write_text("WBC\n")
    (folder / "b.txt").write_text("")
    assert counts(run(folder, "--annotations", folder)) == (3, 1, 0)
    assert image("b.png").state == State.ANNOTATED
    assert image("deep/c.png").state == State.NEW
