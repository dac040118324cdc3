"""A classifier's round as a record: what is frozen, what is refused, what comes of it."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotation.models import Cell, Label, LabelGroup, SmearImage, Study
from tests.labelled_cells import RED
from training.classifier_freeze import freeze_labelled
from training.classifier_target import Target, TargetError
from training.freeze import RoundRefused
from training.launching import launch_classifier
from training.models import Bundle, JobState, Kind, Round
from training.rounds import carry_out
from training.selection import Selection
from training.target_choice import find_target
from training.unchanged import RoundUnchanged

pytestmark = pytest.mark.django_db
PROMYELOCYTE = Target("Cell type", "Promyelocyte")


@pytest.fixture
def good_classifier(child: Any, ready_bundle: Any) -> Callable[[Round], list[str]]:
    """A command that leaves a valid bundle of the round's snapshot and target."""
    metrics = {
        "cells": 24,
        "patients": 6,
        "judged": ["Promyelocyte"],
        **{name: {"value": 0.9, "low": 0.8, "high": 1.0} for name in ("auroc", "auprc", "f1", "precision", "recall")},
        "classes": {},
    }

    def command(round_: Round) -> list[str]:
        card = {"kind": "classifier", "target": round_.target, "metrics": metrics, "settings": {"n": round_.number}}
        ready = ready_bundle(round_.snapshot, **card)
        made: list[str] = child(
            f"shutil.copytree({str(ready)!r}, OUT / 'bundle')\n"
            f"print({json.dumps({'bundle': 'x', 'seconds': 1.5, 'folds': [{'fold': 0, 'auroc': 0.9}]})!r})\n"
        )(round_)
        return made

    return command


def made(study: Study, command: Any, target: Target = PROMYELOCYTE, **more: Any) -> Round:
    round_ = launch_classifier(study, target, at_once=True, **more)
    carry_out(round_, command=command)
    return round_.reload()


def test_a_snapshot_holds_the_labelled_cells_with_their_groups(
    labelled_study: Study, make_field: Callable[..., list[Cell]], label_cell: Callable[..., None]
) -> None:
    # In progress, and one of its two cells without a label.
    cell = make_field(labelled_study, "P9", [RED, RED], state="in_progress", sample="extra")[0]
    label_cell(cell, "Promyelocyte")
    frozen = freeze_labelled(labelled_study, PROMYELOCYTE)
    manifest = frozen.manifest
    assert frozen.counts["labels"] == {"Myeloblast": 12, "Promyelocyte": 13}
    own = next(image for image in manifest["images"] if image["sha256"] == cell.image.sha256)
    assert own["sample"] == "extra" and own["patient"] == "P9"
    assert [border["choices"] for border in own["borders"]] == [{"Cell type": ["Promyelocyte"]}]
    assert {"group": "Cell type", "name": "Lymphocyte", "multiple": False, "retired": False} in manifest["labels"]
    assert manifest["typical_cell_px"] == pytest.approx(20, rel=0.06)


def test_selected_patients_alone_are_frozen(labelled_study: Study) -> None:
    frozen = freeze_labelled(labelled_study, PROMYELOCYTE, Selection(patients=("P1", "P2")))
    assert {image["patient"] for image in frozen.manifest["images"]} == {"P1", "P2"}
    SmearImage.objects.filter(patient__code="P3").update(state="reviewed")
    frozen = freeze_labelled(labelled_study, PROMYELOCYTE, Selection("reviewed"))
    assert {image["patient"] for image in frozen.manifest["images"]} == {"P3"}


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ({"label": "promyelocyte"}, PROMYELOCYTE),
        ({"label": "PROMYELOCYTES"}, PROMYELOCYTE),
        ({"group": "cell-type"}, Target("Cell type")),
        ({"group": "Cell_Type", "label": "myeloblast"}, Target("Cell type", "Myeloblast")),
    ],
)
def test_names_are_found_however_they_are_spelt(
    study: Study, cell_type: LabelGroup, named: dict[str, str], found: Target
) -> None:
    assert find_target(study, **named) == found


def test_a_name_that_is_none_or_two_is_said(study: Study, cell_type: LabelGroup) -> None:
    with pytest.raises(TargetError, match="has no label 'unicorn'"):
        find_target(study, label="unicorn")
    with pytest.raises(TargetError, match="has no group of labels 'shape'"):
        find_target(study, group="shape")
    with pytest.raises(TargetError, match="needs a label or a group"):
        find_target(study)
    other = LabelGroup.objects.create(study=study, name="Second look")
    Label.objects.create(group=other, name="Myeloblast")
    with pytest.raises(TargetError, match="in Cell type and Second look: name the group too"):
        find_target(study, label="myeloblast")
    Label.objects.filter(group=other).update(retired=True)
    assert find_target(study, label="myeloblast") == Target("Cell type", "Myeloblast")


def test_a_round_leaves_a_bundle_and_its_metrics_and_comes_into_use(
    labelled_study: Study, good_classifier: Any
) -> None:
    round_ = made(labelled_study, good_classifier)
    assert round_.state == JobState.SUCCEEDED, round_.log
    assert (round_.kind, round_.target) == (Kind.CLASSIFIER, {"group": "Cell type", "label": "Promyelocyte"})
    assert round_.metrics["auroc"]["value"] == 0.9 and round_.folds == [{"fold": 0, "auroc": 0.9}]
    bundle = Bundle.objects.get()
    assert bundle == round_.bundle and bundle.in_use and bundle.target == round_.target
    assert Bundle.used_by(labelled_study) is None, "it makes no proposals"


def test_each_target_has_a_bundle_in_use_and_a_way_back(labelled_study: Study, good_classifier: Any) -> None:
    first = made(labelled_study, good_classifier).bundle
    group = made(labelled_study, good_classifier, Target("Cell type")).bundle
    second = made(labelled_study, good_classifier, seed=1).bundle
    assert first and group and second
    in_use = {bundle.pk for bundle in Bundle.objects.filter(in_use=True)}
    assert in_use == {group.pk, second.pk}
    first.promote()
    assert {bundle.pk for bundle in Bundle.objects.filter(in_use=True)} == {group.pk, first.pk}


def test_a_bundle_that_tells_something_else_is_not_let_in(labelled_study: Study, child: Any, ready_bundle: Any) -> None:
    def command(round_: Round) -> list[str]:
        ready = ready_bundle(round_.snapshot, kind="classifier", target={"group": "Stain"})
        found: list[str] = child(f"shutil.copytree({str(ready)!r}, OUT / 'bundle')\nprint('{{}}')\n")(round_)
        return found

    round_ = made(labelled_study, command)
    assert round_.state == JobState.FAILED and "tells something else apart" in round_.reason


def test_nothing_new_is_said_and_trained_only_if_wanted(
    labelled_study: Study, good_classifier: Any, label_cell: Callable[..., None]
) -> None:
    first = made(labelled_study, good_classifier)
    with pytest.raises(RoundUnchanged, match=f"Data unchanged since round {first.number}:"):
        launch_classifier(labelled_study, PROMYELOCYTE)
    launch_classifier(labelled_study, PROMYELOCYTE, again=True, at_once=True).fail("")
    launch_classifier(labelled_study, PROMYELOCYTE, seed=1, at_once=True).fail("")
    label_of = Cell.objects.filter(image__study=labelled_study).first()
    assert label_of is not None
    label_of.labels.all().delete()
    label_cell(label_of, "Lymphocyte")
    assert launch_classifier(labelled_study, PROMYELOCYTE, at_once=True).number == 4


def test_a_detector_and_a_classifier_are_trained_side_by_side_but_no_two_classifiers(
    labelled_study: Study, no_broker: list[Any]
) -> None:
    Round.objects.create(study=labelled_study, number=1, state=JobState.QUEUED)
    launch_classifier(labelled_study, PROMYELOCYTE)
    with pytest.raises(RoundRefused, match="Round 2 of this study is queued already"):
        launch_classifier(labelled_study, Target("Cell type"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--label", "unicorn"], "has no label 'unicorn'"),
        (["--group", "shape"], "has no group of labels 'shape'"),
        ([], "needs a label or a group"),
        (["--label", "lymphocyte"], "No cell is labelled Lymphocyte yet"),
        (["--label", "promyelocyte", "--label", "myeloblast"], "one label from all others"),
        (["--label", "promyelocyte", "--patient", "P1", "--patient", "P2"], "come from 2 patients"),
        (["--label", "promyelocyte", "--set", "lr=1"], "There is no setting 'lr'"),
        (["--label", "promyelocyte", "--set", "folds=7"], "must be one of"),
        (["--label", "promyelocyte", "--set", "folds=10"], "needs 10"),
        (["--label", "promyelocyte", "--trials", "501"], "number of search trials must"),
        (["--label", "promyelocyte", "--images", "reviewed"], "has no labelled cell"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(
    labelled_study: Study, arguments: list[str], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence) as refused:
        call_command("train", "classifier", "--study", labelled_study.name, *arguments, stderr=io.StringIO())
    assert "\n" not in str(refused.value)
    assert not Round.objects.exists()


def test_one_class_and_no_label_are_said(study: Study, cell_type: LabelGroup, labelled_study: Study) -> None:
    Cell.objects.filter(labels__label__name="Myeloblast").delete()
    with pytest.raises(RoundRefused, match="All labelled cells are Promyelocyte"):
        launch_classifier(study, PROMYELOCYTE)
    Cell.objects.all().delete()
    with pytest.raises(RoundRefused, match="has no labelled cell to learn from"):
        launch_classifier(study, PROMYELOCYTE)


def test_a_detector_has_no_group(labelled_study: Study) -> None:
    with pytest.raises(CommandError, match="has no group of labels"):
        call_command("train", "detector", "--study", labelled_study.name, "--group", "x", stderr=io.StringIO())


def test_the_command_is_told_what_is_known_of_the_cells(labelled_study: Study, tmp_path: Path) -> None:
    from training.rounds import KNOWN, command_for, diagnosis_views

    round_ = launch_classifier(labelled_study, PROMYELOCYTE, at_once=True)
    command = command_for(round_)
    assert command[1:3] == ["-m", "training.run_classifier"]
    assert command[command.index("--label") + 1] == "Promyelocyte"
    at = command.index("--features") + 1
    assert command[at : at + 2] == [str(round_.folder / KNOWN), str(diagnosis_views(labelled_study.pk))]
    # Of the study, and no round: the next one looks at the same views.
    assert Path(command[command.index("--views") + 1]).parent == round_.folder.parent
