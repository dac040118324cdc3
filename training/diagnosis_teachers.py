"""The last steps of the chain, as they are taught and kept: MILLIE, and the ensemble. Free of Django."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.decisions import DecisionError
from training.diagnosis_judging import Calibration
from training.diagnosis_readings import PatientCells
from training.diagnosis_settings import EnsembleSettings, MilSettings
from training.ensemble import EnsembleNet, drawn_images, fit_ensemble
from training.mil import MilNet, fit_mil
from training.ratios import shares

Values = NDArray[np.float64]


@dataclass(frozen=True)
class MilStep:
    """Networks whose scores are averaged, also over so many further views of the cells, as far as they are at hand."""

    nets: tuple[MilNet, ...]
    views: int = 0

    def scores(self, cells: PatientCells) -> Values:
        shown = (cells.features, *cells.views[: self.views])
        found: Values = np.mean([net.bag(each, cells.weight) for net in self.nets for each in shown], axis=0)
        return found

    def scaled(self, curve: Calibration) -> "MilStep":
        nets = tuple(net.scaled(curve.temperature, np.array(curve.offset)) for net in self.nets)
        return replace(self, nets=nets)

    def alone(self, cells: PatientCells) -> Values:
        """(n, K) of each cell."""
        found: Values = np.mean([net.alone(cells.features) for net in self.nets], axis=0)
        return found

    def to_tensors(self) -> dict[str, NDArray[np.float32]]:
        return {
            f"{number}.{name}": value
            for number, net in enumerate(self.nets)
            for name, value in net.to_tensors().items()
        }

    def described(self) -> dict[str, Any]:
        return {"networks": len(self.nets), "pooling": self.nets[0].pooling, "views": self.views}

    @classmethod
    def from_tensors(cls, described: Mapping[str, Any], tensors: Mapping[str, Any]) -> "MilStep":
        nets = []
        for number in range(int(described["networks"])):
            own = {
                name.removeprefix(f"{number}."): value
                for name, value in tensors.items()
                if name.startswith(f"{number}.")
            }
            nets.append(MilNet.from_tensors(str(described["pooling"]), own))
        return cls(tuple(nets), int(described.get("views", 0)))


@dataclass(frozen=True)
class MilTeacher:
    settings: MilSettings
    seed: int

    @property
    def control(self) -> float:
        return self.settings.control

    def teach(self, patients: Sequence[PatientCells], targets: NDArray[np.int64], classes: int) -> MilStep:
        bags = [(each.features, each.weight) for each in patients]
        settings = self.settings
        views = [[each.views[number] for each in patients] for number in range(settings.views)]
        return MilStep(
            fit_mil(
                bags,
                targets,
                classes,
                pooling=settings.pooling,
                views=views,
                networks=settings.networks,
                units=settings.units,
                rate=settings.lr,
                decay=settings.weight_decay,
                dropout=settings.dropout,
                seed=self.seed,
            ),
            settings.test_views,
        )


@dataclass(frozen=True)
class EnsembleStep:
    """The fully connected layer, and logistic regression on the same ratios beside it."""

    net: EnsembleNet
    logistic: EnsembleNet

    def scores(self, cells: PatientCells) -> Values:
        return self._scored(self.net, cells)

    def scaled(self, curve: Calibration) -> "EnsembleStep":
        return replace(self, net=self.net.scaled(curve.temperature, np.array(curve.offset)))

    def logistic_scores(self, cells: PatientCells) -> Values:
        return self._scored(self.logistic, cells)

    def _scored(self, net: EnsembleNet, cells: PatientCells) -> Values:
        ratios = own_ratios(cells)
        scored: Values = net.scores(ratios)[0]
        return scored

    def to_tensors(self) -> dict[str, NDArray[np.float32]]:
        return {
            f"{part}.{name}": value
            for part, net in (("net", self.net), ("logistic", self.logistic))
            for name, value in net.to_tensors().items()
        }

    def described(self) -> dict[str, Any]:
        return {"roles": list(self.net.roles)}

    @classmethod
    def from_tensors(cls, described: Mapping[str, Any], tensors: Mapping[str, Any]) -> "EnsembleStep":
        parts = {
            part: {
                name.removeprefix(f"{part}."): value for name, value in tensors.items() if name.startswith(f"{part}.")
            }
            for part in ("net", "logistic")
        }
        return cls(*(EnsembleNet.from_tensors(described["roles"], parts[part]) for part in ("net", "logistic")))


@dataclass(frozen=True)
class EnsembleTeacher:
    settings: EnsembleSettings
    seed: int
    # Of ratios alone: a stain is for the cell classifiers to see through.
    control: float = 0.0

    def teach(self, patients: Sequence[PatientCells], targets: NDArray[np.int64], classes: int) -> EnsembleStep:
        readings = [each.reading for each in patients if each.reading is not None]
        settings = self.settings
        table, wanted, weights, roles = drawn_images(
            readings, targets, classes, self.seed, settings.images, settings.cells
        )
        if not roles:
            raise DecisionError(
                "No label stands for myeloblasts, promyelocytes or Auer rods, of which ratios are made."
            )
        own, regression = (
            fit_ensemble(table, wanted, weights, classes, roles, units=units, penalty=settings.penalty, seed=self.seed)
            for units in (settings.units, 0)
        )
        return EnsembleStep(own, regression)


def own_ratios(cells: PatientCells) -> Values:
    """(1, R) of a patient's own cells, each counted once."""
    assert cells.reading is not None
    return shares(cells.reading, np.ones((1, len(cells.features))))[0]
