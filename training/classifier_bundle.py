"""The bundle of a classifier: its heads' weights, and a card that says what they tell and how they were judged."""

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from annotation.crop import CROP, FIELD_CELLS, FIELD_UM, MARGIN
from training.bundle import BundleError, BundleFiles, read_bundle, write_bundle
from training.cell_head import Head
from training.classification_metrics import DECIDED_FROM
from training.classifier_lesson import OTHERS, HeadLesson, Lesson
from training.classifier_settings import ClassifierSettings
from training.classifier_target import Target
from training.code_version import VERSION
from training.snapshot import Snapshot

KIND = "classifier"


def write_classifier(
    out: Path,
    heads: Sequence[tuple[HeadLesson, Head]],
    backbone: str,
    width: int,
    snapshot: Snapshot,
    target: Target,
    lesson: Lesson,
    settings: ClassifierSettings,
    facts: Mapping[str, Any],
) -> BundleFiles:
    """Write the bundle to `out`; `facts` are the rest of its card. Raises OSError where the disk refuses."""
    card = {
        "kind": KIND,
        "target": target.as_json(),
        "architecture": {
            "name": "heads",
            "backbone": backbone,
            "width": width,
            "heads": [
                {
                    "name": each.name,
                    "classes": list(each.classes),
                    "temperature": head.temperature,
                    "penalty": head.penalty,
                }
                for each, head in heads
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
        "classes": sorted({name for each, _ in heads for name in _told(each.classes)}),
        "left_out": dict(lesson.left_out),
        "snapshot": snapshot.hash,
        "study": snapshot.manifest["study"],
        "groups": sorted({cell.patient for cell in lesson.cells}),
        "images": sorted({cell.sha256 for cell in lesson.cells}),
        "settings": settings.as_dict(),
        "versions": versions(),
        "score_threshold": DECIDED_FROM,
        "parent": None,
        "history": [],
        **facts,
    }
    tensors = {
        f"{number}.{name}": np.ascontiguousarray(value)
        for number, (_, head) in enumerate(heads)
        for name, value in head.to_tensors().items()
    }
    return write_bundle(out, card, lambda path: _save(tensors, path))


class Classifier:
    """A classifier's bundle, loaded: what its heads say of cells whose features are known."""

    def __init__(self, card: Mapping[str, Any], heads: Sequence[Head]) -> None:
        self.card = card
        self.heads = heads

    @classmethod
    def load(cls, folder: Path) -> "Classifier":
        """Raises BundleError for what is no classifier's bundle."""
        files = read_bundle(folder, KIND)
        stated = files.card["architecture"].get("heads") or []
        try:
            tensors = load_file(files.weights)
            heads = [
                Head.from_tensors(
                    {
                        name.removeprefix(f"{number}."): value
                        for name, value in tensors.items()
                        if name.startswith(f"{number}.")
                    }
                )
                for number in range(len(stated))
            ]
        except (SafetensorError, KeyError, ValueError) as problem:
            raise BundleError(f"The weights of the bundle {folder} are not those of its heads: {problem}.") from None
        return cls(files.card, heads)

    @property
    def backbone(self) -> str:
        return str(self.card["architecture"]["backbone"])

    @property
    def group(self) -> str:
        """The group of labels that its classes belong to."""
        return Target.of(self.card["target"]).group

    def probabilities(self, features: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
        """(n,) for each label that it tells, of features (n, C)."""
        found: dict[str, NDArray[np.float64]] = {}
        for stated, head in zip(self.card["architecture"]["heads"], self.heads, strict=True):
            table = head.probabilities(features)
            for column, name in enumerate(stated["classes"]):
                if name in _told(stated["classes"]):
                    found[name] = table[:, column]
        return found


def _told(classes: Sequence[str]) -> Sequence[str]:
    """The classes of a head that are labels: a head of one label has its others first."""
    return classes[1:] if len(classes) == 2 and classes[0] == OTHERS else classes


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "marrowloop": VERSION}
    return found | {name: metadata.version(name) for name in ("torch", "numpy")}


def _save(tensors: Mapping[str, NDArray[Any]], path: Path) -> None:
    try:
        save_file(dict(tensors), path)
    except SafetensorError as problem:
        raise OSError(str(problem)) from problem
