"""A detector small enough to be trained in a test: no pretrained weights, fields of discs, a few steps."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torchvision.models.detection import FasterRCNN

from tests.training.snapshots import disc_snapshot
from training.checkpoint import RunCheckpoint
from training.detection_data import Sample, load_sample
from training.detection_training import Trained, train_detector
from training.detector import Architecture, build_detector
from training.devices import ALONE, Team
from training.settings import DetectorSettings
from training.snapshot import read_snapshot

ARCHITECTURE = Architecture("efficientnet_lite0", 32, 32, (24.0, 32.0, 40.0, 48.0), 0.5)
SETTINGS = DetectorSettings(batch=2, lr=0.005)


def samples_in(folder: Path, images: int) -> list[Sample]:
    snapshot = read_snapshot(disc_snapshot(folder, images))
    return [load_sample(snapshot, image, 96) for image in snapshot.images]


def network() -> FasterRCNN:
    torch.manual_seed(0)
    return build_detector(ARCHITECTURE, pretrained=False)


def train(
    samples: Sequence[Sample],
    calibrate: Sequence[Sample] = (),
    *,
    settings: DetectorSettings = SETTINGS,
    epochs: int = 3,
    tell: Callable[[Any], None] = lambda what: None,
    wanted: Callable[[], bool] = lambda: True,
    checkpoint: RunCheckpoint | None = None,
    team: Team = ALONE,
) -> Trained:
    return train_detector(
        network(),
        samples,
        calibrate,
        settings,
        epochs=epochs,
        seed=5,
        tell=tell,
        wanted=wanted,
        checkpoint=checkpoint,
        team=team,
    )


def same_weights(one: FasterRCNN, other: FasterRCNN) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
