"""The search inside the training patients: what is tried and taken, that it can be gone on with, and whom it sees."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.training.diagnosed_patients import APL, patients
from training import diagnosis_readings, mil
from training.classifier_settings import ClassifierSettings
from training.crop_features import Stopped
from training.diagnosis_chain import teach_chains
from training.diagnosis_readings import read_patients
from training.diagnosis_search import PARTS, DiagnosisSearch, inner_lesson
from training.diagnosis_settings import DiagnosisSettings, EnsembleSettings, ImageSettings, MilSettings
from training.diagnosis_teachers import EnsembleTeacher, MilTeacher
from training.inner_search import ALL, TRIALS, Found, Scope, search, told, trials_of
from training.inner_space import check_inner_trials, space_of
from training.search_space import SearchError
from training.settings import SettingsError

Judge = Callable[[EnsembleSettings], float]


def few_units(settings: EnsembleSettings) -> float:
    """Best at 20 units and a penalty of 0.001; 8 and 0.01 are given."""
    return 0.9 - 0.01 * abs(settings.units - 20) - 0.05 * abs(np.log10(settings.penalty) + 3)


def searched(
    folder: Path, judge: Judge = few_units, trials: int = 12, seed: int = 0, **more: object
) -> dict[str, Found[EnsembleSettings]]:
    folder.mkdir(exist_ok=True)
    scopes = [Scope("0", 8, lambda: judge), Scope(ALL, 12, lambda: judge)]
    given: dict[str, object] = {"keep": folder / TRIALS, "identity": {"snapshot": "a"}, "seed": seed, **more}
    return search(EnsembleSettings(), scopes, trials, **given)  # type: ignore[arg-type]


def test_a_search_finds_better_settings_and_says_what_it_tried(tmp_path: Path) -> None:
    found = searched(tmp_path)
    best = found[ALL]
    assert best.given is not None and best.value > best.given + 0.05
    assert best.rows[0]["settings"] == {"units": 8, "penalty": 0.01, "images": 20, "cells": 30}
    assert best.settings.units == best.chosen["units"] != 8 and best.settings.folds == 3
    said = told(found)
    assert said["done"] == 24 and said["scopes"].keys() == {"0", ALL} and said["settings"] == best.chosen
    assert max(said["importance"], key=said["importance"].__getitem__) in ("units", "penalty")
    assert all("seconds" not in row for row in trials_of(found)) and len(trials_of(found)) == 24
    # Each search draws its own trials, and the same seed draws the same.
    assert found["0"].rows[3]["settings"] != best.rows[3]["settings"]
    assert trials_of(searched(tmp_path / "again")) == trials_of(found)
    assert trials_of(searched(tmp_path / "other", seed=1)) != trials_of(found)


def test_nothing_is_taken_that_did_no_better_than_what_was_given(tmp_path: Path) -> None:
    found = searched(tmp_path, lambda settings: 0.8)
    assert found[ALL].settings == EnsembleSettings() and found[ALL].chosen == {} and found[ALL].trial == 0


def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    asked: list[EnsembleSettings] = []

    def judge(settings: EnsembleSettings) -> float:
        asked.append(settings)
        return few_units(settings)

    with pytest.raises(Stopped):
        searched(tmp_path, judge, wanted=lambda: len(asked) < 5)
    assert len(asked) == 5
    found = searched(tmp_path, judge)
    assert len(asked) == 24 and trials_of(found) == trials_of(searched(tmp_path / "whole"))
    # What is kept is of this very search alone.
    searched(tmp_path, judge, identity={"snapshot": "b"})
    assert len(asked) == 48


def test_a_trial_that_cannot_be_judged_is_passed_over(tmp_path: Path) -> None:
    found = searched(tmp_path, lambda settings: float("nan") if settings.units > 4 else 0.7, trials=6)
    states = {row["state"] for row in found[ALL].rows}
    assert states == {"failed", "complete"} and found[ALL].given is None and found[ALL].settings.units <= 4
    with pytest.raises(SearchError, match="no trial could be judged"):
        searched(tmp_path / "none", lambda settings: float("nan"), trials=2)


def test_what_can_be_searched() -> None:
    assert [each.name for each in space_of(ClassifierSettings(views=0))] == ["penalty", "directions", "balance"]
    assert "views" in [each.name for each in space_of(ClassifierSettings(views=2))]
    check_inner_trials(5, MilSettings())
    with pytest.raises(SettingsError, match="from 0 to 500"):
        check_inner_trials(501, MilSettings())
    with pytest.raises(SettingsError, match="searches for no settings"):
        check_inner_trials(5, DiagnosisSettings())
    with pytest.raises(SettingsError, match="each trial would teach more networks than the round"):
        check_inner_trials(5, ImageSettings())
    with pytest.raises(SettingsError, match="as long as the round"):
        check_inner_trials(5, ClassifierSettings(learns="finetune"))


def test_whoever_judges_a_fold_takes_no_part_in_its_search() -> None:
    lesson, features = patients(18, 6)
    for fold in range(3):
        inner, rows = inner_lesson(lesson, fold, 0)
        outside = {number for number in range(18) if lesson.folds[number] != fold}
        assert set(inner.patient.tolist()) == outside == set(lesson.patient[rows].tolist())
        numbers, targets = inner.of(APL)
        assert set(numbers.tolist()) == outside
        # Each part holds both diagnoses.
        parts = inner.folds[numbers]
        assert {(part, target) for part, target in zip(parts.tolist(), targets.tolist(), strict=True)} == {
            (part, target) for part in range(PARTS) for target in (0, 1)
        }


def test_no_reader_of_a_search_was_taught_on_whom_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    lesson, features = patients(18, 6)
    read = read_patients(lesson, features, needs_labels=True)
    taught_on: list[set[str]] = []
    plain = diagnosis_readings.teach

    def watched(classes: object, table: object, names: np.ndarray, rows: np.ndarray, seed: int) -> object:
        taught_on.append(set(names[rows].tolist()))
        return plain(classes, table, names, rows, seed)  # type: ignore[arg-type]

    monkeypatch.setattr(diagnosis_readings, "teach", watched)
    run = DiagnosisSearch(read, lambda settings: EnsembleTeacher(settings, 0), needs_labels=True, seed=0)
    assert 0.9 < run.scopes[0].judge()(EnsembleSettings()) <= 1
    judges = {f"p:P{number}" for number in range(18) if lesson.folds[number] == 0}
    # Of each part, and of each two.
    assert len(taught_on) == 6 and all(taught and not taught & judges for taught in taught_on)


def test_chains_of_other_settings_come_to_one_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mil, "_STEPS", 5)
    lesson, features = patients(18, 6)
    read = read_patients(lesson, features, needs_labels=False)
    run = DiagnosisSearch(read, lambda settings: MilTeacher(settings, 0), needs_labels=False, seed=0)
    settings = {
        "0": MilSettings(views=0, networks=1, pooling="mean"),
        ALL: MilSettings(views=0, networks=1, control=0.0),
    }
    own = run.own({name: Found(name, 18, each, {}, 0, 0.9, 0.9, ()) for name, each in settings.items()})
    plain = MilTeacher(MilSettings(views=0, networks=1), 0)
    taught = teach_chains(lesson, features, plain, needs_labels=False, readings=read, own=own)
    step = taught.chains["0"].steps[APL.name]
    assert step.nets[0].pooling == "mean" and taught.chains["1"].control == 0.4  # type: ignore[attr-defined]
    assert taught.chains[ALL].control == 0.0
    curve = own["0"].curves[APL.name]
    unscaled = own["0"].teacher.teach(
        [read.taught(0)[n].controlled(0.4) for n in lesson.of(APL)[0] if lesson.folds[n] != 0],
        np.array([t for n, t in zip(*lesson.of(APL), strict=True) if lesson.folds[n] != 0]),
        2,
    )
    cells = read.judged(0, int(np.flatnonzero(lesson.folds == 0)[0])).controlled(0.4)
    expected = curve.temperature * unscaled.scores(cells) + np.array(curve.offset)
    np.testing.assert_allclose(step.scores(cells), expected, rtol=1e-4)
