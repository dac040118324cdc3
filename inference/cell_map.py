"""The map of a study's cells: stored features in two dimensions, so that what looks alike lies together. Free of torch.

Two projections of the same cells. By the two main axes of the features (PCA): distances mean something everywhere, and
it is known how much of the differences they hold. By neighbourhoods (UMAP, McInnes et al. 2018): groups come out, but
their sizes and what lies between them mean nothing. Pure: arrays in, arrays out.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float32]

# Cells from which axes and neighbourhoods are learned; the others are laid among them.
LEARNED_FROM = 10_000
# Main axes along which neighbours are looked for: what is beyond is mostly noise, and takes most of the time.
AXES = 50
NEIGHBOURS = 15
# How close neighbours may come: lower packs groups more tightly.
CLOSENESS = 0.1
SEED = 0
# Fewer cells have no neighbourhoods worth the name, and UMAP wants more cells than neighbours.
FEWEST = NEIGHBOURS + 2


@dataclass(frozen=True)
class Projection:
    """pca: (n, 2), in units of the features; explained: the share of the variance that each of its axes holds. umap:
    (n, 2). learned_from: of how many cells."""

    pca: Table
    explained: tuple[float, float]
    umap: Table
    learned_from: int


class TooFew(ValueError):
    """Cells of which no map can be made; the message says so in one sentence."""


def project(
    sample: Table,
    chunks: Iterable[Table],
    progress: Callable[[str, int], None] = lambda stage, done: None,
) -> Projection:
    """Axes and neighbourhoods learned from `sample` (m, C), and the place of each of the cells (n, C) that `chunks`
    hold one after the other.

    `progress` is told of each stage ("axes", "neighbourhoods", "places") and how many cells have their place. Raises
    TooFew below FEWEST cells in the sample, or where all of them look the same.
    """
    if len(sample) < FEWEST:
        raise TooFew(f"A map needs at least {FEWEST} cells with features; there are {len(sample)}.")
    # Imported here, as they take seconds to.
    from sklearn.decomposition import PCA

    progress("axes", 0)
    mean = sample.mean(axis=0)
    if sample.var(axis=0).sum() < 1e-12:
        raise TooFew("All cells look the same to the model: there is nothing to lay out.")
    axes = min(AXES, *sample.shape)
    fitted = PCA(n_components=axes, svd_solver="randomized" if axes < sample.shape[1] else "full", random_state=SEED)
    learned = fitted.fit_transform(sample - mean)
    progress("neighbourhoods", 0)
    layout = _umap(learned)
    places, done = [], 0
    flat = []
    for chunk in chunks:
        seen = fitted.transform(chunk - mean)
        flat.append(seen[:, :2])
        places.append(layout.transform(seen))
        done += len(chunk)
        progress("places", done)
    pca = np.concatenate(flat).astype(np.float32)
    if pca.shape[1] < 2:
        pca = np.concatenate([pca, np.zeros_like(pca)], axis=1)
    shares = [*fitted.explained_variance_ratio_.tolist(), 0.0]
    return Projection(pca, (shares[0], shares[1]), np.concatenate(places).astype(np.float32), len(sample))


def _umap(learned: NDArray[Any]) -> Any:
    import umap

    layout = umap.UMAP(
        n_neighbors=NEIGHBOURS,
        min_dist=CLOSENESS,
        # The same map from the same features: one thread, but a map does not change by being made anew.
        random_state=SEED,
        n_jobs=1,
    )
    return layout.fit(learned)
