"""The figures of agreement of a set of readers over a set of cells: for each pair and over all. Pure; numpy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from annotation.agreement_bootstrap import DRAWS, Interval, Resampling
from annotation.agreement_kappa import (
    SOURCE,
    cohen_kappa,
    fleiss_kappa,
    fleiss_sums,
    in_words,
    percent_agreement,
)

OfSums = Callable[[NDArray[np.float64]], NDArray[np.float64]]

NOT_READ = -1


@dataclass(frozen=True)
class Ratings:
    """What R readers said of n cells. codes: (n, R), the index of a category or NOT_READ; groups: (n,) what is
    resampled, as numbers: the cell's patient, or its image where there is none."""

    readers: Sequence[str]
    categories: Sequence[str]
    codes: NDArray[np.int64]
    groups: NDArray[np.int64]

    def of_one(self, category: int) -> "Ratings":
        """The same readings as yes or no to one category."""
        codes = np.where(self.codes == NOT_READ, NOT_READ, (self.codes == category).astype(np.int64))
        return replace(self, categories=("no", "yes"), codes=codes)


@dataclass(frozen=True)
class Figure:
    """A figure with its interval, both None where not defined."""

    value: float | None
    interval: Interval | None = None


@dataclass(frozen=True)
class Pair:
    """Two readers on the cells that both read; table: (K, K), rows what `one` said, columns what `other` said."""

    one: str
    other: str
    cells: int
    table: NDArray[np.int64]
    percent: Figure
    kappa: Figure


@dataclass(frozen=True)
class Agreement:
    """Of all readers of some cells. cells: those that two or more read; percent: the mean share of pairs who agree."""

    cells: int
    patients: int
    percent: Figure
    fleiss: Figure
    pairs: Sequence[Pair]

    @property
    def sentence(self) -> str:
        """What the kappa says, in plain words."""
        if not self.cells:
            return "No cell has been read by two people yet."
        kappa = self.fleiss.value
        if kappa is None:
            return "Everybody gave all cells one and the same label: beyond that, agreement cannot be judged."
        said = f"Agreement beyond chance is {in_words(kappa)} (kappa {kappa:.2f}"
        if self.fleiss.interval:
            low, high = self.fleiss.interval
            said += f", 95 % interval {low:.2f} to {high:.2f}"
        return f"{said}; words of {SOURCE})."


def agreement_of(ratings: Ratings, *, draws: int = DRAWS, seed: int = 0) -> Agreement:
    """Cohen's kappa of each pair, Fleiss' kappa over all, percent agreement, with intervals."""
    read = ratings.codes != NOT_READ
    shared = read.sum(axis=1) >= 2
    codes, categories = ratings.codes[shared], len(ratings.categories)
    groups = _numbered(ratings.groups[shared])
    resampling = Resampling(groups, draws=draws, seed=seed)
    counts = (codes[:, :, None] == np.arange(categories)).sum(axis=1)
    sums = fleiss_sums(counts)
    return Agreement(
        cells=len(codes),
        patients=resampling.number,
        percent=_figure(_percent_of_all, sums, resampling),
        fleiss=_figure(fleiss_kappa, sums, resampling),
        pairs=[
            pair
            for one, other in combinations(range(len(ratings.readers)), 2)
            if (pair := _pair(ratings, one, other, draws, seed)).cells
        ],
    )


def _pair(ratings: Ratings, one: int, other: int, draws: int, seed: int) -> Pair:
    both = (ratings.codes[:, [one, other]] != NOT_READ).all(axis=1)
    first, second = ratings.codes[both, one], ratings.codes[both, other]
    number = len(ratings.categories)
    flat = first * number + second
    table = np.bincount(flat, minlength=number * number).reshape(number, number)
    # Only what occurs: 21 classes have 441 places, of which few are ever taken.
    used = np.unique(np.concatenate([first, second])) if both.any() else np.zeros(0, dtype=np.int64)
    place = np.searchsorted(used, first) * len(used) + np.searchsorted(used, second)
    flat_cells = np.zeros((len(first), len(used) ** 2))
    flat_cells[np.arange(len(first)), place] = 1
    per_cell = flat_cells.reshape(len(first), len(used), len(used))
    resampling = Resampling(_numbered(ratings.groups[both]), draws=draws, seed=seed)
    return Pair(
        ratings.readers[one],
        ratings.readers[other],
        len(first),
        table,
        _figure(percent_agreement, per_cell, resampling),
        _figure(cohen_kappa, per_cell, resampling),
    )


def _percent_of_all(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    cells = sums[..., 0]
    return np.divide(sums[..., 1], cells, out=np.full(cells.shape, np.nan), where=cells > 0)


def _figure(figure: OfSums, per_cell: NDArray[np.float64], resampling: Resampling) -> Figure:
    value = float(figure(per_cell.sum(axis=0)[None])[0])
    if np.isnan(value):
        return Figure(None)
    return Figure(value, resampling.interval(figure, per_cell))


def _numbered(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)
