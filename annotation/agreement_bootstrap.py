"""Intervals of figures of agreement by a bootstrap over patients (Efron and Tibshirani 1993): cells of one patient are
alike, and to draw them one by one would make every interval too narrow. Pure; numpy."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Sums = NDArray[np.float64]
Interval = tuple[float, float]

DRAWS = 1_000
LEVEL = 0.95
# Below this number of patients the draws are too few different ones to say anything.
LEAST_GROUPS = 5
# Where a figure is not defined for more draws than this share, an interval would be of the others alone.
_MOST_UNDEFINED = 0.05


class Resampling:
    """Draws of groups with replacement, the same for all figures of one set of cells."""

    def __init__(self, groups: NDArray[np.integer], *, draws: int = DRAWS, seed: int = 0) -> None:
        """groups: (n,) the group of each cell, 0..G-1, every one of them there."""
        self._groups = groups
        self.number = int(groups.max()) + 1 if len(groups) else 0
        self._weights = _weights(self.number, draws, seed) if self.number >= LEAST_GROUPS else None

    def interval(
        self, figure: Callable[[Sums], NDArray[np.float64]], per_cell: NDArray[np.floating]
    ) -> Interval | None:
        """The 95 % interval of a figure of sums over cells: `per_cell` (n, ...) adds up, `figure` takes (draws, ...).

        None with fewer than LEAST_GROUPS groups, or where the figure is too often not defined.
        """
        if self._weights is None:
            return None
        by_group = np.zeros((self.number, *per_cell.shape[1:]))
        np.add.at(by_group, self._groups, per_cell)
        flat = by_group.reshape(self.number, -1)
        # Labels that nobody gave stay nought in every draw.
        used = np.flatnonzero(flat.any(axis=0))
        sums = np.zeros((len(self._weights), flat.shape[1]))
        sums[:, used] = self._weights @ flat[:, used]
        figures = figure(sums.reshape(-1, *per_cell.shape[1:]))
        defined = figures[~np.isnan(figures)]
        if len(defined) < (1 - _MOST_UNDEFINED) * len(figures):
            return None
        low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(low), float(high)


# All figures of a page ask for the same draws.
@lru_cache(maxsize=4)
def _weights(number: int, draws: int, seed: int) -> NDArray[np.float32]:
    """(draws, number) how often each group is drawn."""
    drawn = np.random.default_rng(seed).integers(0, number, (draws, number))
    return np.stack([np.bincount(row, minlength=number) for row in drawn]).astype(np.float32)
