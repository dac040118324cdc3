"""The ensemble (Eckardt et al. 2022): ratios of cells, combined by a fully connected layer without dropout.

Taught on "images" that are drawn anew from each patient's cells, as many of each diagnosis. Free of torch and Django.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from training.cell_reader import Reading
from training.ratios import shares

Values = NDArray[np.float64]

# Images that are drawn of each patient, and the cells of each: as a field of a smear holds.
IMAGES, CELLS = 20, 30
UNITS = 8
_STEPS = 300
# Of the squared weights, of the layer and of logistic regression.
PENALTY = 1e-2
# A ratio is looked at as its log, where this share is as good as none.
_LEAST = 0.01


@dataclass(frozen=True)
class EnsembleNet:
    """Scores of K diagnoses from R ratios: tanh(x @ first + first_bias) @ second + second_bias, where x are logs of
    ratios, centred and scaled; without units (first of no columns) x @ second: logistic regression.

    centre, scale (R,), first (R, H), first_bias (H,), second (H or R, K), second_bias (K,).
    """

    roles: tuple[str, ...]
    centre: Values
    scale: Values
    first: Values
    first_bias: Values
    second: Values
    second_bias: Values

    def scores(self, ratios: Values) -> Values:
        """(n, K) of ratios (n, R)."""
        seen = (np.log(ratios + _LEAST) - self.centre) / self.scale
        units = np.tanh(seen @ self.first + self.first_bias) if self.first.shape[1] else seen
        scored: Values = units @ self.second + self.second_bias
        return scored

    def scaled(self, temperature: float, offset: Values) -> "EnsembleNet":
        """One whose scores are temperature * scores + offset (K,) of these."""
        return replace(self, second=self.second * temperature, second_bias=self.second_bias * temperature + offset)

    def to_tensors(self) -> dict[str, NDArray[np.float32]]:
        names = ("centre", "scale", "first", "first_bias", "second", "second_bias")
        return {name: np.ascontiguousarray(getattr(self, name), dtype=np.float32) for name in names}

    @classmethod
    def from_tensors(cls, roles: Sequence[str], tensors: Mapping[str, Any]) -> "EnsembleNet":
        """Raises KeyError or ValueError where they are not an ensemble's."""
        names = ("centre", "scale", "first", "first_bias", "second", "second_bias")
        own = {name: np.asarray(tensors[name], dtype=np.float64) for name in names}
        if len(own["centre"]) != len(roles) or len(own["first"]) != len(roles):
            raise ValueError("The shapes of an ensemble's tensors do not fit together.")
        return cls(tuple(roles), **own)


def drawn_images(
    readings: Sequence[Reading],
    targets: NDArray[np.int64],
    classes: int,
    seed: int,
    images: int = IMAGES,
    cells: int = CELLS,
) -> tuple[Values, NDArray[np.int64], Values, tuple[str, ...]]:
    """Ratios (n, R), classes (n,) and weights (n,) of so many images of so many cells drawn of each patient's reading,
    and the roles. The diagnoses weigh alike, whichever has more patients."""
    chance = np.random.default_rng(seed)
    tables, wanted = [], []
    roles: tuple[str, ...] = ()
    for reading, target in zip(readings, targets.tolist(), strict=True):
        count = len(reading.types)
        draws = chance.multinomial(cells, np.full(count, 1 / count), size=images).astype(np.float64)
        # The patient's own cells, all of them, are one image beside the drawn ones.
        table, names = shares(reading, np.concatenate([np.ones((1, count)), draws]))
        tables.append(table)
        wanted += [target] * len(table)
        roles = tuple(names)
    found = np.array(wanted, dtype=np.int64)
    share = np.bincount(found, minlength=classes)
    return np.concatenate(tables), found, 1.0 / (classes * np.maximum(share, 1)[found]), roles


def fit_ensemble(
    ratios: Values,
    targets: NDArray[np.int64],
    weights: Values,
    classes: int,
    roles: Sequence[str],
    *,
    units: int = UNITS,
    penalty: float = PENALTY,
    seed: int = 0,
) -> EnsembleNet:
    """Of ratios (n, R), classes (n,) and weights (n,) that add up to 1. No units: logistic regression."""
    logs = np.log(ratios + _LEAST)
    centre = weights @ logs
    scale = np.sqrt(weights @ (logs - centre) ** 2) + 1e-6
    seen = (logs - centre) / scale
    truth = np.eye(classes)[targets]
    shapes = [(seen.shape[1], units), (units,), (units or seen.shape[1], classes), (classes,)]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])

    def parts(flat: Values) -> list[Values]:
        pieces = np.split(flat, ends[:-1])
        return [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]

    def loss(flat: Values) -> tuple[float, Values]:
        first, first_bias, second, second_bias = parts(flat)
        hidden = np.tanh(seen @ first + first_bias) if units else seen
        logits = hidden @ second + second_bias
        logits -= logits.max(axis=1, keepdims=True)
        likely = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        wrong = weights[:, None] * (np.exp(likely) - truth)
        back = wrong @ second.T * (1 - hidden**2) if units else np.zeros((len(seen), 0))
        gradient = [
            seen.T @ back + penalty * first,
            back.sum(axis=0),
            hidden.T @ wrong + penalty * second,
            wrong.sum(axis=0),
        ]
        value = -(weights[:, None] * truth * likely).sum() + penalty / 2 * ((first**2).sum() + (second**2).sum())
        return float(value), np.concatenate([each.ravel() for each in gradient])

    start = np.random.default_rng(seed).normal(0, 0.3, ends[-1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS})
    return EnsembleNet(tuple(roles), centre, scale, *parts(found.x))
