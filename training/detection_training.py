"""The training loop of a detector: SGD with one cycle over augmented batches, held to be read in one go."""

import copy
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN

from training.augmentation import Strengths, View, augment
from training.detection_data import Sample, as_input
from training.detection_metrics import Detections, Truth, coco_metrics
from training.settings import DetectorSettings

# Gradients of a first step on few images may be huge; one clipped step costs less than a lost round.
MOST_GRADIENT = 4.0
# The end of the schedule, where the rate is small and the weights differ little, is what stopping chooses among.
EVALUATED_FROM = 0.6


class Stopped(Exception):
    """Somebody asked for the end of the training."""


@dataclass(frozen=True)
class Step:
    """What is told after each step."""

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float
    eta_seconds: float


@dataclass
class Trained:
    """The network of the best epoch, what led there, and its detections on the stopping split."""

    model: FasterRCNN
    best_epoch: int
    epochs: int
    history: list[dict[str, float]] = field(default_factory=list)


def epochs_for(images: int, batch: int) -> int:
    """Passes over the images: few images are looked at more often, many are enough by themselves."""
    seen_an_epoch = math.ceil(images / batch) * min(batch, images)
    return max(1, math.ceil((700 + 4 * images) / seen_an_epoch))


def train_detector(
    model: FasterRCNN,
    samples: Sequence[Sample],
    stop: Sequence[Sample],
    settings: DetectorSettings,
    *,
    epochs: int,
    seed: int,
    tell: Callable[[Step | dict[str, float]], None],
    wanted: Callable[[], bool],
) -> Trained:
    """Train on `samples` for so many epochs; with `stop` samples, keep the epoch that does best on them.

    `tell` gets a Step after each step and {"epoch", "loss", "map_50", ...} after each epoch; `wanted` is asked
    before each step, and False ends the training with Stopped.
    """
    rng = random.Random(seed)
    per_epoch = math.ceil(len(samples) / settings.batch)
    steps = per_epoch * epochs
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = (
        torch.optim.SGD(
            parameters, lr=settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay, nesterov=True
        )
        if settings.momentum
        else torch.optim.SGD(parameters, lr=settings.lr, weight_decay=settings.weight_decay)
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        settings.lr,
        total_steps=max(2, steps),
        pct_start=settings.warmup,
        div_factor=20,
        final_div_factor=50,
        cycle_momentum=False,
    )
    strengths = Strengths(settings.scale, settings.colour, settings.brightness)
    trained = Trained(model, best_epoch=epochs, epochs=epochs)
    best_score, best_weights = -1.0, None
    # The last epochs are tried about ten times in all: trying costs time that learning could use.
    tried_every = max(1, round(epochs * (1 - EVALUATED_FROM) / 8))
    started, step = time.monotonic(), 0
    for epoch in range(1, epochs + 1):
        model.train()
        losses = []
        for batch in _batches(samples, settings.batch, rng):
            if not wanted():
                raise Stopped
            images, targets = _augmented(batch, strengths, rng)
            loss: Tensor = sum(model(images, targets).values(), torch.zeros(()))
            if not torch.isfinite(loss):
                raise FloatingPointError("The loss is no longer a finite number; a lower lr may help.")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(parameters, MOST_GRADIENT)
            optimizer.step()
            schedule.step()
            step += 1
            losses.append(float(loss.detach()))
            eta = (time.monotonic() - started) / step * (steps - step)
            tell(Step(step, steps, epoch, epochs, losses[-1], eta))
        record: dict[str, float] = {"epoch": epoch, "loss": sum(losses) / len(losses)}
        if stop and (epoch == epochs or (epoch > EVALUATED_FROM * epochs and (epochs - epoch) % tried_every == 0)):
            record |= coco_metrics(detect(model, stop, wanted), truth_of(stop))
            if record["map"] > best_score:
                best_score, best_weights = record["map"], copy.deepcopy(model.state_dict())
                trained.best_epoch = epoch
        trained.history.append(record)
        tell(record)
    if best_weights is not None:
        model.load_state_dict(best_weights)
    model.eval()
    return trained


def detect(model: FasterRCNN, samples: Sequence[Sample], wanted: Callable[[], bool] = lambda: True) -> list[Detections]:
    """Detections of each sample in its px, best first."""
    model.eval()
    found = []
    with torch.inference_mode():
        for sample in samples:
            if not wanted():
                raise Stopped
            out = model([as_input(sample.pixels)])[0]
            # Cloned out of inference mode, so that metrics may do with them what they like.
            found.append({"boxes": out["boxes"].clone(), "scores": out["scores"].clone()})
    return found


def truth_of(samples: Sequence[Sample]) -> list[Truth]:
    return [{"boxes": sample.boxes, "ignored": sample.ignored} for sample in samples]


def _batches(samples: Sequence[Sample], size: int, rng: random.Random) -> Iterator[list[Sample]]:
    """All samples once, in random order; the last batch is filled up from the front, so that steps weigh alike."""
    order = list(range(len(samples)))
    rng.shuffle(order)
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        if len(samples) >= size:
            chosen += order[: size - len(chosen)]
        yield [samples[i] for i in chosen]


def _augmented(
    batch: Sequence[Sample], strengths: Strengths, rng: random.Random
) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    images, targets = [], []
    view = View.draw(strengths, rng)
    for sample in batch:
        together = torch.cat([sample.boxes, sample.ignored])
        image, boxes = augment(as_input(sample.pixels), together, view, strengths, rng)
        cells = len(sample.boxes)
        images.append(image)
        targets.append(
            {"boxes": boxes[:cells], "labels": torch.ones(cells, dtype=torch.int64), "ignored": boxes[cells:]}
        )
    return images, targets
