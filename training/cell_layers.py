"""One to three fully connected layers with dropout on stored features, as in Eckardt et al. 2022, where a linear head
(training/cell_head.py) does not suffice. Free of Django.

The layers look at the main directions of the features, as the linear head does. How often they pass over the cells is
chosen, and temperature and offsets are fitted, on patients that were set aside. The same inputs give the same bytes on
the same kind of processor.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from training.cell_head import DIRECTIONS, Head, HeadError, calibration, class_weights, main_directions, parts_of

# Passes over the cells at most, cells a step, and the highest rate of AdamW's one cycle.
PASSES, BATCH, RATE, DECAY = 20, 256, 2e-3, 1e-2


def fit_layers(
    features: ArrayLike,
    targets: ArrayLike,
    groups: Sequence[str] | NDArray[Any],
    *,
    layers: int,
    units: int,
    dropout: float,
    seed: int = 0,
    classes: int | None = None,
    passes: int = PASSES,
) -> Head:
    """A head with so many hidden layers, of features (n, C), class numbers (n,) and patients (n,), as fit_head has
    them. Raises HeadError as it does."""
    table, wanted = np.asarray(features, dtype=np.float32), np.asarray(targets, dtype=int)
    if len(np.unique(wanted)) < 2:
        raise HeadError("All cells have one label: a head needs two to tell apart.")
    if not np.isfinite(table).all():
        raise HeadError("Some features are not finite numbers.")
    count = max(classes or 0, int(wanted.max()) + 1)
    mean = table.mean(axis=0, dtype=np.float64).astype(np.float32)
    directions = main_directions(table - mean, DIRECTIONS)
    # To a variance of 1 by one number: directions in which features hardly vary stay small.
    seen = (table - mean) @ directions
    directions /= max(float(seen[:, 0].std()), 1e-9)
    seen = torch.from_numpy((table - mean) @ directions)
    truth = torch.from_numpy(wanted)
    weight = torch.from_numpy(class_weights(wanted, count, np.ones(len(wanted))).astype(np.float32))
    sizes = [seen.shape[1], *[units] * layers, count]
    parts = parts_of(np.asarray(groups), wanted, seed)
    best, calibrated = passes, None
    if parts is not None:
        losses, unseen = np.zeros(passes), np.zeros((passes, len(wanted), count))
        for part in np.unique(parts):
            held = torch.from_numpy(parts == part)
            network = _network(sizes, dropout, seed)
            for step in _taught(network, seen[~held], truth[~held], weight[~held], passes, seed):
                unseen[step][held.numpy()] = _scores(network, seen[held])
        for step in range(passes):
            likely = torch.log_softmax(torch.from_numpy(unseen[step]), dim=1)
            losses[step] = float(nn.functional.nll_loss(likely, truth))
        best = int(losses.argmin()) + 1
        calibrated = calibration(unseen[best - 1], wanted)
    network = _network(sizes, dropout, seed)
    for step in _taught(network, seen, truth, weight, passes, seed):
        if step + 1 == best:
            break
    return _as_head(network, directions, mean, calibrated)


def tensor_scores(head: Head, features: Tensor) -> Tensor:
    """(..., K) what Head.scores says of features (..., C); gradients go back through it."""
    for weight, bias in head.hidden:
        features = torch.relu(features @ torch.from_numpy(weight) + torch.from_numpy(bias))
    return features @ torch.from_numpy(head.weight) + torch.from_numpy(head.bias)


def _network(sizes: Sequence[int], dropout: float, seed: int) -> nn.Sequential:
    """Layers of these sizes, drawn from the seed."""
    generator = torch.Generator().manual_seed(seed)
    steps: list[nn.Module] = []
    for number, (before, after) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        linear = nn.Linear(before, after)
        last = number == len(sizes) - 2
        with torch.no_grad():
            linear.weight.normal_(0, (0.01 if last else 2 / before) ** 0.5, generator=generator)
            linear.bias.zero_()
        steps += [linear] if last else [linear, nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*steps)


def _taught(network: nn.Sequential, seen: Tensor, truth: Tensor, weight: Tensor, passes: int, seed: int) -> Any:
    """Pass over the cells, and give the number of each pass that is done."""
    generator = torch.Generator().manual_seed(seed)
    steps = passes * -(-len(seen) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=max(steps, 2))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for number in range(passes):
            network.train()
            for rows in torch.randperm(len(seen), generator=generator).split(BATCH):
                loss = nn.functional.cross_entropy(network(seen[rows]), truth[rows], reduction="none")
                optimizer.zero_grad()
                ((loss * weight[rows]).sum() / weight[rows].sum()).backward()
                optimizer.step()
                schedule.step()
            network.eval()
            yield number


def _scores(network: nn.Sequential, seen: Tensor) -> NDArray[np.float64]:
    with torch.inference_mode():
        found: NDArray[np.float64] = network(seen).double().numpy()
        return found


def _as_head(
    network: nn.Sequential, directions: NDArray[np.float32], mean: NDArray[np.float32], calibrated: Head | None
) -> Head:
    """The network as plain numbers, on features as they are: the first layer takes the directions in."""
    linear = [each for each in network if isinstance(each, nn.Linear)]
    layers = [(each.weight.detach().numpy().T.copy(), each.bias.detach().numpy().copy()) for each in linear]
    first, constant = layers[0]
    weight = directions.astype(np.float64) @ first
    layers[0] = (weight.astype(np.float32), (constant - mean @ weight).astype(np.float32))
    (last, bias), hidden = layers[-1], tuple(layers[:-1])
    if calibrated is None:
        return Head(last, bias, hidden=hidden)
    return Head(last, bias, calibrated.temperature, calibrated.offset, hidden=hidden)
