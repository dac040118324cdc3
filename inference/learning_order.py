"""Which images a detector would learn most from: those unlike what it has seen, and those it is unsure of.

Images are compared by feature vectors. Only their direction counts, after each channel has been centred and scaled over
all images at hand: what all fields of a study have in common says nothing about any of them. Pure functions on arrays.
"""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]

# Of the need that images have on average: what an image counts for that nothing is wrong with. So a kind of image
# that was never annotated comes up in time even where the detector is sure of itself.
LEAST_NEED = 0.25
# So many images are put in order; by the time that people have done them, there are new proposals and a new order.
RANKED = 500
# Rows compared at once: 10,000 images against 10,000 must not need a table of 800 MB.
_BLOCK = 1000


def directions(vectors: Vectors) -> Vectors:
    """(n, C) features of n images to unit vectors, centred and scaled over these images; zero where all are alike."""
    if not len(vectors):
        return vectors
    centred = vectors - vectors.mean(axis=0)
    spread = centred.std(axis=0)
    # Channels that hardly ever differ would be all noise if they were scaled to count as much as the others.
    scaled = centred / (spread + spread.mean() + 1e-12)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    units: Vectors = np.divide(scaled, length, out=np.zeros_like(scaled), where=length > 1e-9)
    return units


def novelty(waiting: Vectors, annotated: Vectors) -> NDArray[np.float64]:
    """(n,) cosine distance, 0 to 2, of each of n waiting images to the nearest of m annotated ones, both given as
    directions; 1 for all where nothing is annotated yet."""
    nearest = np.ones(len(waiting))
    if len(annotated):
        for start in range(0, len(waiting), _BLOCK):
            block = waiting[start : start + _BLOCK]
            nearest[start : start + _BLOCK] = 1.0 - (block @ annotated.T).max(axis=1)
    return np.clip(nearest, 0.0, 2.0)


def teaching_order(need: NDArray[np.float64], waiting: Vectors, annotated: Vectors, most: int = RANKED) -> list[int]:
    """Indices of waiting images, the one that teaches most first; at most `most` of them.

    need: (n,) corrections to expect on each. An image's worth is its need (and a share of the mean need) times its
    distance to the nearest image that is annotated or chosen before it. So ten images alike are not chosen in a row:
    greedy farthest-point choice (k-center: Sener and Savarese 2018), weighted by uncertainty. With (n, 0) vectors,
    where images cannot be compared, the order is by need alone. Equal worth keeps the order given.
    """
    count = len(need)
    worth = need + LEAST_NEED * (need.mean() if count else 0.0)
    if not worth.any():
        worth = np.ones(count)
    if not waiting.shape[1]:
        return [int(i) for i in np.argsort(-worth, kind="stable")[:most]]
    nearest = novelty(waiting, annotated)
    left = np.ones(count, dtype=bool)
    chosen: list[int] = []
    while left.any() and len(chosen) < most:
        # Copies of an image are worth something still, once nothing else is left.
        best = int(np.argmax(np.where(left, worth * (nearest + 1e-6), -1.0)))
        chosen.append(best)
        left[best] = False
        nearest = np.minimum(nearest, np.clip(1.0 - waiting @ waiting[best], 0.0, 2.0))
    return chosen
