"""One round of a detector, from a snapshot to a bundle: split, train, judge, and for folds refit on all."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, median_low
from typing import Any

import torch

from training.bundle import BundleError, BundleFiles, read_bundle
from training.calibration import Calibration, fit_calibration
from training.checkpoint import Checkpoint
from training.corrections import DEFAULT_THRESHOLD, best_threshold
from training.detection_data import Sample, load_sample
from training.detection_metrics import Detections, coco_metrics
from training.detection_training import (
    Step,
    Stopped,
    detect,
    epochs_for,
    judged_after,
    steps_of,
    train_detector,
    truth_of,
)
from training.detector import CellDetector
from training.detector_bundle import versions, write_detector
from training.detector_start import LEAST_OUTLINES, outlines_in, starting_network, starting_size
from training.devices import ALONE, Team
from training.judged import NAME as JUDGED
from training.judged import judged_image, write_judged
from training.pace import Pace, Work
from training.parents import splits_of, why_not
from training.settings import DetectorSettings
from training.snapshot import Snapshot
from training.splits import Split

# Between two events while images are loaded, and how often a step says how much memory was needed.
TOLD_SECONDS = 1.0
MEMORY_STEPS = 20

Tell = Callable[[dict[str, Any]], None]


@dataclass
class Outcome:
    """One trained split: the network, its metrics on the groups that judge (None without), and what the groups that
    calibrate say of its scores: the threshold, and the curve to probabilities (None without any)."""

    epochs: int
    history: list[dict[str, float]]
    metrics: dict[str, float] | None
    threshold: float | None
    calibration: dict[str, Any] | None
    seconds: float
    # What it found on the images that judge, as training/judged.py has them.
    judged: list[dict[str, Any]] = field(default_factory=list)
    # None in a fold that an earlier process has trained: what it learned is not needed any more.
    model: CellDetector | None = None


@dataclass
class RoundOfDetector:
    """What all splits of one round share."""

    snapshot: Snapshot
    settings: DetectorSettings
    seed: int
    parent: BundleFiles | None
    tell: Tell
    wanted: Callable[[], bool]
    checkpoint: Checkpoint = field(default_factory=lambda: Checkpoint(None, {}))
    team: Team = ALONE
    pace: Pace = field(default_factory=Pace)
    # Cells of the snapshot whose outline is known.
    outlines: int = field(default=0, init=False)
    _began: float = field(default=0.0, init=False)

    def carry_out(self, out: Path) -> dict[str, Any]:
        """Train, judge, and write the bundle to `out`; returns {"bundle", "seconds", "map", ..., "folds"}.

        What the images that judged were found to hold is written beside it (training/judged.py). A checkpoint that was
        begun is gone on from; seconds and peak memory are those of all processes that took part.
        """
        self._began = time.monotonic() - self.checkpoint.earlier.get("seconds", 0.0)
        if self.checkpoint.found:
            done = ", ".join(self.checkpoint.outcomes) or "none"
            # The first of all events: it says that the time before it does not count.
            self.tell(
                {
                    "event": "continued",
                    "seconds": self.checkpoint.earlier["seconds"],
                    "message": f"Continues a training that ended before; runs done: {done}.",
                }
            )
        if self.settings.threads:
            torch.set_num_threads(self.settings.threads)
        splits = splits_of(self.snapshot.images, self.settings)
        if self.parent is not None:
            reason = why_not(self.parent.card, self.snapshot.images, splits, self.settings)
            if reason:
                raise BundleError(f"The round cannot start from bundle {self.parent.id}: {reason}.")
        size = starting_size(self.snapshot, self.settings, self.parent)
        self._log(f"{len(self.snapshot.images)} images at {size} px, {sum(map(_cells, self.snapshot.images))} cells.")
        if self.team.size > 1 or self.team.device.type != "cpu":
            self._log(f"Computed by {self.team}.")
        self.outlines = outlines_in(self.snapshot)
        samples = self._load(size)
        metrics: dict[str, float] | None
        if self.settings.folds:
            final, metrics, folds, judged = self._cross_validate(splits, samples)
        else:
            final = self._train(splits[0], samples, None, Work())
            metrics, folds, judged = final.metrics, [], final.judged
        result: dict[str, Any] = {}
        if self.team.leads:
            write_judged(out.parent / JUDGED, judged)
            assert final.model is not None
            result["bundle"] = write_detector(
                out,
                final.model,
                self.snapshot,
                self.settings,
                self.parent,
                splits,
                size=size,
                threshold=final.threshold or DEFAULT_THRESHOLD,
                calibration=Calibration(**final.calibration or {}),
                facts={
                    "seed": self.seed,
                    "metrics": metrics,
                    "folds": {
                        "splits": [{"train": s.train, "calibrate": s.calibrate, "judge": s.judge} for s in splits],
                        "metrics": folds,
                        "note": splits[0].note,
                    },
                    "outlines": self.outlines,
                    "history": final.history,
                },
            ).id
        result |= {**self._facts(), "images_per_second": self.pace.images_per_second, "device": str(self.team)}
        result |= metrics or dict.fromkeys(("map", "map_50", "map_75", "mar"))
        return result | ({"folds": folds} if folds else {})

    def _load(self, size: int) -> dict[str, list[Sample]]:
        """The images by group, decoded and at training scale. Raises Stopped, and SnapshotError for a wrong image."""
        samples: dict[str, list[Sample]] = {}
        told = time.monotonic()
        for done, image in enumerate(self.snapshot.images):
            if not self.wanted():
                raise Stopped
            if time.monotonic() - told > TOLD_SECONDS:
                told = time.monotonic()
                self.tell({"event": "load", "done": done, "images": len(self.snapshot.images)})
            samples.setdefault(image["group"], []).append(load_sample(self.snapshot, image, size))
        return samples

    def _cross_validate(
        self, splits: Sequence[Split], samples: dict[str, list[Sample]]
    ) -> tuple[Outcome, dict[str, float], list[dict[str, Any]], list[dict[str, Any]]]:
        """A refit on all, with what the folds say of scores; metrics out of fold, their mean
        and each; last what was found on each image by the fold that it judged."""
        folds: list[dict[str, Any]] = []
        judged: list[dict[str, Any]] = []
        thresholds: list[float] = []
        curves: list[Calibration] = []
        everyone = Split(tuple(samples))
        work = [self._work(split, samples) for split in (*splits, everyone)]
        for number, split in enumerate(splits):
            outcome = self._train(split, samples, number, sum(work[number + 1 :], Work()))
            assert outcome.metrics is not None
            folds.append({"fold": number, "seconds": round(outcome.seconds, 1), **outcome.metrics})
            judged += outcome.judged
            if outcome.threshold is not None:
                thresholds.append(outcome.threshold)
            if outcome.calibration is not None:
                curves.append(Calibration(**outcome.calibration))
        images = sum(map(len, samples.values()))
        self._log(f"Refit on all {images} images.")
        final = self._train(everyone, samples, None, Work())
        mean = {key: fmean(fold[key] for fold in folds) for key in ("map", "map_50", "map_75", "mar")}
        final.threshold = median_low(thresholds) if thresholds else None
        final.calibration = Calibration.mean(curves).as_dict() if curves else None
        return final, mean, folds, judged

    def _work(self, split: Split, samples: dict[str, list[Sample]]) -> Work:
        """What a split costs from its beginning to its judgement."""
        train, calibrate, judge = (
            sum(len(samples[g]) for g in part) for part in (split.train, split.calibrate, split.judge)
        )
        epochs = self.settings.epochs or epochs_for(train, self.settings.batch)
        looks = (len(judged_after(epochs)) + 1) * calibrate + judge
        return Work(steps_of(train, epochs, self.settings.batch), looks)

    def _train(
        self,
        split: Split,
        samples: dict[str, list[Sample]],
        fold: int | None,
        later: Work,
    ) -> Outcome:
        """One run, or what an earlier process has noted of it; `later` is the work of the runs that follow."""
        before = self.checkpoint.earlier.get("run_seconds", 0.0)
        started = time.monotonic()
        run = self.checkpoint.run(
            "final" if fold is None else f"fold {fold}",
            lambda: self._facts() | {"run_seconds": time.monotonic() - started},
        )
        train, calibrate, judge = (
            [s for group in part for s in samples[group]] for part in (split.train, split.calibrate, split.judge)
        )
        if run.outcome is not None:
            return self._noted(run.outcome, train)
        if run.begun is not None:
            started -= before
        if split.note:
            self._log(split.note)
        begun = run.begun["place"] if run.begun is not None else {"epoch": 1, "position": 0}
        steps = steps_of(len(train), 1, self.settings.batch)
        self.tell(
            {
                "event": "fold" if fold is not None else "start",
                "fold": fold,
                # Epochs that are behind it.
                "place": begun["epoch"] - 1 + begun["position"] / steps,
                "message": f"{len(train)} images train, {len(calibrate)} calibrate scores, {len(judge)} judge.",
            }
        )
        if run.begun is not None:
            self._log(
                f"Continues from the checkpoint, in epoch {begun['epoch']} after {begun['position']} of its "
                f"{steps} steps."
            )
        torch.manual_seed(self.seed)
        model = starting_network(train, self.settings, self.parent, outlines=self.outlines >= LEAST_OUTLINES)
        # After the last epoch the threshold is chosen, and the judges are looked at.
        self.pace.after = later + Work(0, len(calibrate) + len(judge))

        def tell(what: Step | dict[str, float]) -> None:
            if isinstance(what, Step):
                told = {"event": "step", "fold": fold, **what.__dict__, "eta_seconds": round(what.eta_seconds, 1)}
                if what.step % MEMORY_STEPS == 1:
                    told["peak_memory"] = self._facts()["peak_memory"]
                self.tell(told)
            else:
                self.tell({"event": "epoch", "fold": fold, **what})

        epochs = self.settings.epochs or epochs_for(len(train), self.settings.batch)
        trained = train_detector(
            model,
            train,
            calibrate,
            self.settings,
            epochs=epochs,
            seed=self.seed,
            tell=tell,
            wanted=self.wanted,
            checkpoint=run,
            team=self.team,
            pace=self.pace,
        )
        threshold = calibration = None
        if calibrate:
            seen = detect(model, calibrate, self.wanted, self.team)
            calibration = fit_calibration(seen, truth_of(calibrate))
            threshold = best_threshold(calibration.applied(seen), truth_of(calibrate))
        found = detect(model, judge, self.wanted, self.team)
        metrics = coco_metrics(found, truth_of(judge)) if judge else None
        if metrics:
            self._log(f"Judged on {len(judge)} images: map {metrics['map']:.3f}, map_50 {metrics['map_50']:.3f}.")
        outcome = Outcome(
            trained.epochs,
            trained.history,
            metrics,
            threshold,
            calibration.as_dict() if calibration else None,
            time.monotonic() - started,
            self._judged(judge, found),
        )
        noted = dict(outcome.__dict__)
        run.finish(noted if fold is not None else noted | {"model": model.state_dict()})
        return replace(outcome, model=model)

    def _noted(self, noted: dict[str, Any], train: Sequence[Sample]) -> Outcome:
        """A run that an earlier process has ended."""
        outcome = Outcome(**noted | {"model": None})
        if noted["model"] is not None:
            outcome.model = starting_network(
                train, self.settings, self.parent, outlines=self.outlines >= LEAST_OUTLINES
            )
            outcome.model.load_state_dict(noted["model"])
            outcome.model.eval()
        return outcome

    def _facts(self) -> dict[str, Any]:
        """Of all processes that took part in this training, one after the other."""
        return {
            "seconds": round(time.monotonic() - self._began, 1),
            "peak_memory": max(self.team.peak_memory(), self.checkpoint.earlier.get("peak_memory", 0)),
        }

    def _judged(self, judge: Sequence[Sample], found: Sequence[Detections]) -> list[dict[str, Any]]:
        """Samples that judged with their detections, in px of the images."""
        images = {image["sha256"]: image for image in self.snapshot.images}
        judged = []
        for sample, detections in zip(judge, found, strict=True):
            image = images[sample.sha256]
            height, width = sample.pixels.shape[-2:]
            factor = torch.tensor([image["width"] / width, image["height"] / height] * 2)
            boxes = (detections["boxes"] * factor).tolist()
            judged.append(judged_image(image, boxes, detections["scores"].tolist()))
        return judged

    def _log(self, message: str) -> None:
        self.tell({"event": "log", "message": message})


def identity_of(
    snapshot: Snapshot, settings: DetectorSettings, seed: int, parent: BundleFiles | None
) -> dict[str, Any]:
    """What a training is: all that decides its result, but for the code."""
    return {
        "snapshot": snapshot.hash,
        "settings": settings.as_dict(),
        "seed": seed,
        "parent": parent.card["hash"] if parent else None,
        "libraries": versions(),
    }


def open_parent(folder: Path | None) -> BundleFiles | None:
    return read_bundle(folder, "detector") if folder is not None else None


def _cells(image: dict[str, Any]) -> int:
    return sum(not border["ignored"] for border in image["borders"])
