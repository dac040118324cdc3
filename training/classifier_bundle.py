"""The bundle of a classifier: its heads' weights, and a card that says what they tell and how they were judged."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from annotation.crop import CROP, FIELD_CELLS, FIELD_UM, MARGIN
from training.bundle import BundleError, BundleFiles, read_bundle, write_bundle
from training.cell_head import Head
from training.cell_network import Networks, OneNetwork, network_name
from training.classification_metrics import DECIDED_FROM
from training.classifier_lesson import OTHERS, HeadLesson, Lesson
from training.classifier_settings import ClassifierSettings
from training.classifier_target import Target
from training.classifier_teaching import Taught
from training.code_version import VERSION
from training.snapshot import Snapshot

KIND = "classifier"


def write_classifier(
    out: Path,
    heads: Sequence[tuple[HeadLesson, Taught]],
    backbone: str,
    snapshot: Snapshot,
    target: Target,
    lesson: Lesson,
    settings: ClassifierSettings,
    facts: Mapping[str, Any],
) -> BundleFiles:
    """Write the bundle to `out`; `facts` are the rest of its card. Raises OSError where the disk refuses.

    Heads look at features of the backbone, or at the scores of all networks of the bundle, which see crops.
    """
    networks = [told.network for _, told in heads if told.network is not None]
    own = _beside_each_other([told.head for _, told in heads]) if networks else [told.head for _, told in heads]
    architecture: dict[str, Any] = {
        "name": "networks" if networks else "heads",
        "backbone": network_name(settings.learns, networks) if networks else backbone,
        "width": own[0].width,
        "heads": [
            {
                "name": each.name,
                "classes": list(each.classes),
                "temperature": head.temperature,
                **({} if networks or head.hidden else {"penalty": head.penalty}),
                **({"hidden": [len(bias) for _, bias in head.hidden]} if head.hidden else {}),
            }
            for (each, _), head in zip(heads, own, strict=True)
        ],
    }
    if networks:
        architecture |= {"learns": settings.learns, "networks": [each.facts for each in networks]}
    card = {
        "kind": KIND,
        "target": target.as_json(),
        "architecture": architecture,
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
        for number, head in enumerate(own)
        for name, value in head.to_tensors().items()
    }
    for number, network in enumerate(networks):
        tensors |= {_of_network(number) + name: value for name, value in network.to_tensors().items()}
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
            with safe_open(files.weights, "numpy") as weights:
                heads = [Head.from_tensors(_below(weights, f"{number}.")) for number in range(len(stated))]
        except (SafetensorError, KeyError, ValueError) as problem:
            raise BundleError(f"The weights of the bundle {folder} are not those of its heads: {problem}.") from None
        return cls(files.card, heads)

    @property
    def sees_crops(self) -> bool:
        return sees_crops(self.card)

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


def sees_crops(card: Mapping[str, Any]) -> bool:
    """Whether a classifier's bundle has networks of its own, in place of heads on stored features."""
    return "networks" in card["architecture"]


def networks_of(folder: Path) -> Networks:
    """What sees the crops of a bundle that does: an extractor, named as its heads' backbone is. Raises BundleError."""
    files = read_bundle(folder, KIND)
    stated = files.card["architecture"]
    try:
        with safe_open(files.weights, "numpy") as weights:
            tensors = [_below(weights, _of_network(number)) for number in range(len(stated["networks"]))]
        return Networks.load(stated["backbone"], stated["learns"], stated["networks"], tensors)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as problem:
        raise BundleError(f"The weights of the bundle {folder} are not those of its networks: {problem}.") from None


def network_alone(folder: Path, number: int) -> tuple[OneNetwork, Head]:
    """A network of such a bundle, and the head on its scores alone. Raises BundleError."""
    classifier = Classifier.load(folder)
    head = classifier.heads[number]
    # Its own are the only scores that count in it.
    own = np.flatnonzero(head.weight.any(axis=1))
    return networks_of(folder).alone(number), replace(head, weight=np.ascontiguousarray(head.weight[own]))


def _of_network(number: int) -> str:
    return f"network.{number}."


def _below(weights: Any, prefix: str) -> dict[str, NDArray[Any]]:
    """The tensors of an opened file whose names begin so, without that."""
    return {name.removeprefix(prefix): weights.get_tensor(name) for name in weights.keys() if name.startswith(prefix)}  # noqa: SIM118


def _beside_each_other(heads: Sequence[Head]) -> list[Head]:
    """Heads on the scores of one network each, as heads on those of all networks, one after the other."""
    widths = [head.width for head in heads]
    found, start = [], 0
    for head in heads:
        weight = np.zeros((sum(widths), head.weight.shape[1]), dtype=np.float32)
        weight[start : start + head.width] = head.weight
        start += head.width
        found.append(replace(head, weight=weight))
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
