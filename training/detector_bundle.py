"""The bundle of a detector: the weights that a round ended with, and a card that says what they saw."""

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file

from training.bundle import BundleFiles, write_bundle
from training.calibration import Calibration
from training.checkpoint import no_space_or
from training.code_version import VERSION
from training.detector import MEAN, STD, CellDetector
from training.settings import DetectorSettings
from training.snapshot import Snapshot
from training.splits import Split


def write_detector(
    out: Path,
    model: CellDetector,
    snapshot: Snapshot,
    settings: DetectorSettings,
    parent: BundleFiles | None,
    splits: Sequence[Split],
    *,
    size: int,
    threshold: float,
    calibration: Calibration,
    facts: Mapping[str, Any],
) -> BundleFiles:
    """Write the bundle to `out`; `facts` are the rest of its card. Raises OSError where the disk refuses."""
    # Folds are refitted on all, so that all were seen.
    judged = {g for split in splits for g in split.judge} if settings.folds else set()
    seen = judged | {g for split in splits for g in (*split.train, *split.calibrate)}
    chosen = [image for image in snapshot.images if image["group"] in seen]
    images = {image["sha256"] for image in chosen}
    if parent is not None:
        seen |= set(parent.card["groups"])
        images |= set(parent.card["images"])
    card = {
        "kind": "detector",
        "architecture": model.architecture.as_dict(),
        "inputs": {
            "size": size,
            # The long side of the images it learned from, in their own px: much larger fields are taken in tiles.
            "field": median(max(image["width"], image["height"]) for image in chosen),
            "mean": list(MEAN),
            "std": list(STD),
            "channels": "RGB",
        },
        "classes": ["cell"],
        "snapshot": snapshot.hash,
        "study": snapshot.manifest["study"],
        "groups": sorted(seen),
        "images": sorted(images),
        "settings": settings.as_dict(),
        "versions": versions(),
        "score_threshold": float(threshold),
        "calibration": calibration.as_dict(),
        "parent": parent.id if parent else None,
        **facts,
    }
    return write_bundle(out, card, lambda path: _save(model, path))


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "marrowloop": VERSION}
    return found | {name: metadata.version(name) for name in ("torch", "torchvision", "timm")}


def _save(model: CellDetector, path: Path) -> None:
    weights = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    try:
        save_file(weights, path)
    except SafetensorError as problem:
        raise OSError(no_space_or(problem)) from problem
