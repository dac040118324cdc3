"""Which fold a patient belongs to, for good: patients never cross a split (DESIGN.md, decision 8).

A fold is stored as one of 60 slots, and fold of k is slot % k for every k that divides 60, so that a study keeps
one assignment whether a round holds out a fifth or cross-validates in four.
"""

SLOTS = 60
DIVISORS = tuple(k for k in range(2, SLOTS + 1) if SLOTS % k == 0)


def next_slot(slots_of_same_diagnosis: list[int], patients_in_study: int) -> int:
    """The slot of a patient who arrives now.

    Patients of one diagnosis are dealt round robin in order of arrival, which balances every k that divides 60 at
    once; each diagnosis starts where the study stands, so that rare diagnoses do not all fall into fold 0.
    """
    if slots_of_same_diagnosis:
        return (slots_of_same_diagnosis[-1] + 1) % SLOTS
    return patients_in_study % SLOTS


def fold_of(slot: int, k: int) -> int:
    """The fold of a slot among k. Raises ValueError where k does not divide 60."""
    if k not in DIVISORS:
        raise ValueError(f"The number of folds must be one of {', '.join(map(str, DIVISORS))}, not {k}.")
    return slot % k
