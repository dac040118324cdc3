"""Who reads which cell: cells dealt to readers, so that each has as many and every pair shares about as many. Pure."""

import math
from collections.abc import Hashable, Sequence
from itertools import combinations
from random import Random
from typing import TypeVar

Cell = TypeVar("Cell")
Person = TypeVar("Person", bound=Hashable)


def shared_out(
    cells: Sequence[Cell], readers: Sequence[Person], each: int, by_all: float = 0.0, *, seed: int = 0
) -> dict[Person, list[Cell]]:
    """The cells of each reader, in an order of their own that tells nothing.

    Each cell goes to `each` readers, and the share `by_all` of the cells (0 to 1, rounded up to whole cells) to all of
    them. The numbers of cells of two readers differ by one at most. Raises ValueError where the numbers cannot be.
    """
    if not readers or len(set(readers)) < len(readers):
        raise ValueError("Readers are different people, one at least.")
    if not 1 <= each <= len(readers):
        raise ValueError(f"A cell is read by 1 to {len(readers)} readers.")
    if not 0 <= by_all <= 1:
        raise ValueError("A share lies between 0 and 1.")
    rng = Random(seed)
    shuffled = list(cells)
    rng.shuffle(shuffled)
    # A fifth of 35 is 7, and not 8 by a hair of rounding.
    together = math.ceil(round(by_all * len(shuffled), 9))
    shares: dict[Person, list[Cell]] = {reader: list(shuffled[:together]) for reader in readers}
    shared = dict.fromkeys((frozenset(pair) for pair in combinations(readers, 2)), 0)
    for cell in shuffled[together:]:
        chosen: list[Person] = []
        for _ in range(each):
            # Whoever has fewest; among those, whoever has shared fewest cells with the others of this one.
            free = [reader for reader in readers if reader not in chosen]
            rng.shuffle(free)
            chosen.append(
                min(
                    free,
                    key=lambda one: (len(shares[one]), sum(shared[frozenset((one, other))] for other in chosen)),
                )
            )
        for reader in chosen:
            shares[reader].append(cell)
        for pair in combinations(chosen, 2):
            shared[frozenset(pair)] += 1
    for own in shares.values():
        rng.shuffle(own)
    return shares
