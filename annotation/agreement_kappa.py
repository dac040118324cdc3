"""How far people agree beyond chance: Cohen's kappa of two, Fleiss' kappa of many. Pure; numpy.

Counts in, so that a bootstrap can judge a thousand resampled sets at once: all functions work over leading axes.
"""

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.floating] | NDArray[np.integer]
Figures = NDArray[np.float64]

# Landis and Koch, The measurement of observer agreement for categorical data, Biometrics 33 (1977), 159-174, table 2.
_WORDS = ((0.2, "slight"), (0.4, "fair"), (0.6, "moderate"), (0.8, "substantial"))
SOURCE = "Landis and Koch 1977"


def percent_agreement(tables: Counts) -> Figures:
    """(...) the share of cells on which two people said the same, of tables (..., K, K) of counts; nan of no cells."""
    total = np.asarray(tables.sum(axis=(-2, -1)), dtype=np.float64)
    return _divided(np.trace(tables, axis1=-2, axis2=-1), total)


def cohen_kappa(tables: Counts) -> Figures:
    """(...) Cohen's kappa of tables (..., K, K): rows what one said, columns what the other said (Cohen 1960).

    nan where it is not defined: without cells, and where both gave all cells one and the same label.
    """
    total = np.asarray(tables.sum(axis=(-2, -1)), dtype=np.float64)
    by_chance = _divided((tables.sum(axis=-1) * tables.sum(axis=-2)).sum(axis=-1), total**2)
    return _beyond_chance(percent_agreement(tables), by_chance)


def fleiss_kappa(sums: Counts) -> Figures:
    """(...) Fleiss' kappa of what fleiss_sums gives, summed over cells (Fleiss 1971).

    Cells may have different numbers of readers, two at least; each cell counts once. nan where it is not defined.
    """
    cells, agreeing, said = sums[..., 0], sums[..., 1], sums[..., 2:]
    shares = _divided(said, np.asarray(said.sum(axis=-1), dtype=np.float64)[..., None])
    return _beyond_chance(_divided(agreeing, cells), (shares**2).sum(axis=-1))


def fleiss_sums(counts: Counts) -> Figures:
    """(n, 2 + K) of counts (n, K), how many readers gave each of n cells each of K labels, two readers a cell at least:
    1, the share of pairs of its readers who said the same, and the counts. They add up over cells."""
    readers = counts.sum(axis=1, keepdims=True)
    pairs = (counts * (counts - 1)).sum(axis=1, keepdims=True) / (readers * (readers - 1))
    return np.concatenate([np.ones_like(pairs), pairs, counts], axis=1).astype(np.float64)


def in_words(kappa: float) -> str:
    """The strength of agreement as Landis and Koch call it, from poor to almost perfect."""
    if kappa < 0:
        return "poor"
    return next((word for most, word in _WORDS if kappa <= most), "almost perfect")


def _beyond_chance(observed: Figures, by_chance: Figures) -> Figures:
    # Where chance alone agrees always, nothing is left to be explained.
    left = np.where(by_chance > 1 - 1e-12, 0.0, 1 - by_chance)
    return _divided(observed - by_chance, left)


def _divided(over: Counts, under: Counts) -> Figures:
    shape = np.broadcast(over, under).shape
    return np.divide(over, under, out=np.full(shape, np.nan), where=np.asarray(under) > 0)
