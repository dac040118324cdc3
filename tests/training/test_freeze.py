"""What a snapshot of a study holds, and what makes its hash."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from annotation.models import Cell, CellLabel, Label, Patient, ProposalRun, SmearImage, Study
from annotation.store import ImageStore
from tests.training.conftest import draw
from training.freeze import RoundRefused, freeze
from training.snapshot import read_snapshot

pytestmark = pytest.mark.django_db


def image_of(manifest: dict[str, Any], image: SmearImage) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in manifest["images"] if each["sha256"] == image.sha256)
    return found


def test_finished_images_are_in_it_and_no_others(study: Study, make_annotated: Any) -> None:
    annotated = make_annotated(study, 1)
    reviewed = make_annotated(study, 2, state="reviewed")
    for seed, state in enumerate(["new", "proposed", "in_progress"], start=3):
        make_annotated(study, seed, state=state)
    frozen = freeze(study)
    read = read_snapshot(frozen.folder)
    assert read.hash == frozen.hash == frozen.folder.name
    assert {image["sha256"] for image in read.images} == {annotated.sha256, reviewed.sha256}
    assert all(read.path(image).is_file() for image in read.images)


def test_confirmed_borders_are_in_it_ignored_ones_marked_proposals_and_deleted_ones_left_out(
    study: Study, make_annotated: Any
) -> None:
    image = make_annotated(study, 1, cells=0)
    cell = draw(image, 0, 0, origin=Cell.Origin.DRAWN)
    ignored = draw(image, 40, 0, ignored=True, ignored_class="smudge")
    draw(image, 80, 0, status=Cell.Status.DELETED)
    run = ProposalRun.objects.create(study=study, bundle="watershed/1", score_threshold=0.5)
    draw(
        image,
        0,
        50,
        status=Cell.Status.PROPOSED,
        origin=Cell.Origin.PROPOSAL,
        run=run,
        score=0.9,
        proposed_border={"kind": "circle"},
    )
    borders = image_of(freeze(study).manifest, image)["borders"]
    assert {border["id"]: border["ignored"] for border in borders} == {str(cell.pk): False, str(ignored.pk): True}
    assert next(b for b in borders if b["id"] == str(cell.pk))["bounds"] == [0, 0, 24, 24]


def test_an_annotated_image_without_cells_is_a_negative(study: Study, make_annotated: Any) -> None:
    make_annotated(study, 1)
    negative = make_annotated(study, 2, cells=0)
    frozen = freeze(study)
    assert image_of(frozen.manifest, negative)["borders"] == []
    assert frozen.counts["negatives"] == 1


def test_the_same_rows_give_the_same_hash_and_a_moved_border_another(study: Study, make_annotated: Any) -> None:
    image = make_annotated(study, 1)
    first = freeze(study).hash
    assert freeze(study).hash == first
    cell = image.cells.first()
    cell.place({**cell.border, "x": cell.border["x"] + 1}, image)
    cell.save()
    assert freeze(study).hash != first


def test_folds_stay_when_patients_are_added(study: Study, make_annotated: Any) -> None:
    for seed, patient in enumerate(["A", "B", "C"]):
        make_annotated(study, seed, patient=patient)
    before = {image["group"]: image["fold"] for image in freeze(study).manifest["images"]}
    for seed, patient in enumerate(["D", "A", "E"], start=10):
        make_annotated(study, seed, patient=patient)
    after = {image["group"]: image["fold"] for image in freeze(study).manifest["images"]}
    assert {group: after[group] for group in before} == before
    assert set(after) == {"p:A", "p:B", "p:C", "p:D", "p:E"}


def test_a_patients_images_share_the_patients_fold(study: Study, make_annotated: Any) -> None:
    patient = Patient.arrive(study, "A")
    for seed in range(3):
        make_annotated(study, seed, patient="A")
    assert {image["fold"] for image in freeze(study).manifest["images"]} == {patient.fold}


def test_labels_that_hold_are_in_it_by_name(study: Study, make_annotated: Any, annotator: Any, teammate: Any) -> None:
    cell = make_annotated(study, 1, cells=1).cells.get()
    blast, promyelocyte, auer = (Label.objects.get(name=n) for n in ("Myeloblast", "Promyelocyte", "Auer rod"))
    CellLabel.objects.create(cell=cell, label=blast, annotator=annotator)
    CellLabel.objects.create(cell=cell, label=promyelocyte, annotator=teammate)
    CellLabel.objects.create(cell=cell, label=auer, annotator=teammate)
    frozen = freeze(study)
    assert frozen.manifest["images"][0]["borders"][0]["labels"] == ["Auer rod", "Promyelocyte"]
    assert frozen.counts["labels"] == {"Auer rod": 1, "Promyelocyte": 1}
    assert {"group": "Cell type", "name": "Myeloblast"} in frozen.manifest["labels"]


def test_counts_say_what_is_in_it(study: Study, make_annotated: Any) -> None:
    image = make_annotated(study, 1, patient="A")
    draw(image, 90, 60, ignored=True)
    make_annotated(study, 2, cells=1)
    counts = freeze(study).counts
    assert (counts["images"], counts["cells"], counts["ignored"]) == (2, 3, 1)
    assert counts["patients"] == [{"code": "A", "diagnosis": "unknown", "slot": 0, "images": 1, "cells": 2}]
    assert counts["images_without_patient"] == 1
    assert sum(slot["cells"] for slot in counts["slots"].values()) == 3


def test_a_study_without_annotated_image_is_refused(study: Study, make_annotated: Any) -> None:
    make_annotated(study, 1, state="in_progress")
    with pytest.raises(RoundRefused, match="has no annotated image"):
        freeze(study)


def test_annotated_images_without_any_cell_are_refused(study: Study, make_annotated: Any) -> None:
    make_annotated(study, 1, cells=0)
    with pytest.raises(RoundRefused, match="hold no cell"):
        freeze(study)


def test_an_image_that_is_gone_from_the_store_is_named(study: Study, make_annotated: Any) -> None:
    image = make_annotated(study, 1)
    ImageStore(Path(settings.IMAGE_STORE)).pixels(image.sha256).unlink()
    with pytest.raises(RoundRefused, match="field-1.png are missing in the store"):
        freeze(study)


def test_freezing_costs_few_queries_whatever_the_size(
    study: Study, make_annotated: Any, django_assert_max_num_queries: Any
) -> None:
    for seed in range(5):
        make_annotated(study, seed, patient=f"P{seed}")
    with django_assert_max_num_queries(15):
        freeze(study)


def test_an_outline_is_what_a_person_drew_and_no_box_nor_an_ellipse_left_as_proposed(
    study: Study, make_annotated: Any
) -> None:
    image = make_annotated(study, 1, cells=0)
    run = ProposalRun.objects.create(study=study, bundle="watershed/1", score_threshold=0.5)
    ellipse = {"kind": "ellipse", "cx": 60, "cy": 60, "rx": 12, "ry": 10, "theta": 0.0}
    polygon = {"kind": "polygon", "points": [[80, 80], [100, 80], [90, 100]]}

    def cell(border: dict[str, Any], proposed: dict[str, Any] | None = None, **fields: Any) -> str:
        origin: dict[str, Any] = {"origin": Cell.Origin.DRAWN}
        if proposed:
            origin = {"origin": Cell.Origin.PROPOSAL, "run": run, "score": 0.9, "proposed_border": proposed}
        row = Cell(image=image, **origin, **fields)
        row.place(border, image)
        row.save()
        return str(row.pk)

    accepted = cell(polygon, polygon)
    expected = {
        accepted: True,
        cell({"kind": "rectangle", "x": 0, "y": 0, "width": 20, "height": 20}): False,
        cell(polygon): True,
        cell(ellipse): True,
        cell(ellipse, ellipse): False,
        cell(ellipse, {**ellipse, "rx": 20}): True,
        cell(polygon, ignored=True, ignored_class="smudge"): False,
    }

    def found() -> dict[str, bool]:
        borders = image_of(freeze(study).manifest, image)["borders"]
        return {border["id"]: border["outline"] for border in borders}

    assert found() == expected
    # Where people draw boxes, what they accept as it was proposed says nothing of edges.
    for x in (20, 40, 60):
        expected[cell({"kind": "rectangle", "x": x, "y": 0, "width": 9, "height": 9}, polygon)] = False
    assert found() == expected | {accepted: False}
