"""What bundles suspect of patients: from their cells' features to probabilities, ratios and the cells that speak for
it."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
from django.db.models import QuerySet
from numpy.typing import NDArray

from annotation.models import Cell, Diagnosis, Patient, SmearImage, Study
from inference.cell_feature_jobs import Extractor, compute, default_extractor
from inference.models import vectors_of
from training.bundle import BundleError
from training.decisions import NAMES
from training.models import Bundle, Kind

Features = NDArray[np.float32]

# Cells that speak most for what is suspected, and are named.
SPEAKING = 10
NO_CELL = "The patient has no cell that was seen: detect or draw cells first."
NOT_VIABLE = "The patient has no viable nucleated cell: there is nothing to diagnose by."


class DiagnosisProblem(Exception):
    """Patients cannot be diagnosed; the message says why in one sentence."""


@dataclass(frozen=True)
class Said:
    """What one bundle says of one decision. probabilities: by diagnosis; probability: of the first. chain: the fold
    that the patient belongs to where the bundle was taught on the patient, else "all"."""

    decision: str
    kind: str
    bundle: str
    probability: float
    probabilities: Mapping[str, float]
    suspected: str
    threshold: float
    chain: str

    def as_json(self) -> dict[str, Any]:
        return {
            "decision": self.decision,
            "model": self.kind,
            "bundle": self.bundle,
            "probability": round(self.probability, 6),
            "probabilities": {name: round(each, 6) for name, each in self.probabilities.items()},
            "suspected": self.suspected,
            "threshold": round(self.threshold, 4),
            "chain": self.chain,
        }


@dataclass
class Diagnosed:
    """One patient, or images diagnosed together. said: none where a sentence stands in `reason`. ratios, left_out,
    counts: as the first bundle's cell classifiers see the cells. speaking: (cell, score) of those that alone would
    speak most for the first diagnosis, by MILLIE."""

    patient: str
    cells: int = 0
    images: int = 0
    said: list[Said] = field(default_factory=list)
    reason: str = ""
    ratios: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)
    speaking: list[tuple[Any, float]] = field(default_factory=list)

    @property
    def diagnosis(self) -> str | None:
        """What the first bundle suspects in its first decision."""
        return self.said[0].suspected if self.said else None

    def as_json(self) -> dict[str, Any]:
        return {
            "patient": self.patient,
            "diagnosis": self.diagnosis,
            "reason": self.reason or None,
            "probabilities": [each.as_json() for each in self.said],
            "ratios": self.ratios,
            "ratios_left_out": self.left_out,
            "counts": {"images": self.images, "cells": self.cells, "types": self.counts},
            "speaking": [{"cell": str(cell), "score": round(score, 4)} for cell, score in self.speaking],
        }


class Models:
    """Bundles that diagnose, loaded: all by one backbone."""

    def __init__(self, bundles: Sequence[Bundle]) -> None:
        """Raises DiagnosisProblem for files that are gone or damaged, and for bundles of several backbones."""
        # Imported here: the web process never loads what these are made of.
        from training.diagnosis_bundle import DiagnosisModel

        try:
            self.loaded = [(bundle, DiagnosisModel.load(bundle.folder)) for bundle in bundles]
        except BundleError as problem:
            raise DiagnosisProblem(str(problem)) from problem
        backbones = {model.backbone for _, model in self.loaded}
        if len(backbones) > 1:
            raise DiagnosisProblem(
                f"The bundles see cells by different backbones, {' and '.join(sorted(backbones))}: ask for one after "
                "the other."
            )
        self.backbone = backbones.pop()

    def eye(self, extractor: Callable[[str], Extractor] = default_extractor) -> Extractor:
        """Raises DiagnosisProblem where cells cannot be seen here as the bundles want them."""
        eye = extractor(self.backbone.partition("/")[0])
        if eye.name != self.backbone:
            raise DiagnosisProblem(f"The bundles want features of {self.backbone}; {eye.name} is what sees cells here.")
        return eye

    def diagnose(self, patient: str, features: Features, images: set[str], cells: Sequence[Any] = ()) -> Diagnosed:
        """One patient, of the features (n, C) of its cells and the sha256 of its images; `cells` (n,) name them."""
        from training.diagnosis_teachers import MilStep
        from training.ratios import LEAST_CELLS, ratios_of

        found = Diagnosed(patient, cells=len(features), images=len(images))
        if not len(features):
            found.reason = NO_CELL
            return found
        for bundle, model in self.loaded:
            name, chain = model.chain_for(images)
            seen = chain.cells(features)
            if seen.reading is not None:
                if float(seen.reading.viable.sum()) < LEAST_CELLS:
                    return Diagnosed(patient, len(features), len(images), reason=NOT_VIABLE)
                if not found.counts:
                    ratios, found.left_out = ratios_of(seen.reading)
                    found.ratios = {role: ratio.as_dict() for role, ratio in ratios.items()}
                    taken = np.bincount(seen.reading.types.argmax(axis=1), minlength=len(seen.reading.names))
                    found.counts = dict(zip(seen.reading.names, taken.tolist(), strict=True))
            for decision in model.decisions:
                step = chain.steps[decision.name]
                chances = model.calibrations[decision.name].probabilities(step.scores(seen)[None])[0]
                threshold = model.threshold(decision)
                place = 0 if chances[0] >= threshold else 1 + int(chances[1:].argmax())
                found.said.append(
                    Said(
                        decision.name,
                        bundle.kind,
                        bundle.pk,
                        float(chances[0]),
                        dict(zip(decision.classes, chances.tolist(), strict=True)),
                        NAMES[decision.classes[place]],
                        threshold,
                        name,
                    )
                )
                if isinstance(step, MilStep) and not found.speaking and len(cells):
                    alone = step.alone(seen)
                    score = alone[:, 0] - alone[:, 1:].max(axis=1)
                    order = np.argsort(-score)[:SPEAKING]
                    found.speaking = [(cells[row], float(score[row])) for row in order.tolist()]
        return found


def chosen_models(study: Study | None, bundle_ids: Sequence[str]) -> list[Bundle]:
    """The bundles named, of whatever study, else those in use in the study. Raises DiagnosisProblem."""
    kinds = [kind for kind in Kind if kind.diagnoses]
    if not bundle_ids:
        found = list(Bundle.objects.filter(study=study, kind__in=kinds, in_use=True).order_by("kind"))
        if not found:
            where = f"The study {study.name} has" if study else "There is"
            raise DiagnosisProblem(f"{where} no bundle that diagnoses: train an ensemble or MILLIE, or name a bundle.")
        return found
    by_id = Bundle.objects.in_bulk(bundle_ids)
    for each in bundle_ids:
        if each not in by_id:
            raise DiagnosisProblem(f"There is no bundle {each!r}.")
        if not Kind(by_id[each].kind).diagnoses:
            raise DiagnosisProblem(f"The bundle {each} is a {by_id[each].kind}, which diagnoses nobody.")
    return [by_id[each] for each in dict.fromkeys(bundle_ids)]


def cells_of(patients: Iterable[Patient] | QuerySet[Patient]) -> QuerySet[Cell]:
    """The cells that enter a diagnosis: as people see them, without those that were picked for their kind."""
    return cells_in(SmearImage.objects.filter(patient__in=patients).representative())


def cells_in(images: Iterable[SmearImage] | QuerySet[SmearImage]) -> QuerySet[Cell]:
    """The cells of images that a diagnosis looks at."""
    return Cell.objects.filter(image__in=images, ignored=False).shown().exclude(border__kind="point")


@dataclass(frozen=True)
class Pass:
    """What was said of patients, seconds by stage, and the sha256 of images that are gone from the store."""

    diagnosed: list[Diagnosed]
    seconds: Mapping[str, float]
    missing: tuple[str, ...]


def diagnose_patients(
    study: Study,
    patients: Sequence[Patient],
    bundles: Sequence[Bundle],
    progress: Callable[[int, int], bool] | None = None,
    extractor: Callable[[str], Extractor] = default_extractor,
) -> Pass:
    """Patients of a study, whether or not anybody labelled a cell or knows a diagnosis there. Features that are missing
    are computed first and stored. Raises DiagnosisProblem."""
    clock = _Clock()
    models = Models(bundles)
    eye = models.eye(extractor)
    clock.stage("loading")
    cells = cells_of(patients)
    made = compute(study, eye, progress, cells)
    ids, features = vectors_of(cells, eye.name)
    clock.stage("features")
    rows: dict[int, list[int]] = defaultdict(list)
    images: dict[int, set[str]] = defaultdict(set)
    owner: dict[UUID, tuple[int, str]] = {
        cell: (patient, sha256)
        for cell, patient, sha256 in cells.order_by().values_list("pk", "image__patient_id", "image__sha256")
        if patient is not None
    }
    for row, cell in enumerate(ids):
        patient, sha256 = owner[cell]
        rows[patient].append(row)
        images[patient].add(sha256)
    found = []
    for each in patients:
        own = rows[each.pk]
        named = [ids[row] for row in own]
        found.append(models.diagnose(each.code, features[own], images[each.pk], named))
    clock.stage("diagnosis")
    return Pass(found, clock.seconds, made.missing)


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def stage(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = round(now - self._last, 3)
        self._last = now


def known_diagnoses(study: Study) -> dict[str, str]:
    """By code the diagnosis of the patients of whom one is known."""
    known = Patient.objects.filter(study=study).exclude(diagnosis=Diagnosis.UNKNOWN)
    return dict(known.values_list("code", "diagnosis"))
