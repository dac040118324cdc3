"""Teaching a network of whole images: as many images of each diagnosis and each patient, varied each time."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.crop_features import Stopped
from training.diagnosis_settings import ImageSettings
from training.image_network import ImageNetwork
from training.image_pixels import Pixels, varied

Tell = Callable[[dict[str, Any]], None]

# Steps of the schedule before the highest learning rate, as a share of all.
_WARMUP = 0.15
# Images shown to each network where the data decides: this many, and each image once more.
_LEAST_PASSES = 1200


@dataclass(frozen=True)
class Lesson:
    """What one network learns from: images, the number of each one's patient (n,), each patient's diagnosis (P,), and
    for each decision the class of each patient (P,), -1 where it is not about the patient."""

    images: Sequence[Pixels]
    patient: NDArray[np.int64]
    diagnoses: Sequence[str]
    targets: Sequence[NDArray[np.int64]]
    widths: Sequence[int]


def passes_for(settings: ImageSettings, images: int) -> int:
    return settings.passes or _LEAST_PASSES + images


def teach_network(
    lesson: Lesson,
    settings: ImageSettings,
    seed: Sequence[int],
    *,
    fold: int | None = None,
    tell: Tell = lambda event: None,
    wanted: Callable[[], bool] = lambda: True,
    still: int = 0,
) -> ImageNetwork:
    """The same seed gives the same network. Tells of events "step"; `still`: how many networks are yet to be taught
    after it, for the time that is left. Raises Stopped where it is no longer `wanted`, BackboneError for a body whose
    weights cannot be had."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    learning = np.unique(lesson.patient)
    steps = max(1, math.ceil(passes_for(settings, len(lesson.images)) / settings.batch))
    epochs = round(steps * settings.batch / len(lesson.images), 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.default_rng(list(seed)).integers(2**31)))
        network = ImageNetwork(settings.backbone, lesson.widths, settings.dropout).to(device).train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, settings.lr, total_steps=steps + 1, pct_start=_WARMUP, cycle_momentum=False
        )
        begun = time.monotonic()
        for step in range(steps):
            if not wanted():
                raise Stopped
            chance = np.random.default_rng([*seed, step])
            drawn = _drawn(lesson, learning, settings.batch, chance)
            shown = np.stack(
                [varied(lesson.images[row], settings.size, chance, settings.augmentation) for row in drawn]
            )
            scores = network(network.as_input(shown))
            loss = _loss(scores, [targets[lesson.patient[drawn]] for targets in lesson.targets])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            each = (time.monotonic() - begun) / (step + 1)
            tell(
                {
                    "event": "step",
                    "fold": fold,
                    "step": step + 1,
                    "steps": steps,
                    "epochs": epochs,
                    "loss": round(float(loss.detach()), 5),
                    "eta_seconds": round(each * (steps * (1 + still) - step - 1), 1),
                }
            )
    return network.eval()


def _drawn(lesson: Lesson, learning: NDArray[np.int64], count: int, chance: np.random.Generator) -> NDArray[np.int64]:
    """Rows of images: each diagnosis as often, in it each patient, and of a patient each image."""
    by_diagnosis = [
        [number for number in learning.tolist() if lesson.diagnoses[number] == each]
        for each in sorted({lesson.diagnoses[number] for number in learning.tolist()})
    ]
    first = int(chance.integers(len(by_diagnosis)))
    rows = []
    for place in range(count):
        own = by_diagnosis[(first + place) % len(by_diagnosis)]
        patient = own[int(chance.integers(len(own)))]
        images = np.flatnonzero(lesson.patient == patient)
        rows.append(int(images[int(chance.integers(len(images)))]))
    return np.array(rows, dtype=np.int64)


def _loss(scores: Sequence[Tensor], targets: Sequence[NDArray[np.int64]]) -> Tensor:
    """Cross-entropy, the mean over the decisions; an image counts for those that its patient belongs to."""
    parts = []
    for own, wanted in zip(scores, targets, strict=True):
        # Of none of a batch nothing is learned, and the sum of nothing is 0.
        whole = nn.functional.cross_entropy(
            own, torch.from_numpy(wanted).to(own.device), ignore_index=-1, reduction="sum"
        )
        parts.append(whole / max(1, int((wanted >= 0).sum())))
    return torch.stack(parts).mean()
