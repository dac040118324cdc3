"""Ratios of myeloblasts, promyelocytes and cells with Auer rods among viable nucleated cells, by image and patient.

Free of torch and Django. A ratio for which nothing was labelled is left out, and never 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.cell_reader import AUER_ROD, MYELOBLAST, PROMYELOCYTE, Reading
from training.reliability import share_interval

Values = NDArray[np.float64]

ROLES = (MYELOBLAST, PROMYELOCYTE, AUER_ROD)
# Below so many viable cells a share says nothing.
LEAST_CELLS = 1.0


@dataclass(frozen=True)
class Ratio:
    """The share of a role among `cells` viable nucleated cells, with Wilson's interval of 95 %. count: how many cells
    play the role, as their probabilities promise."""

    value: float
    low: float
    high: float
    count: float
    cells: float

    def as_dict(self) -> dict[str, float]:
        named = {"value": self.value, "low": self.low, "high": self.high, "count": self.count, "cells": self.cells}
        return {name: round(each, 4) for name, each in named.items()}


def ratios_of(reading: Reading) -> tuple[dict[str, Ratio], dict[str, str]]:
    """The ratios of one patient's or image's cells by role, and by role why there is none."""
    viable = reading.viable
    total = float(viable.sum())
    found: dict[str, Ratio] = {}
    left_out: dict[str, str] = {}
    for role in ROLES:
        likely = reading.of_role(role)
        if likely is None:
            left_out[role] = "No cell was labelled so where the classifiers were taught."
        elif total < LEAST_CELLS:
            left_out[role] = "There is no viable nucleated cell."
        else:
            count = float(np.minimum(likely, viable).sum())
            found[role] = Ratio(count / total, *share_interval(min(count / total, 1.0), total), count, total)
    return found, left_out


def shares(reading: Reading, draws: NDArray[np.float64]) -> tuple[Values, list[str]]:
    """(d, R) shares of roles under draws (d, n) that say how often each cell is counted, and the names of the roles."""
    viable = reading.viable
    total = np.maximum(draws @ viable, LEAST_CELLS)
    columns: Mapping[str, Values] = {
        role: draws @ np.minimum(likely, viable) / total
        for role in ROLES
        if (likely := reading.of_role(role)) is not None
    }
    return np.stack(list(columns.values()), axis=1) if columns else np.zeros((len(draws), 0)), list(columns)
