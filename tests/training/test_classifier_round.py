"""A classifier's round from a snapshot to its bundle: it learns what can be seen, and says so where nothing can."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.training.coloured_cells import MeanColour, coloured_cells
from training import classifier_teaching, crop_features, run_classifier
from training.bundle import read_bundle
from training.classifier_bundle import Classifier
from training.classifier_folds import FoldsError
from training.classifier_judging import decided
from training.classifier_lesson import HeadLesson, lesson_of
from training.classifier_round import carry_out
from training.classifier_settings import ClassifierSettings
from training.classifier_target import Target
from training.crop_features import NAME, Stopped, read_features, write_features
from training.snapshot import Snapshot

QUICK = ClassifierSettings(draws=100, views=0)
PROMYELOCYTE = Target("Cell type", "Promyelocyte")


def trained(snapshot: Snapshot, target: Target, out: Path, **more: Any) -> dict[str, Any]:
    out.mkdir(exist_ok=True)
    settings = more.pop("settings", QUICK)
    carry_out(snapshot, target, settings, 0, more.pop("extractor", MeanColour()), out, **more)
    return read_bundle(out / "bundle", "classifier").card


def test_cells_that_look_different_are_told_apart(tmp_path: Path) -> None:
    card = trained(coloured_cells(tmp_path), PROMYELOCYTE, tmp_path / "out")
    metrics = card["metrics"]
    assert metrics["auroc"]["value"] > 0.9 and metrics["f1"]["value"] > 0.8
    assert metrics["auroc"]["low"] <= metrics["auroc"]["value"] <= metrics["auroc"]["high"]
    assert (metrics["cells"], metrics["patients"]) == (108, 9)
    assert card["target"] == {"group": "Cell type", "label": "Promyelocyte"} and card["classes"] == ["Promyelocyte"]
    head = card["judged"][0]["classes"][0]
    assert [fold["fold"] for fold in head["folds"]] == [0, 1, 2]
    assert sum(fold["cells"] for fold in head["folds"]) == 108
    assert [curve["fold"] for curve in head["curves"]] == [None, 0, 1, 2]
    assert head["curves"][0]["roc"][0] == [0, 0] and head["curves"][0]["roc"][-1] == [1, 1]
    assert head["bands"]["folds"] == 3 and head["bands"]["roc"]["low"][-1] == 1
    assert len(head["by_patient"]) == 9 and head["reliability"]["bins"]
    assert np.sum(card["judged"][0]["confusion"]["cells"]) == 108


def test_random_labels_teach_nothing(tmp_path: Path) -> None:
    snapshot = coloured_cells(tmp_path, patients=15, shuffled=True)
    found = trained(snapshot, PROMYELOCYTE, tmp_path / "out")["metrics"]["auroc"]
    assert 0.35 < found["value"] < 0.65
    assert found["low"] < 0.5 < found["high"]


def test_the_labels_of_a_group_are_told_apart_together(tmp_path: Path) -> None:
    snapshot = coloured_cells(tmp_path, classes=("Promyelocyte", "Myeloblast", "Lymphocyte"))
    card = trained(snapshot, Target("Cell type"), tmp_path / "out")
    assert card["metrics"]["f1"]["value"] > 0.9
    assert card["metrics"]["classes"].keys() == {"Promyelocyte", "Myeloblast", "Lymphocyte"}
    classifier = Classifier.load(tmp_path / "out" / "bundle")
    red_and_green = np.array([[170, 60, 80], [60, 150, 90]], dtype=np.float32) / 255
    found = classifier.probabilities(red_and_green)
    assert (found["Promyelocyte"][0] > 0.8) and (found["Lymphocyte"][1] > 0.8)
    assert sum(found.values()) == pytest.approx([1, 1], abs=1e-5)


def test_where_a_cell_may_have_many_labels_each_has_a_head(tmp_path: Path) -> None:
    snapshot = coloured_cells(tmp_path, labels=[{"Characteristics": ["Auer rod"]}, {}] * 6)
    card = trained(snapshot, Target("Characteristics"), tmp_path / "out")
    assert card["classes"] == ["Auer rod"] and card["metrics"]["auroc"]["value"] > 0.9
    assert Classifier.load(tmp_path / "out" / "bundle").group == "Characteristics"


def test_a_rare_class_is_not_learned_but_judges_all_the_same(tmp_path: Path) -> None:
    snapshot = coloured_cells(tmp_path)
    # Two patients have one lymphocyte each: three folds would need three.
    for image in snapshot.images[:2]:
        image["borders"][0]["choices"] = {"Cell type": ["Lymphocyte"]}
    card = trained(snapshot, Target("Cell type"), tmp_path / "out")
    assert card["left_out"] == {"Lymphocyte": "Fewer than 3 patients have it."}
    assert set(card["classes"]) == {"Promyelocyte", "Myeloblast"}
    assert card["judged"][0]["confusion"]["names"][-1] == "Lymphocyte"
    assert sum(card["judged"][0]["confusion"]["cells"][-1]) == 2


def test_retired_labels_and_other_groups_are_nobodys_others(tmp_path: Path) -> None:
    snapshot = coloured_cells(tmp_path, classes=("Promyelocyte", "Myeloblast", "Lymphocyte"))
    labels = [{**label, "retired": label["name"] == "Lymphocyte"} for label in snapshot.manifest["labels"]]
    manifest = {**snapshot.manifest, "labels": labels}
    manifest["images"][0]["borders"][0]["choices"] = {"Characteristics": ["Auer rod"]}
    lesson = lesson_of(manifest, PROMYELOCYTE, 3)
    assert len(lesson.cells) == 9 * 8 - 1
    assert {name for cell in lesson.cells for name in cell.labels["Cell type"]} == {"Promyelocyte", "Myeloblast"}


def test_folds_never_share_a_patient_nor_does_what_is_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = coloured_cells(tmp_path)
    lesson = lesson_of(snapshot.manifest, PROMYELOCYTE, 3)
    fold_of = {}
    for row, fold in zip(lesson.heads[0].rows, lesson.heads[0].folds, strict=True):
        assert fold_of.setdefault(lesson.cells[row].patient, fold) == fold
    learned_from: list[set[str]] = []
    fitted = classifier_teaching.fit_head

    def watched(features: Any, targets: Any, weights: Any, groups: Any, **more: Any) -> Any:
        learned_from.append(set(groups))
        return fitted(features, targets, weights, groups, **more)

    monkeypatch.setattr(classifier_teaching, "fit_head", watched)
    trained(snapshot, PROMYELOCYTE, tmp_path / "out")
    everybody = set(fold_of)
    for fold, seen in zip((0, 1, 2), learned_from, strict=False):
        assert seen == {patient for patient in everybody if fold_of[patient] != fold}
    assert learned_from[3:] == [everybody]


def test_a_rare_class_is_decided_for_where_it_is_nearly_as_likely() -> None:
    # Nine common cells and one rare one a fold teach: 3 to 1, by the root.
    targets = np.array(([0] * 9 + [1]) * 2)
    lesson = HeadLesson("Cell type", ("Common", "Rare"), (), np.arange(20), targets, np.repeat([0, 1], 10))
    chance = np.tile([0.7, 0.3], (20, 1))
    chance[3] = [0.8, 0.2]
    found = decided(lesson, chance)
    assert found[3] == 0 and found.sum() == 19


class PatientMark(MeanColour):
    """Sees of a crop nothing but whose it is: the ground of each patient's field has a colour of its own."""

    name = "patient-mark"

    def extract(self, crops: Sequence[Image.Image]) -> Any:
        return np.eye(9, dtype=np.float32)[[np.asarray(crop)[0, 0, 2] - 200 for crop in crops]]


def test_a_patient_s_mark_tells_nothing_also_through_views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crop_features, "view", lambda crop, rng: crop)
    snapshot = coloured_cells(tmp_path, each=4)
    for image in snapshot.images:
        for border in image["borders"]:
            border["choices"] = {"Cell type": ["Promyelocyte" if image["fold"] % 2 else "Myeloblast"]}
    learned_from: list[list[str]] = []
    fitted = classifier_teaching.fit_head

    def watched(features: Any, targets: Any, weights: Any, groups: Any, **more: Any) -> Any:
        # A mark, one patient: views are those of their own cells.
        assert {(mark, group) for mark, group in zip(features.argmax(axis=1), groups, strict=True)} == {
            (int(group.removeprefix("p:P")), group) for group in groups
        }
        learned_from.append(sorted(groups))
        return fitted(features, targets, weights, groups, **more)

    monkeypatch.setattr(classifier_teaching, "fit_head", watched)
    settings = ClassifierSettings(draws=100, views=2)
    card = trained(snapshot, PROMYELOCYTE, tmp_path / "out", settings=settings, extractor=PatientMark())
    assert card["metrics"]["auroc"]["value"] < 0.6
    for fold in (0, 1, 2):
        own = [f"p:P{number}" for number in range(9) if number % 3 != fold]
        assert learned_from[fold] == sorted(own * 4 * 3)


def test_views_are_seen_once_and_heads_learn_from_them(tmp_path: Path) -> None:
    snapshot, eye = coloured_cells(tmp_path, patients=6, each=4), MeanColour()
    settings, views = ClassifierSettings(draws=100, views=1), tmp_path / "views.npz"
    write_features(views, eye.name, {"0" * 64: np.ones(3, dtype=np.float16)})
    first = trained(snapshot, PROMYELOCYTE, tmp_path / "first", settings=settings, extractor=eye, views=views)
    assert eye.seen == 2 * 24 and len(read_features(views, eye.name)) == 24
    known = tmp_path / "first" / NAME
    again = {"settings": settings, "extractor": eye, "views": views, "known": [known]}
    assert trained(snapshot, PROMYELOCYTE, tmp_path / "second", **again) == first and eye.seen == 2 * 24
    # What lies about is only views: cells as they are are stored elsewhere.
    assert not read_features(known, eye.name).keys() & read_features(views, eye.name).keys()
    without = trained(snapshot, PROMYELOCYTE, tmp_path / "third", known=[known], extractor=eye)
    assert without["hash"] != first["hash"]
    # Views that rounds of another kind have seen are as good.
    again |= {"views": tmp_path / "none.npz", "known": [known, views]}
    assert trained(snapshot, PROMYELOCYTE, tmp_path / "fourth", **again) == first and eye.seen == 2 * 24


def test_cells_that_were_picked_learn_and_are_in_no_share(tmp_path: Path) -> None:
    snapshot = coloured_cells(tmp_path)
    snapshot.images[0]["sample"] = "extra"
    card = trained(snapshot, PROMYELOCYTE, tmp_path / "out")
    found = card["judged"][0]["classes"][0]
    assert card["metrics"]["patients"] == 9 and len(found["by_patient"]) == 8
    assert found["representative"]["auroc"]["value"] > 0.9


@pytest.mark.parametrize(
    ("made", "target", "sentence"),
    [
        ({"classes": ("Myeloblast",)}, Target("Cell type"), "All labelled cells are Myeloblast"),
        ({"classes": ("Myeloblast",)}, PROMYELOCYTE, "No cell is labelled Promyelocyte yet"),
        ({"classes": ("Promyelocyte",)}, PROMYELOCYTE, "All labelled cells are Promyelocyte"),
        ({"patients": 2}, PROMYELOCYTE, "come from 2 patients"),
        ({"patients": 2}, Target("Cell type"), "2 patients"),
        ({}, Target("Characteristics"), "No cell is labelled Auer rod yet"),
        ({}, Target("Stain"), "No cell has a label of Stain yet"),
        ({}, Target("Cell type", "Basophil"), "has no label Basophil"),
    ],
)
def test_what_cannot_be_judged_is_said_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], made: dict[str, Any], target: Target, sentence: str
) -> None:
    snapshot = coloured_cells(tmp_path, **made)
    with pytest.raises(FoldsError, match=sentence) as refused:
        lesson_of(snapshot.manifest, target, 3)
    assert "\n" not in str(refused.value)
    arguments = [str(snapshot.folder), str(tmp_path / "out"), "--group", target.group]
    arguments += ["--label", target.label] if target.label else []
    assert run_classifier.main(arguments, extractor=lambda settings: MeanColour()) == 1
    assert capsys.readouterr().err.strip() == str(refused.value)


def test_the_same_gives_the_same_bytes_whoever_computed_the_features(tmp_path: Path) -> None:
    snapshot = coloured_cells(tmp_path, patients=6, each=8)
    first = trained(snapshot, PROMYELOCYTE, tmp_path / "first")
    known = tmp_path / "first" / NAME
    eye = MeanColour()
    second = trained(snapshot, PROMYELOCYTE, tmp_path / "second", known=[known], extractor=eye)
    assert first == second and eye.seen == 0


def test_the_command_is_done_once_and_goes_on_after_a_kill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    snapshot, out, eye = coloured_cells(tmp_path, patients=6, each=8), tmp_path / "out", MeanColour()
    arguments = [str(snapshot.folder), str(out), "--group", "Cell type", "--label", "Promyelocyte", "--set"]
    arguments += ["draws=100", "--set", "views=0"]
    assert run_classifier.main(arguments, extractor=lambda settings: eye) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["bundle"] == read_bundle(out / "bundle").id and len(said["folds"]) == 3
    assert run_classifier.main(arguments, extractor=lambda settings: eye) == 0
    assert json.loads(capsys.readouterr().out) == said
    # Killed between the bundle and the note that it is done.
    (out / "result.json").unlink()
    assert run_classifier.main(arguments, extractor=lambda settings: eye) == 0
    assert json.loads(capsys.readouterr().out)["bundle"] == said["bundle"] and eye.seen == 48


def test_an_end_that_was_asked_for_keeps_the_features(tmp_path: Path) -> None:
    snapshot, eye = coloured_cells(tmp_path), MeanColour()
    (tmp_path / "out").mkdir()
    with pytest.raises(Stopped):
        carry_out(snapshot, PROMYELOCYTE, QUICK, 0, eye, tmp_path / "out", wanted=lambda: eye.seen < 64)
    assert len(read_features(tmp_path / "out" / NAME, eye.name)) == 64
    trained(snapshot, PROMYELOCYTE, tmp_path / "out", extractor=eye)
    assert eye.seen == 108


def test_a_file_of_features_that_is_none_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / NAME
    assert read_features(path, "x") == {}
    path.write_bytes(b"PK\x03\x04 half a file")
    assert read_features(path, "x") == {}
    write_features(path, "x", {"a" * 64: np.ones(3, dtype=np.float16)})
    assert read_features(path, "y") == {} and list(read_features(path, "x")) == ["a" * 64]
