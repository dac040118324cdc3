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
from training.decisions import Decision
from training.diagnosis_card import calibrations_of, card_of, chain_in, decisions_of, threshold_in
from training.diagnosis_chain import ALL, Chain, Taught
from training.diagnosis_judging import Calibration
from training.diagnosis_lesson import DiagnosisLesson
from training.diagnosis_looks import colours_of
from training.diagnosis_settings import CellsSettings, MilSettings
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
    card = card_of(
        kind,
        {
            "backbone": backbone,
            "width": width,
            "chains": sorted(taught.chains),
            "control": whole.control,
            "types": None if whole.reader is None else whole.reader.described(),
            **_each_by_itself(taught, lesson),
        },
        [step.described() for step in described],
        taught.calibrations,
        {
            "crop": CROP,
            "field_um": FIELD_UM,
            "field_cells": FIELD_CELLS,
            "margin": MARGIN,
            "typical_cell_px": snapshot.manifest.get("typical_cell_px"),
            "channels": "RGB",
            "colours": colours_of(settings),
            "views": settings.test_views if isinstance(settings, MilSettings) else 0,
        },
        snapshot,
        lesson,
        settings,
        facts,
    )
    whole_tensors = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in tensors.items()}
    return write_bundle(out, card, lambda path: save_tensors(whole_tensors, path))


def _each_by_itself(taught: Taught, lesson: DiagnosisLesson) -> dict[str, Any]:
    """What chains say of themselves where a search found each its settings; empty where all learned alike."""
    said = {
        name: {
            "control": chain.control,
            "steps": [_described(chain.steps[decision.name]) for decision in lesson.decisions],
        }
        for name, chain in taught.chains.items()
    }
    return {} if all(each == said[ALL] for each in said.values()) else {"by_chain": said}


def _described(step: Any) -> dict[str, Any]:
    found: dict[str, Any] = step.described()
    return found


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
            decisions, calibrations = decisions_of(files.card), calibrations_of(files.card)
        except (SafetensorError, KeyError, ValueError, TypeError) as problem:
            raise BundleError(f"The weights of the bundle {folder} are not those of its chains: {problem}.") from None
        return cls(files.card, chains, decisions, calibrations)

    @property
    def kind(self) -> str:
        return str(self.card["kind"])

    @property
    def backbone(self) -> str:
        return str(self.card["architecture"]["backbone"])

    @property
    def colours(self) -> str:
        """own, or reinhard: in which it looks at cells."""
        return str(self.card["inputs"].get("colours", "own"))

    @property
    def views(self) -> int:
        """How many further views of each cell a diagnosis is the mean of."""
        return int(self.card["inputs"].get("views", 0))

    def threshold(self, decision: Decision) -> float:
        return threshold_in(self.card, decision)

    def chain_for(self, images: set[str]) -> tuple[str, Chain]:
        """The chain for a patient with images of these sha256: of a patient that it was taught on the one that had
        never seen it, else the one taught on all."""
        name = chain_in(self.card, images)
        return name, self.chains[name]


def _chain(name: str, kind: str, stated: Mapping[str, Any], tensors: Mapping[str, Any]) -> Chain:
    own = {part.removeprefix(f"{name}."): value for part, value in tensors.items() if part.startswith(f"{name}.")}
    reader = None
    if stated["types"] is not None:
        reader = CellReader.from_tensors(stated["types"], _below(own, "reader."))
    by_itself = stated.get("by_chain", {}).get(name)
    described = by_itself["steps"] if by_itself else stated["decisions"]
    steps = {
        each["name"]: STEPS[kind].from_tensors(described[number], _below(own, f"{number}."))
        for number, each in enumerate(stated["decisions"])
    }
    return Chain(reader, steps, float((by_itself or stated)["control"]))


def _below(tensors: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def save_tensors(tensors: Mapping[str, NDArray[Any]], path: Path, **metadata: str) -> None:
    """Raises OSError where the disk refuses."""
    try:
        save_file(dict(tensors), path, metadata=metadata or None)
    except SafetensorError as problem:
        raise OSError(str(problem)) from problem
