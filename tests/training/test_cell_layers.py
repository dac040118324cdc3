"""Layers before the last one: they learn what no linear head can, and stand in its place."""

from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from training.cell_head import Head, HeadError, fit_head
from training.cell_layers import fit_layers, tensor_scores

SMALL: dict[str, Any] = {"layers": 2, "units": 24, "dropout": 0.1, "passes": 20}


def checkered(seed: int, count: int = 900) -> tuple[Any, Any, Any]:
    """Two classes, each in two opposite corners of two of eight features: no line parts them."""
    rng = np.random.default_rng(seed)
    features = rng.normal(0, 0.3, (count, 8)).astype(np.float32)
    corner = rng.choice([-1.0, 1.0], (count, 2))
    features[:, :2] += 1.5 * corner
    return features, (corner.prod(axis=1) > 0).astype(int), np.array([f"p{n % 12}" for n in range(count)])


def test_layers_learn_what_no_line_parts() -> None:
    features, targets, groups = checkered(0)
    unseen, truth, _ = checkered(1)
    linear = fit_head(features, targets, None, groups)
    assert (linear.probabilities(unseen).argmax(axis=1) == truth).mean() < 0.65
    layers = fit_layers(features, targets, groups, **SMALL)
    found = layers.probabilities(unseen)
    assert (found.argmax(axis=1) == truth).mean() > 0.95
    # Sure of them, as patients that were set aside said it may be.
    assert found.max(axis=1).mean() > 0.85
    assert [len(bias) for _, bias in layers.hidden] == [24, 24] and layers.width == 8


def test_the_same_cells_give_the_same_layers_which_are_written_and_read() -> None:
    features, targets, groups = checkered(2, 200)
    head = fit_layers(features, targets, groups, **SMALL | {"passes": 2})
    again = fit_layers(features, targets, groups, **SMALL | {"passes": 2})
    written = save(head.to_tensors())
    assert written == save(again.to_tensors())
    read = Head.from_tensors(load(written))
    assert (read.probabilities(features) == head.probabilities(features)).all()
    other = fit_layers(features, targets, groups, seed=1, **SMALL | {"passes": 2})
    assert save(other.to_tensors()) != written
    found = tensor_scores(head, torch.from_numpy(features)).numpy()
    assert found == pytest.approx(head.scores(features), abs=1e-4)


def test_tensors_that_do_not_fit_together_are_refused() -> None:
    features, targets, groups = checkered(2, 60)
    tensors = fit_layers(features, targets, groups, **SMALL | {"passes": 1}).to_tensors()
    for name, wrong in (("hidden.1.weight", tensors["hidden.0.weight"]), ("weight", tensors["weight"][1:])):
        with pytest.raises(ValueError, match="do not fit together"):
            Head.from_tensors(tensors | {name: wrong})
    with pytest.raises(ValueError, match="looks at 8 features"):
        Head.from_tensors(tensors).scores(np.zeros((2, 24)))


def test_what_teaches_nothing_is_said() -> None:
    features, targets, groups = checkered(3, 40)
    with pytest.raises(HeadError, match="All cells have one label"):
        fit_layers(features, np.zeros(40), groups, **SMALL)
    features[3, 2] = np.nan
    with pytest.raises(HeadError, match="not finite"):
        fit_layers(features, targets, groups, **SMALL)


def test_one_patient_and_few_cells_are_learned_without_anybody_set_aside() -> None:
    features, targets, _ = checkered(4, 3)
    targets[:] = [0, 1, 1]
    head = fit_layers(features, targets, ["p"] * 3, **SMALL | {"passes": 3}, classes=3)
    assert head.probabilities(features).shape == (3, 3) and head.temperature == 1
