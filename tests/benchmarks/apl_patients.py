"""APL told from other AML by patients' cells: repeated threefold cross-validation by patient, stratified by diagnosis.

Run: python -m tests.benchmarks.apl_patients [--features FILE.npy] [--views FILE.npy] [--lab FILE.npy] [--repeats 10]
The files keep the features between runs, as apl_cells does: of the cells, of the views that teach, and of the cells as
another lab would have stained them, another one for each patient. `other_lab` judges the held-out patients by these: no
such patient teaches, and no smear of another site is in the shared data. Everything is fitted inside the folds: cell
classifiers, main directions, networks, calibration. AUROC of each repeat is the mean of its three folds and, beside it,
that of all patients together; the interval draws patients anew. `batches` are two scanners, told apart by the height of
their pictures: taught on one, judged on the other. Bars: mean AUROC of the better of ensemble and MILLIE 0.95; learning
ensemble and MILLIE from stored features 20 s at 100 patients of 50 cells.
"""

import argparse
import csv
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.model_selection import StratifiedKFold

from annotation.diagnoses import USUAL
from annotation.label_names import readable
from annotation.label_roles import guessed_role
from tests.benchmarks.apl_cells import APL, crop_of, features_of, views_of
from tests.benchmarks.product import report
from training.cell_features import FeatureExtractor
from training.classification_metrics import auroc, binary_estimates
from training.crop_features import as_stored
from training.decisions import Decision
from training.diagnosis_chain import Taught, Teacher, chain_name, teach_chains
from training.diagnosis_lesson import CellClasses, DiagnosisLesson, LabelFacts
from training.diagnosis_readings import read_patients
from training.diagnosis_settings import EnsembleSettings, MilSettings
from training.diagnosis_teachers import EnsembleTeacher, MilTeacher
from training.stain_augmentation import recoloured

Features = NDArray[np.float32]

DECISION = Decision.among(("apl", "non_apl_aml"), USUAL)
TEACHERS: dict[str, Teacher] = {
    "mil": MilTeacher(MilSettings(), 0),
    "mil_without_views": MilTeacher(MilSettings(views=0), 0),
    "mil_without_control": MilTeacher(MilSettings(control=0.0), 0),
    "mil_mean_pooling": MilTeacher(MilSettings(pooling="mean", control=0.0), 0),
    "ensemble": EnsembleTeacher(EnsembleSettings(), 0),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--features", type=Path)
    parser.add_argument("--views", type=Path)
    parser.add_argument("--lab", type=Path)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--models", nargs="+", choices=list(TEACHERS), default=list(TEACHERS))
    options = parser.parse_args()
    cells = list(csv.DictReader((APL / "cells.csv").open()))
    features, _ = features_of(cells, options.features)
    looks = Looks(features, list(views_of(cells, options.views)), other_lab(cells, options.lab))
    lesson = lesson_of(cells)
    for name in options.models:
        report("apl_patients", model=name, **repeated(lesson, looks, TEACHERS[name], options.repeats))
        report("apl_patients_batches", model=name, **across_batches(lesson, looks, TEACHERS[name]))
    report("apl_patients_retraining", **retrained(lesson, looks))


@dataclass(frozen=True)
class Looks:
    """Features (n, C) of the same cells: as they are, in views that teach, and as another lab would show them."""

    own: Features
    views: list[Features]
    lab: Features


def other_lab(cells: list[dict[str, str]], file: Path | None) -> Features:
    """(n, C): all cells of a patient in one other stain, light and camera."""
    if file is not None and file.exists():
        return np.load(file).astype(np.float32)
    extractor, patients = FeatureExtractor(), sorted({cell["patient"] for cell in cells})
    table = np.stack(
        [
            as_stored(
                extractor.extract(
                    [recoloured(crop_of(cell), np.random.default_rng([9001, patients.index(cell["patient"])]))]
                )[0]
            )
            for cell in cells
        ]
    )
    if file is not None:
        np.save(file, table)
    return table.astype(np.float32)


def taught_on(lesson: DiagnosisLesson, looks: Looks, teacher: Teacher) -> Taught:
    shown = looks.views if isinstance(teacher, MilTeacher) and teacher.settings.views else []
    read = read_patients(lesson, looks.own, needs_labels=True, views=shown)
    return teach_chains(lesson, looks.own, teacher, needs_labels=True, readings=read)


def lesson_of(cells: list[dict[str, str]]) -> DiagnosisLesson:
    """All patients in fold 0; repeats deal them anew."""
    apl = {row["patient"]: row["diagnosis"] == "APL" for row in csv.DictReader((APL / "patients.csv").open())}
    names, patients = sorted({cell["cell_class"] for cell in cells}), sorted(apl)
    facts = {name: LabelFacts(str(guessed_role(readable(name))), True) for name in names}
    types = np.array([names.index(cell["cell_class"]) for cell in cells])
    return DiagnosisLesson(
        cells=(),
        patient=np.array([patients.index(cell["patient"]) for cell in cells]),
        counts=np.array([cell["sample"] == "random" for cell in cells]),
        patients=tuple(patients),
        diagnoses=tuple("apl" if apl[patient] else "non_apl_aml" for patient in patients),
        folds=np.zeros(len(patients), dtype=np.int64),
        images={},
        classes=CellClasses(tuple(names), facts, types, np.zeros(len(cells), dtype=np.int64)),
        decisions=(DECISION,),
        left_out={},
    )


def repeated(lesson: DiagnosisLesson, looks: Looks, teacher: Teacher, repeats: int) -> dict[str, Any]:
    _, targets = lesson.of(DECISION)
    by_fold, together, elsewhere = [], [], []
    mean = np.zeros(len(targets))
    for repeat in range(repeats):
        folds = np.zeros(len(targets), dtype=np.int64)
        dealt = StratifiedKFold(3, shuffle=True, random_state=repeat).split(targets, targets)
        for number, (_, judged) in enumerate(dealt):
            folds[judged] = number
        taught = taught_on(replace(lesson, folds=folds), looks, teacher)
        chances = taught.calibrations[DECISION.name].probabilities(taught.unseen[DECISION.name])[:, 0]
        mean += chances / repeats
        together.append(auroc(chances, targets == 0))
        for fold in range(3):
            judged = np.flatnonzero(folds == fold)
            by_fold.append(auroc(chances[judged], targets[judged] == 0))
            lab = [scored(lesson, looks.lab, taught, fold, patient) for patient in judged.tolist()]
            elsewhere.append(auroc(lab, targets[judged] == 0))
    estimate = binary_estimates(mean, targets == 0, list(lesson.patients))
    return {
        "repeats": repeats,
        "auroc": round(float(np.mean(by_fold)), 4),
        "deviation_of_folds": round(float(np.std(by_fold)), 4),
        "auroc_together": round(float(np.mean(together)), 4),
        "auroc_of_mean": estimate["auroc"].as_dict(),
        "auprc_of_mean": estimate["auprc"].as_dict(),
        "other_lab": round(float(np.mean(elsewhere)), 4),
    }


def scored(lesson: DiagnosisLesson, features: Features, taught: Taught, fold: int, patient: int) -> float:
    """Of a patient by the chain without the fold: how much rather the first diagnosis."""
    chain = taught.chains[chain_name(fold)]
    own = chain.cells(features[lesson.counts & (lesson.patient == patient)])
    first, second = chain.steps[DECISION.name].scores(own)
    return float(first - second)


def across_batches(lesson: DiagnosisLesson, looks: Looks, teacher: Teacher) -> dict[str, Any]:
    """Taught on the patients of one scanner, in three folds of their own for the cell classifiers, and judged on those
    of the other."""
    cells = list(csv.DictReader((APL / "cells.csv").open()))
    file_of = {cell["patient"]: cell["file"] for cell in cells}
    heights = np.array([Image.open(APL / "cells" / file_of[patient]).height for patient in lesson.patients])
    _, targets = lesson.of(DECISION)
    found: dict[str, Any] = {}
    for height in np.unique(heights):
        judged = heights == height
        rows = ~judged[lesson.patient]
        folds = np.full(len(targets), 3)
        dealt = StratifiedKFold(2, shuffle=True, random_state=0)
        for number, (_, part) in enumerate(dealt.split(targets[~judged], targets[~judged])):
            folds[np.flatnonzero(~judged)[part]] = number
        # The judged scanner is a fold of its own: the chain without it has seen none of it.
        folds[judged] = 2
        taught = taught_on(replace(lesson, folds=folds), looks, teacher)
        scores = taught.unseen[DECISION.name][judged]
        found[f"on_{height}"] = {
            "patients": int(judged.sum()),
            "apl": int((targets[judged] == 0).sum()),
            "taught_on_cells": int(rows.sum()),
            "auroc": round(auroc(scores[:, 0] - scores[:, 1], targets[judged] == 0), 4),
        }
    return found


def retrained(lesson: DiagnosisLesson, looks: Looks) -> dict[str, float]:
    """Seconds by the clock and of the processor for both models at 100 patients of 50 cells: these, drawn anew; cell
    classifiers are taught once for both, as two rounds of a study do that follow each other."""
    chance = np.random.default_rng(0)
    patients = np.concatenate([np.arange(len(lesson.patients)), np.arange(100 - len(lesson.patients))])
    rows = np.concatenate([chance.choice(np.flatnonzero(lesson.patient == each), 50) for each in patients])
    assert lesson.classes is not None
    larger = replace(
        lesson,
        patient=np.repeat(np.arange(100), 50),
        counts=np.ones(5000, dtype=bool),
        patients=tuple(f"P{number}" for number in range(100)),
        diagnoses=tuple(lesson.diagnoses[each] for each in patients),
        folds=np.arange(100) % 3,
        classes=replace(lesson.classes, targets=lesson.classes.targets[rows], auer=lesson.classes.auer[rows]),
    )
    begun, busy = time.monotonic(), time.process_time()
    read = read_patients(larger, looks.own[rows], needs_labels=True, views=[view[rows] for view in looks.views])
    for name in ("mil", "ensemble"):
        teach_chains(larger, read.features, TEACHERS[name], needs_labels=True, readings=read)
    return {
        "retrain_seconds": round(time.monotonic() - begun, 1),
        "retrain_cpu_seconds": round(time.process_time() - busy, 1),
    }


if __name__ == "__main__":
    main()
