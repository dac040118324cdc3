"""What a cell is, from its features: a linear head that is fitted in a second and knows how sure it is.

Ridge regression on the classes, all at once, in closed form: no steps that end early, the same inputs give the same
head. On features of apl-patients, judged on patients inside the training folds, it ranks cells as well as logistic
regression, kernels and small networks do (tests/benchmarks/apl_cells.py says what was tried), because what counts is
how strongly it is held back: directions in which features hardly vary tell patients apart, not cells. So features are
centred and scaled by one number, never whitened, and the penalty is chosen on patients that were set aside.

The same patients that were set aside give the temperature and offsets that make probabilities of its scores. Free of
torch and Django.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

Values = NDArray[np.float64]
Features = NDArray[np.float32]

# Parts of the patients; each is set aside once.
PARTS = 5
# Penalties to choose from, as shares of the mean variance of a feature times the number of features.
PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3)
# Where there is nothing to choose by.
_USUAL = 0.03
# Cells of a class weigh n / cells of the class to this power: 0 leaves rare classes unheard, 1 shouts for them.
BALANCE = 0.5
# The constant feature: as small a penalty on the offset as makes no difference.
_CONSTANT = 1.0
# Weight of the belief that offsets are 0, which few cells should not overthrow; in cells.
_BELIEF = 1.0
# Scores lie about 0 and 1: so steep a curve makes probabilities of them where nothing else is known.
_STEEP = 5.0


class HeadError(ValueError):
    """Labels that nothing can be learned from; the message says why in one sentence."""


@dataclass(frozen=True)
class Head:
    """Scores = features @ weight (C, K) + bias (K,); probabilities = softmax(temperature * scores + offset (K,))."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    temperature: float = _STEEP
    offset: NDArray[np.float32] | None = None
    penalty: float = _USUAL

    def scores(self, features: ArrayLike) -> Values:
        """(n, K) of features (n, C), uncalibrated. Raises ValueError for features of another width."""
        table = np.asarray(features, dtype=np.float32)
        if table.ndim != 2 or table.shape[1] != len(self.weight):
            raise ValueError(f"The head looks at {len(self.weight)} features of a cell, not at {table.shape[1:]}.")
        return table.astype(np.float64) @ self.weight + self.bias

    def probabilities(self, features: ArrayLike) -> Values:
        """(n, K), each row adds up to 1."""
        offset = 0.0 if self.offset is None else self.offset
        return _softmax(self.temperature * self.scores(features) + offset)

    def to_tensors(self) -> dict[str, NDArray[np.float32]]:
        """For safetensors: everything that `from_tensors` needs, exactly."""
        offset = np.zeros(len(self.bias), dtype=np.float32) if self.offset is None else self.offset
        return {
            "weight": self.weight,
            "bias": self.bias,
            "offset": offset,
            "scale": np.array([self.temperature, self.penalty], dtype=np.float32),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Any]) -> "Head":
        """Raises KeyError or ValueError where they are not a head's."""
        weight, bias, offset, scale = (np.asarray(tensors[name]) for name in ("weight", "bias", "offset", "scale"))
        if weight.ndim != 2 or bias.shape != weight.shape[1:] or offset.shape != bias.shape or scale.shape != (2,):
            raise ValueError("The shapes of a head's tensors do not fit together.")
        return cls(weight, bias, float(scale[0]), offset, float(scale[1]))


def fit_head(
    features: ArrayLike,
    targets: ArrayLike,
    weights: ArrayLike | None,
    groups: Sequence[str] | NDArray[Any],
    *,
    seed: int = 0,
    classes: int | None = None,
) -> Head:
    """The head of features (n, C), class numbers (n,) from 0 to K - 1, weights (n,) of the cells (None: all alike) and
    the cells' patients (n,). K is `classes`, or one more than the highest number; a class without cells gets next to no
    probability.

    Raises HeadError where there is one class only, or numbers that are not finite.
    """
    table, wanted = np.asarray(features, dtype=np.float32), np.asarray(targets, dtype=int)
    names = np.asarray(groups)
    if len(np.unique(wanted)) < 2:
        raise HeadError("All cells have one label: a head needs two to tell apart.")
    if not np.isfinite(table).all():
        raise HeadError("Some features are not finite numbers.")
    count = max(classes or 0, int(wanted.max()) + 1)
    weight = _balanced(wanted, count, weights)
    mean = (weight @ table.astype(np.float64) / weight.sum()).astype(np.float32)
    centred = table - mean
    scale = float(np.sqrt((centred.astype(np.float64) ** 2).sum(axis=1).mean())) or 1.0
    seen = np.concatenate([centred / np.float32(scale), np.full((len(table), 1), _CONSTANT, np.float32)], axis=1)
    truth = np.eye(count)[wanted]
    ridge = _Ridge(seen, truth, weight)
    parts = _parts(names, wanted, seed)
    penalty, temperature, offset = _USUAL, _STEEP, np.zeros(count)
    if parts is not None:
        penalty, unseen = _chosen(ridge, parts)
        temperature, offset = _calibrated(unseen, wanted, weights)
    solved = ridge.solve(np.ones(len(table), dtype=bool), penalty)
    direct = solved.weight[:-1] / scale
    bias = solved.bias + _CONSTANT * solved.weight[-1] - mean @ direct
    return Head(
        np.ascontiguousarray(direct, dtype=np.float32),
        bias.astype(np.float32),
        float(np.float32(temperature)),
        offset.astype(np.float32),
        float(np.float32(penalty)),
    )


@dataclass(frozen=True)
class _Solved:
    weight: Values
    bias: Values


class _Ridge:
    """Weighted ridge regression of truth (n, K) on seen (n, C), solved again and again for some of the rows."""

    def __init__(self, seen: Features, truth: Values, weight: Values) -> None:
        self.seen, self.truth, self.weight = seen, truth, weight
        self.dual = len(seen) <= seen.shape[1]
        self.gram = (seen @ seen.T).astype(np.float64) if self.dual else None
        # Of the rows that a set leaves out, so that a fold costs its own rows only.
        self.whole = None if self.dual else self._moments(np.ones(len(seen), dtype=bool))
        self.parts: dict[bytes, Values] = {}

    def solve(self, rows: NDArray[np.bool_], penalty: float) -> _Solved:
        weight, truth = self.weight[rows], self.truth[rows]
        bias = weight @ truth / weight.sum()
        if self.gram is not None:
            system = self.gram[np.ix_(rows, rows)]
            system[np.diag_indices(len(system))] += penalty * weight.sum() / weight
            dual = _solve(system, truth - bias)
            return _Solved(self.seen[rows].T @ dual, bias)
        assert self.whole is not None
        system = self.whole.copy()
        if not rows.all():
            key = rows.tobytes()
            if key not in self.parts:
                self.parts[key] = self._moments(~rows)
            system -= self.parts[key]
        system[np.diag_indices(len(system))] += penalty * weight.sum()
        return _Solved(_solve(system, self.seen[rows].T @ (weight[:, None] * (truth - bias))), bias)

    def of(self, rows: NDArray[np.bool_], solved: _Solved) -> Values:
        return self.seen[rows] @ solved.weight + solved.bias

    def _moments(self, rows: NDArray[np.bool_]) -> Values:
        half = self.seen[rows] * np.sqrt(self.weight[rows]).astype(np.float32)[:, None]
        return (half.T @ half).astype(np.float64)


def _solve(system: Values, right: Values) -> Values:
    factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
    solved: Values = cho_solve(factor, right, check_finite=False)
    return solved


def _balanced(targets: NDArray[np.int_], classes: int, weights: ArrayLike | None) -> Values:
    own = np.ones(len(targets)) if weights is None else np.asarray(weights, dtype=float)
    total = np.bincount(targets, own, classes)
    balanced = own * (own.sum() / np.maximum(total, 1e-9))[targets] ** BALANCE
    # A weight of 0 means that a cell is not there; the dual divides by it.
    return np.maximum(balanced / balanced.mean(), 1e-6)


def _parts(groups: NDArray[Any], targets: NDArray[np.int_], seed: int) -> NDArray[np.int_] | None:
    """The part (n,) that each cell is in: whole patients, dealt so that each part gets its share of every class and of
    the cells. Cells of a single patient are dealt one by one; None where a class has a single cell."""
    names, of_cell = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        of_cell = np.arange(len(groups))
    classes = np.unique(targets, return_inverse=True)[1]
    table = np.zeros((of_cell.max() + 1, classes.max() + 1))
    np.add.at(table, (of_cell, classes), 1)
    if len(targets) < 4 or (table.sum(axis=0) < 2).all():
        return None
    shares = table / table.sum(axis=0)
    count = min(PARTS, len(table))
    held = np.zeros((count, table.shape[1]))
    part_of = np.zeros(len(table), dtype=int)
    shuffled = np.random.default_rng(seed).permutation(len(table))
    # The largest first, into the part that has least of what they bring.
    for one in sorted(shuffled.tolist(), key=lambda each: -shares[each].sum()):
        part_of[one] = int(np.argmin(((held + shares[one]) ** 2).sum(axis=1) - (held**2).sum(axis=1)))
        held[part_of[one]] += shares[one]
    return part_of[of_cell] if len(np.unique(part_of)) > 1 else None


def _chosen(ridge: _Ridge, parts: NDArray[np.int_]) -> tuple[float, Values]:
    """The penalty whose scores of patients that were set aside err least, and these scores (n, K)."""
    best: tuple[float, float, Values] | None = None
    for penalty in PENALTIES:
        unseen = np.zeros_like(ridge.truth)
        for part in np.unique(parts):
            held = parts == part
            unseen[held] = ridge.of(held, ridge.solve(~held, penalty))
        error = float((ridge.weight[:, None] * (unseen - ridge.truth) ** 2).sum())
        if best is None or error < best[0]:
            best = error, penalty, unseen
    assert best is not None
    return best[1], best[2]


def _calibrated(scores: Values, targets: NDArray[np.int_], weights: ArrayLike | None) -> tuple[float, Values]:
    """Temperature and offsets (K,) under which these scores (n, K) make these classes most likely."""
    own = np.ones(len(targets)) if weights is None else np.asarray(weights, dtype=float)
    truth = np.eye(scores.shape[1])[targets]
    total = own.sum()

    def loss(curve: Values) -> tuple[float, Values]:
        temperature, offset = np.exp(curve[0]), curve[1:]
        chance = _softmax(temperature * scores + offset)
        likely = np.log(np.maximum(chance[np.arange(len(targets)), targets], 1e-12))
        wrong = own[:, None] * (chance - truth)
        gradient = np.concatenate([[temperature * (wrong * scores).sum()], wrong.sum(axis=0) + _BELIEF * offset / 10])
        gradient[0] += _BELIEF * (curve[0] - np.log(_STEEP))
        value = -own @ likely + _BELIEF * (curve[0] - np.log(_STEEP)) ** 2 / 2 + _BELIEF * (offset**2).sum() / 20
        return value / total, gradient / total

    start = np.concatenate([[np.log(_STEEP)], np.zeros(scores.shape[1])])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return float(np.exp(found.x[0])), found.x[1:]


def _softmax(logits: Values) -> Values:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances: Values = raised / raised.sum(axis=1, keepdims=True)
    return chances
