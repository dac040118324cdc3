"""One round of a detector, from a snapshot to a bundle: split, train, judge, and for folds refit on all."""

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from statistics import fmean, median, median_low
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torchvision.models.detection import FasterRCNN

from training.backbone import LEVELS
from training.bundle import BundleError, BundleFiles, read_bundle, write_bundle
from training.detection_data import Sample, anchor_sides, load_sample, training_size
from training.detection_metrics import DEFAULT_THRESHOLD, best_threshold, coco_metrics
from training.detection_training import Step, Trained, detect, epochs_for, train_detector, truth_of
from training.detector import MEAN, STD, Architecture, build_detector
from training.parents import splits_of, why_not
from training.settings import DetectorSettings
from training.snapshot import Snapshot
from training.splits import Split

HEAD = 512
VERSION = "0.1.0"

Tell = Callable[[dict[str, Any]], None]


@dataclass
class Outcome:
    """One trained split: the network, its metrics on the groups that judge (None without), and its threshold."""

    trained: Trained
    metrics: dict[str, float] | None
    threshold: float | None
    seconds: float


@dataclass(frozen=True)
class RoundOfDetector:
    """What all splits of one round share."""

    snapshot: Snapshot
    settings: DetectorSettings
    seed: int
    parent: BundleFiles | None
    tell: Tell
    wanted: Callable[[], bool]

    def carry_out(self, out: Path) -> dict[str, Any]:
        """Train, judge, and write the bundle to `out`; returns {"bundle", "seconds", "map", ..., "folds"}."""
        started = time.monotonic()
        if self.settings.threads:
            torch.set_num_threads(self.settings.threads)
        splits = splits_of(self.snapshot.images, self.settings)
        if self.parent is not None:
            reason = why_not(self.parent.card, self.snapshot.images, splits, self.settings)
            if reason:
                raise BundleError(f"The round cannot start from bundle {self.parent.id}: {reason}.")
        size = self._size()
        self._log(f"{len(self.snapshot.images)} images at {size} px, {sum(map(_cells, self.snapshot.images))} cells.")
        samples: dict[str, list[Sample]] = {}
        for image in self.snapshot.images:
            samples.setdefault(image["group"], []).append(load_sample(self.snapshot, image, size))
        metrics: dict[str, float] | None
        if self.settings.folds:
            final, metrics, folds, threshold = self._cross_validate(splits, samples)
        else:
            outcome = self._train(splits[0], samples, None, len(splits))
            final, metrics, folds = outcome.trained, outcome.metrics, []
            threshold = outcome.threshold or DEFAULT_THRESHOLD
        bundle = self._write(out, final, splits, metrics, folds, threshold, size)
        result: dict[str, Any] = {"bundle": bundle.id, "seconds": round(time.monotonic() - started, 1)}
        result |= metrics or dict.fromkeys(("map", "map_50", "map_75", "mar"))
        return result | ({"folds": folds} if folds else {})

    def _cross_validate(
        self, splits: Sequence[Split], samples: dict[str, list[Sample]]
    ) -> tuple[Trained, dict[str, float], list[dict[str, Any]], float]:
        """Metrics out of fold, then a refit on all for the median best epoch with the median threshold."""
        folds: list[dict[str, Any]] = []
        thresholds: list[float] = []
        best: list[float] = []
        for number, split in enumerate(splits):
            outcome = self._train(split, samples, number, len(splits))
            assert outcome.metrics is not None
            folds.append({"fold": number, "seconds": round(outcome.seconds, 1), **outcome.metrics})
            best.append(outcome.trained.best_epoch / outcome.trained.epochs)
            if outcome.threshold is not None:
                thresholds.append(outcome.threshold)
        everyone = Split(tuple(samples))
        images = sum(map(len, samples.values()))
        epochs = max(1, round(median(best) * (self.settings.epochs or epochs_for(images, self.settings.batch))))
        self._log(f"Refit on all {images} images for {epochs} epochs.")
        final = self._train(everyone, samples, None, len(splits), epochs=epochs).trained
        mean = {key: fmean(fold[key] for fold in folds) for key in ("map", "map_50", "map_75", "mar")}
        return final, mean, folds, median_low(thresholds) if thresholds else DEFAULT_THRESHOLD

    def _train(
        self,
        split: Split,
        samples: dict[str, list[Sample]],
        fold: int | None,
        runs: int,
        epochs: int | None = None,
    ) -> Outcome:
        started = time.monotonic()
        train, stop, judge = (
            [s for group in part for s in samples[group]] for part in (split.train, split.stop, split.judge)
        )
        if split.note:
            self._log(split.note)
        self.tell(
            {
                "event": "fold" if fold is not None else "start",
                "fold": fold,
                "message": f"{len(train)} images train, {len(stop)} decide when to stop, {len(judge)} judge.",
            }
        )
        torch.manual_seed(self.seed)
        model = self._network(train)

        def tell(what: Step | dict[str, float]) -> None:
            if isinstance(what, Step):
                self.tell(
                    {
                        "event": "step",
                        "fold": fold,
                        **what.__dict__,
                        "eta_seconds": round(self._left(what, fold, runs), 1),
                    }
                )
            else:
                self.tell({"event": "epoch", "fold": fold, **what})

        epochs = epochs or self.settings.epochs or epochs_for(len(train), self.settings.batch)
        trained = train_detector(
            model, train, stop, self.settings, epochs=epochs, seed=self.seed, tell=tell, wanted=self.wanted
        )
        threshold = best_threshold(detect(model, stop, self.wanted), truth_of(stop)) if stop else None
        metrics = coco_metrics(detect(model, judge, self.wanted), truth_of(judge)) if judge else None
        if metrics:
            self._log(f"Judged on {len(judge)} images: map {metrics['map']:.3f}, map_50 {metrics['map_50']:.3f}.")
        return Outcome(trained, metrics, threshold, time.monotonic() - started)

    def _left(self, step: Step, fold: int | None, runs: int) -> float:
        """Seconds left of this run and of the folds and the refit that come after it."""
        after = 0 if fold is None else runs - fold
        whole = step.eta_seconds * step.steps / max(1, step.steps - step.step) if step.step < step.steps else 0
        return step.eta_seconds + after * whole

    def _size(self) -> int:
        if self.settings.size:
            return self.settings.size
        if self.parent is not None:
            return int(self.parent.card["inputs"]["size"])
        return training_size(self.snapshot.images)

    def _network(self, train: Sequence[Sample]) -> FasterRCNN:
        if self.parent is None:
            architecture = Architecture(
                self.settings.backbone,
                self.settings.pyramid,
                HEAD,
                anchor_sides(train, LEVELS + 1),
                self.settings.nms,
            )
            return build_detector(architecture, frozen_stages=self.settings.frozen_stages, pretrained=True)
        # The parent's anchors, since its weights mean nothing with others.
        architecture = replace(Architecture.from_dict(self.parent.card["architecture"]), nms=self.settings.nms)
        model = build_detector(architecture, frozen_stages=self.settings.frozen_stages)
        model.load_state_dict(load_file(self.parent.weights))
        return model

    def _write(
        self,
        out: Path,
        final: Trained,
        splits: Sequence[Split],
        metrics: dict[str, float] | None,
        folds: list[dict[str, Any]],
        threshold: float,
        size: int,
    ) -> BundleFiles:
        whole = bool(self.settings.folds)
        seen = {g for split in splits for g in (*split.train, *split.stop, *(split.judge if whole else ()))}
        images = {image["sha256"] for image in self.snapshot.images if image["group"] in seen}
        if self.parent is not None:
            seen |= set(self.parent.card["groups"])
            images |= set(self.parent.card["images"])
        backbone = final.model
        card = {
            "kind": "detector",
            "architecture": self._architecture(final.model).as_dict(),
            "inputs": {"size": size, "mean": list(MEAN), "std": list(STD), "channels": "RGB"},
            "classes": ["cell"],
            "snapshot": self.snapshot.hash,
            "study": self.snapshot.manifest["study"],
            "folds": {
                "splits": [{"train": s.train, "stop": s.stop, "judge": s.judge} for s in splits],
                "metrics": folds,
                "note": splits[0].note,
            },
            "groups": sorted(seen),
            "images": sorted(images),
            "settings": self.settings.as_dict(),
            "seed": self.seed,
            "versions": versions(),
            "metrics": metrics,
            "score_threshold": float(threshold),
            "parent": self.parent.id if self.parent else None,
            "best_epoch": final.best_epoch,
            "history": final.history,
        }
        return write_bundle(out, card, lambda path: save_file(_weights(backbone), path))

    def _architecture(self, model: FasterRCNN) -> Architecture:
        anchors = tuple(float(sides[0]) for sides in model.rpn.anchor_generator.sizes)
        return Architecture(self.settings.backbone, self.settings.pyramid, HEAD, anchors, self.settings.nms)

    def _log(self, message: str) -> None:
        self.tell({"event": "log", "message": message})


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "marrowloop": VERSION}
    return found | {name: metadata.version(name) for name in ("torch", "torchvision", "timm")}


def open_parent(folder: Path | None) -> BundleFiles | None:
    return read_bundle(folder, "detector") if folder is not None else None


def _cells(image: dict[str, Any]) -> int:
    return sum(not border["ignored"] for border in image["borders"])


def _weights(model: FasterRCNN) -> dict[str, torch.Tensor]:
    return {name: value.contiguous() for name, value in model.state_dict().items()}
