"""What tells classes from crops that it sees itself, where features of a frozen backbone do not hold what tells: the
place where such a network is plugged in. Free of Django.

A kind of network is a module with two functions, named in NETWORKS by the setting `learns`:

    teacher(settings, cells, tell, wanted) -> Teacher   teaches all networks of a round
    load(facts, tensors) -> CellNetwork                 one of a bundle, as its card and its weights say

A bundle of networks is one whose features are the networks' scores: it sees cells by itself (`Networks`) by a name of
its own, and its heads do no more than calibrate. So whatever asks heads (classifying, the gallery, Why) asks it alike.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.cell_head import Head

if TYPE_CHECKING:
    from torch import Tensor

    from training.classifier_settings import ClassifierSettings

Features = NDArray[np.float32]
Tensors = Mapping[str, NDArray[np.float32]]
Tell = Callable[[dict[str, Any]], None]
Wanted = Callable[[], bool]

NETWORKS = {"finetune": "training.fine_tuning", "local": "training.local_head"}


class Cells(Protocol):
    """The cells that a round learns from, by number. What is costly is made when it is asked for first."""

    def __len__(self) -> int: ...

    def crop(self, row: int) -> Image.Image:
        """As RGB, CROP px a side (annotation/crop.py). Rows in ascending order are read fastest."""
        ...

    def view(self, row: int, number: int) -> Image.Image:
        """The crop from another side and in other stains (training/stain_augmentation.py), numbered from 1: always the
        same of one number, so that a network that wants a new one each time counts on."""
        ...

    @property
    def features(self) -> Features:
        """(n, C) under the frozen backbone of the settings."""
        ...

    @property
    def views(self) -> Sequence[Features]:
        """(n, C) of views 1, 2, ..., as many as the settings ask for."""
        ...


@dataclass(frozen=True)
class NetworkLesson:
    """What one network learns: the numbers of its cells (n,), their classes (n,) from 0 to classes - 1, and their
    patients (n,). Nobody else's cells may decide anything about it: what is chosen is chosen by setting some of these
    patients aside. `name` is what people read of it in the log, `fold` the fold that will judge it, None of the network
    that is kept: told with the events of its steps ({"event": "step", "fold", "epoch", "epochs", "step", "steps",
    "loss", "eta_seconds"}), from which pages draw its curve."""

    name: str
    fold: int | None
    rows: NDArray[np.int64]
    targets: NDArray[np.int64]
    patients: NDArray[Any]
    classes: int
    seed: int


class CellNetwork(Protocol):
    """Tells K classes from crops. What it says of a crop depends on that crop alone."""

    @property
    def facts(self) -> dict[str, Any]:
        """What a card says of it: with its tensors enough to build it again."""
        ...

    def to_tensors(self) -> dict[str, NDArray[np.float32]]: ...

    def scores(self, crops: Sequence[Image.Image]) -> Features:
        """(n, K) of n RGB crops, not calibrated."""
        ...

    def maps(self, crop: Image.Image) -> "list[Tensor]":
        """The maps (1, C, h, w) that the scores of a crop are made of, the finest first."""
        ...

    def scored(self, maps: "Sequence[Tensor]") -> "Tensor":
        """(K,) the scores that are made of maps; gradients go back through it."""
        ...


class Teacher(Protocol):
    """Teaches one network after the other, and may keep what it sees of cells from one to the next."""

    def teach(self, lesson: NetworkLesson) -> tuple[CellNetwork, Head]:
        """A network, and what makes probabilities of its scores (cell_head.calibration). The same lesson gives the same
        network on the same kind of machine. Raises Stopped (training/crop_features.py) within one step where it is no
        longer `wanted`."""
        ...


def teacher_of(settings: "ClassifierSettings", cells: Cells, tell: Tell, wanted: Wanted) -> Teacher:
    found: Teacher = import_module(NETWORKS[settings.learns]).teacher(settings, cells, tell, wanted)
    return found


class Networks:
    """The networks of a bundle as what sees crops (training/crop_features.py, Extractor): a crop's features are the
    scores of all of them, one after the other."""

    def __init__(self, name: str, networks: Sequence[CellNetwork]) -> None:
        self.name = name
        self._networks = networks

    @classmethod
    def load(cls, name: str, learns: str, facts: Sequence[Mapping[str, Any]], tensors: Sequence[Tensors]) -> "Networks":
        """Raises KeyError, ValueError or RuntimeError where they do not fit together."""
        module = import_module(NETWORKS[learns])
        return cls(name, [module.load(own, held) for own, held in zip(facts, tensors, strict=True)])

    def extract(self, crops: Sequence[Image.Image]) -> Features:
        """(n, K of all networks) of n RGB crops."""
        return np.concatenate([each.scores(crops) for each in self._networks], axis=1)

    def alone(self, number: int) -> "OneNetwork":
        return OneNetwork(f"{self.name}/{number}", self._networks[number])


class OneNetwork:
    """One network as what sees crops, and as what is asked why (inference/cell_saliency.py, Mapped): its features of a
    crop are its scores."""

    def __init__(self, name: str, network: CellNetwork) -> None:
        self.name, self._network = name, network

    def extract(self, crops: Sequence[Image.Image]) -> Features:
        return self._network.scores(crops)

    def maps(self, crop: Image.Image) -> "list[Tensor]":
        return self._network.maps(crop)

    def pooled(self, maps: "Sequence[Tensor]") -> "Tensor":
        return self._network.scored(maps)


def network_name(learns: str, networks: Sequence[CellNetwork]) -> str:
    """Of networks, by what they are: so that nothing that one said is taken for another's."""
    content = hashlib.sha256()
    for network in networks:
        for name, value in sorted(network.to_tensors().items()):
            content.update(f"{name} {value.shape} ".encode() + np.ascontiguousarray(value).tobytes())
    return f"{learns}:{content.hexdigest()[:16]}"
