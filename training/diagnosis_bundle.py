"""The bundle of a model that diagnoses: the chains of each fold and of all patients, and a card that says what they
decide, how they were judged, and which chain had not seen which image."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from annotation.crop import CROP, FIELD_CELLS, FIELD_UM, MARGIN
from training.bundle import BundleError, BundleFiles, read_bundle, write_bundle
from training.cell_reader import CellReader
from training.classifier_bundle import versions
from training.decisions import Decision
from training.diagnosis_chain import ALL, Chain, Taught
from training.diagnosis_judging import Calibration, threshold_of
from training.diagnosis_lesson import DiagnosisLesson
from training.diagnosis_settings import CellsSettings
from training.diagnosis_teachers import EnsembleStep, MilStep
from training.snapshot import Snapshot

STEPS: dict[str, type[MilStep] | type[EnsembleStep]] = {"mil": MilStep, "ensemble": EnsembleStep}


def write_diagnosis(
    out: Path,
    kind: str,
    taught: Taught,
    backbone: str,
    width: int,
    snapshot: Snapshot,
    lesson: DiagnosisLesson,
    settings: CellsSettings,
    facts: Mapping[str, Any],
) -> BundleFiles:
    """Write the bundle to `out`; `facts` are the rest of its card. Raises OSError where the disk refuses."""
    tensors: dict[str, NDArray[np.float32]] = {}
    for name, chain in taught.chains.items():
        if chain.reader is not None:
            tensors |= {f"{name}.reader.{part}": value for part, value in chain.reader.to_tensors().items()}
        for number, decision in enumerate(lesson.decisions):
            step: Any = chain.steps[decision.name]
            tensors |= {f"{name}.{number}.{part}": value for part, value in step.to_tensors().items()}
    whole = taught.chains[ALL]
    described: list[Any] = [whole.steps[decision.name] for decision in lesson.decisions]
    card = {
        "kind": kind,
        "architecture": {
            "name": kind,
            "backbone": backbone,
            "width": width,
            "chains": sorted(taught.chains),
            "control": whole.control,
            "types": None if whole.reader is None else whole.reader.described(),
            "decisions": [
                {
                    "name": decision.name,
                    "classes": list(decision.classes),
                    "calibration": taught.calibrations[decision.name].as_json(),
                    "threshold": threshold_of(settings.miss_cost),
                    **step.described(),
                }
                for decision, step in zip(lesson.decisions, described, strict=True)
            ],
        },
        "inputs": {
            "crop": CROP,
            "field_um": FIELD_UM,
            "field_cells": FIELD_CELLS,
            "margin": MARGIN,
            "typical_cell_px": snapshot.manifest.get("typical_cell_px"),
            "channels": "RGB",
        },
        "classes": sorted({each for decision in lesson.decisions for each in decision.classes}),
        "left_out": dict(lesson.left_out),
        "snapshot": snapshot.hash,
        "study": snapshot.manifest["study"],
        "groups": list(lesson.patients),
        "images": sorted(lesson.images),
        "settings": settings.as_dict(),
        "versions": versions(),
        "score_threshold": threshold_of(settings.miss_cost),
        "parent": None,
        "history": [],
        **facts,
    }
    whole_tensors = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in tensors.items()}
    return write_bundle(out, card, lambda path: _save(whole_tensors, path))


@dataclass(frozen=True)
class DiagnosisModel:
    """A bundle that diagnoses, loaded."""

    card: Mapping[str, Any]
    chains: Mapping[str, Chain]
    decisions: tuple[Decision, ...]
    calibrations: Mapping[str, Calibration]

    @classmethod
    def load(cls, folder: Path) -> "DiagnosisModel":
        """Raises BundleError for what is no such bundle."""
        files = read_bundle(folder)
        kind, stated = files.card["kind"], files.card["architecture"]
        if kind not in STEPS:
            raise BundleError(f"The bundle {folder} is a {kind}, which diagnoses nobody by cells.")
        try:
            tensors = load_file(files.weights)
            chains = {name: _chain(name, kind, stated, tensors) for name in stated["chains"]}
            decisions = tuple(Decision(tuple(each["classes"])) for each in stated["decisions"])
            calibrations = {each["name"]: Calibration.of(each["calibration"]) for each in stated["decisions"]}
        except (SafetensorError, KeyError, ValueError, TypeError) as problem:
            raise BundleError(f"The weights of the bundle {folder} are not those of its chains: {problem}.") from None
        return cls(files.card, chains, decisions, calibrations)

    @property
    def kind(self) -> str:
        return str(self.card["kind"])

    @property
    def backbone(self) -> str:
        return str(self.card["architecture"]["backbone"])

    def threshold(self, decision: Decision) -> float:
        stated = self.card["architecture"]["decisions"]
        return float(next(each["threshold"] for each in stated if each["name"] == decision.name))

    def chain_for(self, images: set[str]) -> tuple[str, Chain]:
        """The chain for a patient with images of these sha256: of a patient that it was taught on the one that had
        never seen it, else the one taught on all."""
        fold_of: Mapping[str, int] = self.card["folds"]["images"]
        folds = {fold_of[sha256] for sha256 in images if sha256 in fold_of}
        name = str(min(folds)) if folds else ALL
        return name, self.chains[name]


def _chain(name: str, kind: str, stated: Mapping[str, Any], tensors: Mapping[str, Any]) -> Chain:
    own = {part.removeprefix(f"{name}."): value for part, value in tensors.items() if part.startswith(f"{name}.")}
    reader = None
    if stated["types"] is not None:
        reader = CellReader.from_tensors(stated["types"], _below(own, "reader."))
    steps = {
        each["name"]: STEPS[kind].from_tensors(each, _below(own, f"{number}."))
        for number, each in enumerate(stated["decisions"])
    }
    return Chain(reader, steps, float(stated["control"]))


def _below(tensors: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _save(tensors: Mapping[str, NDArray[Any]], path: Path) -> None:
    try:
        save_file(dict(tensors), path)
    except SafetensorError as problem:
        raise OSError(str(problem)) from problem
