"""Two rounds of one kind of classifier or diagnosis beside each other, on the cells or patients that judged both.

Both are held against the later round's truth: what was relabelled since counts for both. Free of torch and Django.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.classification_metrics import auprc, auroc, with_interval

# Draws of patients for the interval of a difference.
DRAWS = 400
DIGITS = 4

Part = Mapping[str, Any]
Values = NDArray[np.float64]


def compare_chances(
    now: Sequence[Part], before: Sequence[Part], alive: Callable[[], object] = lambda: None
) -> dict[str, Any] | None:
    """The later round (`now`) beside an earlier one, from what each said (training/judged_chances.py); None where
    nothing that judged both has both kinds of truth.

    {"judged": how many cells or patients judged both, "groups": how many patients, "classes": [{"name", "of": the head
    or decision, "positives", "now": {"auroc", "auprc"}, "before": the same, "change": of AUROC, as {value, low, high}
    by drawing patients anew}]}. `alive` is called after each class.
    """
    earlier = {part["name"]: part for part in before}
    rows: list[dict[str, Any]] = []
    judged: set[str] = set()
    groups: set[str] = set()
    for part in now:
        other = earlier.get(part["name"])
        if other is None:
            continue
        place = {name: row for row, name in enumerate(other["ids"])}
        kept = [row for row, name in enumerate(part["ids"]) if name in place]
        if not kept:
            continue
        patients = [part["patients"][row] for row in kept]
        truth = np.array([part["truth"][row] for row in kept])
        ours = np.array([part["chances"][row] for row in kept])
        theirs = np.array([other["chances"][place[part["ids"][row]]] for row in kept])
        found = [
            _of_class(name, ours[:, column], theirs[:, other["classes"].index(name)], truth == column, patients, alive)
            for column, name in _columns(part)
            if name in other["classes"]
        ]
        own = [{**row, "of": part["name"]} for row in found if row is not None]
        if own:
            rows += own
            judged |= {part["ids"][row] for row in kept}
            groups |= set(patients)
    return {"judged": len(judged), "groups": len(groups), "classes": rows} if rows else None


def _columns(part: Part) -> list[tuple[int, str]]:
    """The classes that are worth a row: where there are two, what tells one tells the other."""
    columns = list(enumerate(part["classes"]))
    if len(columns) > 2:
        return columns
    # A head of one label is named by it and has it second; a decision has first what it tells the probability of.
    return [pair for pair in columns if pair[1] == part["name"]] or columns[:1]


def _of_class(
    name: str,
    ours: Values,
    theirs: Values,
    truth: NDArray[np.bool_],
    patients: Sequence[str],
    alive: Callable[[], object],
) -> dict[str, Any] | None:
    """Of chances (n,) and truth (n,); None where all are of the class, or none."""
    if truth.all() or not truth.any():
        return None

    def change(counts: Values) -> float:
        return auroc(ours, truth, counts) - auroc(theirs, truth, counts)

    difference = with_interval(change, patients, draws=DRAWS)
    alive()
    return {
        "name": name,
        "positives": int(truth.sum()),
        "now": _figures(ours, truth),
        "before": _figures(theirs, truth),
        "change": difference.as_dict(DIGITS),
    }


def _figures(scores: Values, truth: NDArray[np.bool_]) -> dict[str, float | None]:
    found = {"auroc": auroc(scores, truth), "auprc": auprc(scores, truth)}
    return {name: None if math.isnan(value) else round(value, DIGITS) for name, value in found.items()}
