"""The training loop of a detector: SGD with one cycle over augmented batches, held to be read in one go.

What is random in a step (which images, how they are seen, what is sampled from them) follows from the seed and the
step's place alone. So a training that was killed and continues, and one that several processes share, need to know
nothing of the random numbers before.
"""

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN

from training.augmentation import Strengths, View, augment
from training.checkpoint import RunCheckpoint, no_checkpoint
from training.detection_data import Sample, as_input
from training.detection_metrics import Detections, Truth, coco_metrics
from training.devices import ALONE, Team
from training.pace import Pace
from training.settings import DetectorSettings

# Gradients of a first step on few images may be huge; one clipped step costs less than a lost round.
MOST_GRADIENT = 4.0
# Only the end of the schedule is judged on the way: before, the rate is large and the network far from done.
JUDGED_FROM = 0.6
# Batches among whose images those of like size are put together.
STRETCH = 8


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
    images_per_second: float


@dataclass
class Trained:
    """The network, and what led there."""

    model: FasterRCNN
    epochs: int
    history: list[dict[str, float]] = field(default_factory=list)


def epochs_for(images: int, batch: int) -> int:
    """Passes over the images: few images are looked at more often, many are enough by themselves."""
    seen_an_epoch = math.ceil(images / batch) * min(batch, images)
    return max(1, math.ceil((700 + 4 * images) / seen_an_epoch))


def steps_of(images: int, epochs: int, batch: int) -> int:
    return math.ceil(images / batch) * epochs


def judged_after(epochs: int) -> list[int]:
    """The epochs after which the curve has a point: about ten of the last ones, as each costs time to learn."""
    every = max(1, round(epochs * (1 - JUDGED_FROM) / 8))
    return [e for e in range(1, epochs + 1) if e == epochs or (e > JUDGED_FROM * epochs and (epochs - e) % every == 0)]


class Learner:
    """A network with its optimizer and schedule: takes steps, and can be written down between any two of them."""

    def __init__(self, model: FasterRCNN, settings: DetectorSettings, steps: int, team: Team) -> None:
        self.model = model.to(team.device)
        # The seed gives all processes the same, but for what another kind of machine rounds in another way.
        team.same_weights(self.model)
        self.team = team
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.SGD(
            self.parameters,
            lr=settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=settings.momentum > 0,
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            settings.lr,
            total_steps=max(2, steps),
            pct_start=settings.warmup,
            div_factor=20,
            final_div_factor=50,
            cycle_momentum=False,
        )
        self.scaler = team.scaler()

    def step(self, images: list[Tensor], targets: list[dict[str, Any]], weight: float = 1.0) -> float:
        """Learn from this process's share of a batch, of so much weight; returns the loss of the whole batch.

        Raises FloatingPointError where the loss is no finite number.
        """
        with self.team.autocast():
            loss: Tensor = sum(self.model(images, targets).values(), torch.zeros(()))
        mean = self.team.average(loss, weight)
        # All processes see the same mean, so that all end together.
        if not math.isfinite(mean):
            raise FloatingPointError("The loss is no longer a finite number; a lower lr may help.")
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        # Averaged before they are unscaled, so that all processes find the same infinities and skip the same steps.
        self.team.average_gradients(self.parameters, weight)
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.parameters, MOST_GRADIENT)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        return mean

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def fits(self, state: dict[str, Any]) -> bool:
        """Whether a state is one of this network's."""
        theirs, ours = state["model"], self.model.state_dict()
        return {key: value.shape for key, value in theirs.items()} == {key: value.shape for key, value in ours.items()}

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])


@dataclass
class Place:
    """Where a training stands: `position` steps of `epoch` (from 1) are done, with these losses."""

    epoch: int = 1
    position: int = 0
    losses: list[float] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)


def train_detector(
    model: FasterRCNN,
    samples: Sequence[Sample],
    calibrate: Sequence[Sample],
    settings: DetectorSettings,
    *,
    epochs: int,
    seed: int,
    tell: Callable[[Step | dict[str, float]], None],
    wanted: Callable[[], bool],
    checkpoint: RunCheckpoint | None = None,
    team: Team = ALONE,
    pace: Pace | None = None,
) -> Trained:
    """Train on `samples` for so many epochs; what the `calibrate` samples say at the end of the schedule is told, and
    chooses nothing: the network is that of the last epoch.

    `tell` gets a Step after each step and {"epoch", "loss", "map_50", ...} after each epoch; `wanted` is asked
    before each step, and False ends the training with Stopped, after what was learned is kept in the checkpoint. A
    checkpoint that was begun is gone on from, with the same result as if it had never ended.
    """
    checkpoint, pace = checkpoint or no_checkpoint(), pace or Pace()
    per_epoch = steps_of(len(samples), 1, settings.batch)
    steps = per_epoch * epochs
    learner = Learner(model, settings, steps, team)
    place = Place()
    if checkpoint.begun is not None and learner.fits(checkpoint.begun["learner"]):
        learner.restore(checkpoint.begun["learner"])
        place = Place(**checkpoint.begun["place"])

    def keep() -> None:
        checkpoint.keep({"learner": learner.state(), "place": dict(place.__dict__)})

    strengths = Strengths(settings.scale, settings.colour, settings.brightness)
    looks = judged_after(epochs) if calibrate else []
    shapes = [(sample.pixels.shape[1], sample.pixels.shape[2]) for sample in samples]
    while place.epoch <= epochs:
        epoch = place.epoch
        model.train()
        plan = _plan(shapes, settings.batch, random.Random(f"{seed} {epoch}"))
        while place.position < per_epoch:
            if team.any(not wanted()):
                keep()
                raise Stopped
            began = time.monotonic()
            batch, name = [samples[i] for i in plan[place.position]], f"{seed} {epoch} {place.position}"
            # What is sampled in the step must differ between processes, which hold different images.
            torch.manual_seed(random.Random(f"{name} torch {team.rank}").getrandbits(63))
            view = View.draw(strengths, random.Random(name))
            share = team.share(len(batch))
            # Who has no image in a small batch computes on one that does not count.
            own = [(batch[i], random.Random(f"{name} {i}")) for i in share or [0]]
            loss = learner.step(*_augmented(own, view, strengths, team.device), len(share) / len(batch))
            place.position += 1
            place.losses.append(loss)
            pace.stepped(len(batch), time.monotonic() - began)
            step = (epoch - 1) * per_epoch + place.position
            eta = pace.left(steps - step, len(calibrate) * sum(e >= epoch for e in looks))
            tell(Step(step, steps, epoch, epochs, loss, eta, pace.images_per_second))
            if place.position < per_epoch and checkpoint.due():
                keep()
        record: dict[str, float] = {"epoch": epoch, "loss": sum(place.losses) / len(place.losses)}
        if epoch in looks:
            began = time.monotonic()
            try:
                record |= coco_metrics(detect(model, calibrate, wanted, team), truth_of(calibrate))
            except Stopped:
                keep()
                raise
            pace.looked(len(calibrate), time.monotonic() - began)
        place.history.append(record)
        place.epoch, place.position, place.losses = epoch + 1, 0, []
        tell(record)
        if checkpoint.due():
            keep()
    model.eval()
    return Trained(model, epochs, place.history)


def detect(
    model: FasterRCNN, samples: Sequence[Sample], wanted: Callable[[], bool] = lambda: True, team: Team = ALONE
) -> list[Detections]:
    """Detections of each sample in its px, best first, on the CPU; the processes of a team share the work."""
    model.eval()
    found: list[Detections] = []
    ended = False
    with torch.inference_mode(), team.autocast():
        for i in team.share(len(samples)):
            if not wanted():
                ended = True
                break
            out = model([as_input(samples[i].pixels.to(team.device))])[0]
            # Cloned out of inference mode, so that metrics may do with them what they like.
            found.append({name: out[name].float().cpu().clone() for name in ("boxes", "scores")})
    if team.any(ended):
        raise Stopped
    return team.gathered(found, len(samples))


def truth_of(samples: Sequence[Sample]) -> list[Truth]:
    return [{"boxes": sample.boxes, "ignored": sample.ignored} for sample in samples]


def _plan(shapes: Sequence[tuple[int, int]], size: int, rng: random.Random) -> list[list[int]]:
    """All images once, in random order; the last batch is filled up from the front, so that steps weigh alike.

    Within a stretch of some batches images of like height and width come together: what is smaller than the largest of
    a batch is padded, and padding is computed like any pixel.
    """
    order = list(range(len(shapes)))
    rng.shuffle(order)
    if len(shapes) >= size:
        order += order[: -len(order) % size]
    plan = []
    for start in range(0, len(order), STRETCH * size):
        stretch = sorted(order[start : start + STRETCH * size], key=lambda i: shapes[i])
        batches = [stretch[at : at + size] for at in range(0, len(stretch), size)]
        rng.shuffle(batches)
        plan += batches
    return plan


def _augmented(
    batch: Sequence[tuple[Sample, random.Random]], view: View, strengths: Strengths, device: torch.device
) -> tuple[list[Tensor], list[dict[str, Any]]]:
    images, targets = [], []
    for sample, rng in batch:
        # Points of outlines travel as boxes without size.
        points = torch.cat([*sample.outlines, torch.empty(0, 2)]).repeat(1, 2)
        together = torch.cat([sample.boxes, sample.ignored, points]).to(device)
        image, moved = augment(as_input(sample.pixels.to(device)), together, view, strengths, rng)
        boxes, points = moved.split([len(together) - len(points), len(points)])
        cells = len(sample.boxes)
        images.append(image)
        targets.append(
            {
                "boxes": boxes[:cells],
                "labels": torch.ones(cells, dtype=torch.int64, device=device),
                "ignored": boxes[cells:],
                "outlines": points[:, :2].split([len(outline) for outline in sample.outlines]),
            }
        )
    return images, targets
