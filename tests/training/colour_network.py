"""A network that sees crops itself, for tests: as small as a network can be. Put in the place of another one by
monkeypatch.setitem(NETWORKS, "finetune", "tests.training.colour_network")."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from tests.training.coloured_cells import MeanColour
from training.cell_head import Head, calibration, fit_head
from training.cell_network import Cells, NetworkLesson


class ColourNetwork:
    """Weighs the mean colour of the middle of a crop; `seen` counts the crops that all of them looked at."""

    seen = 0

    def __init__(self, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        self._weight, self._bias = weight, bias

    @property
    def facts(self) -> dict[str, Any]:
        return {"backbone": "none"}

    def to_tensors(self) -> dict[str, NDArray[np.float32]]:
        return {"weight": self._weight, "bias": self._bias}

    def scores(self, crops: Sequence[Image.Image]) -> NDArray[np.float32]:
        ColourNetwork.seen += len(crops)
        return MeanColour().extract(crops) @ self._weight + self._bias

    def maps(self, crop: Image.Image) -> list[torch.Tensor]:
        pixels = np.asarray(crop.resize((30, 30)), dtype=np.float32) / 255
        return [torch.from_numpy(pixels).permute(2, 0, 1)[None]]

    def scored(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        middle = maps[0][0, :, 11:19, 11:19].mean(dim=(1, 2))
        return middle @ torch.from_numpy(self._weight) + torch.from_numpy(self._bias)


def load(facts: Mapping[str, Any], tensors: Mapping[str, NDArray[np.float32]]) -> ColourNetwork:
    return ColourNetwork(np.asarray(tensors["weight"]), np.asarray(tensors["bias"]))


class _Teacher:
    def __init__(self, cells: Cells) -> None:
        self._cells = cells

    def teach(self, lesson: NetworkLesson) -> tuple[ColourNetwork, Head]:
        crops = [self._cells.crop(int(row)) for row in lesson.rows]
        head = fit_head(MeanColour().extract(crops), lesson.targets, None, lesson.patients, classes=lesson.classes)
        network = ColourNetwork(head.weight, head.bias)
        return network, calibration(network.scores(crops), lesson.targets)


def teacher(settings: Any, cells: Cells, tell: Any, wanted: Any) -> _Teacher:
    return _Teacher(cells)
