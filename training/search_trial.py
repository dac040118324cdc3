"""One trial of a search: train with its settings on a part of the schedule, and judge on the inner validation."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN
from torchvision.ops import nms as suppressed

from training.bundle import BundleFiles
from training.calibration import fit_calibration
from training.corrections import best_threshold, corrections
from training.detection_data import Sample, load_sample
from training.detection_metrics import Detections, coco_metrics
from training.detection_training import Step, Stopped, detect, epochs_for, train_detector, truth_of
from training.detector_start import LEAST_OUTLINES, outlines_in, starting_network, starting_size
from training.devices import ALONE, Team
from training.pace import Pace, Work
from training.search_space import NMS_CHOICES
from training.search_split import InnerSplit, inner_split
from training.settings import DetectorSettings
from training.snapshot import Snapshot

# Of the schedule that a round would get with a trial's settings: enough to tell them apart.
TRIAL_SHARE = 0.5
# Per cent of its schedule after which a trial is looked at, and ended where most others were better by then.
LOOKS = (25, 50, 75)
# So that the best of what was found are not cut off by what a stricter suppression would take away.
LOOSE_NMS = 0.9

Wanted = Callable[[], bool]


@dataclass(frozen=True)
class Bench:
    """What all trials of a search share: the decoded images of the inner split, and what they start from."""

    snapshot: Snapshot
    settings: DetectorSettings
    seed: int
    parent: BundleFiles | None
    split: InnerSplit
    train: Sequence[Sample]
    validation: Sequence[Sample]
    # Of the round's own schedule, with the settings as given.
    epochs: int
    wanted: Wanted
    team: Team = ALONE

    @classmethod
    def set_up(
        cls,
        snapshot: Snapshot,
        settings: DetectorSettings,
        seed: int,
        parent: BundleFiles | None,
        wanted: Wanted,
        team: Team = ALONE,
    ) -> "Bench":
        """Split, and decode the images of the inner split alone: no file of an image that judges is opened.

        Raises SplitError, SnapshotError and Stopped.
        """
        if settings.threads:
            torch.set_num_threads(settings.threads)
        split = inner_split(snapshot.images, settings, parent.card if parent is not None else None)
        images = [image for image in snapshot.images if image["group"] in split.groups]
        # From here on there is no other image.
        snapshot = replace(snapshot, manifest=snapshot.manifest | {"images": images})
        start = parent if split.warm else None
        size = starting_size(snapshot, settings, start)
        samples: dict[str, list[Sample]] = {}
        for image in images:
            if not wanted():
                raise Stopped
            samples.setdefault(image["group"], []).append(load_sample(snapshot, image, size))
        train, validation = ([s for group in part for s in samples[group]] for part in (split.train, split.validation))
        epochs = settings.epochs or epochs_for(len(images), settings.batch)
        return cls(snapshot, settings, seed, start, split, train, validation, epochs, wanted, team)


@dataclass(frozen=True)
class Judged:
    """How a trial's network did on the inner validation, with the suppression and threshold that suit it best."""

    map: float
    map_50: float
    corrections: int
    nms: float
    score_threshold: float


def train_and_judge(
    bench: Bench,
    settings: DetectorSettings,
    look: Callable[[int, float], None],
    tell: Callable[[Step], None],
) -> Judged:
    """Train on the inner training groups and judge on the inner validation.

    `settings.epochs` is the round's schedule; the trial takes TRIAL_SHARE of it. `look` gets (per cent of the
    schedule, map so far) after each of LOOKS and may raise to end the trial. Raises Stopped, and FloatingPointError
    where the loss is no finite number.
    """
    settings = replace(settings, epochs=trial_epochs(settings.epochs))
    torch.manual_seed(bench.seed)
    outlines = outlines_in(bench.snapshot) >= LEAST_OUTLINES
    model = starting_network(bench.train, settings, bench.parent, outlines=outlines)
    marks = looks_after(settings.epochs)

    def follow(what: Step | dict[str, float]) -> None:
        if isinstance(what, Step):
            tell(what)
            return
        percents = marks.get(int(what["epoch"]), [])
        if percents:
            began = time.monotonic()
            score = coco_metrics(detect(model, bench.validation, bench.wanted, bench.team), truth_of(bench.validation))
            pace.looked(len(bench.validation), time.monotonic() - began)
            for percent in percents:
                look(percent, score["map"])

    pace = Pace(Work(0, (len(marks) + 1) * len(bench.validation)))
    # Nothing chooses among the epochs of a trial, so that what compares trials has a single use.
    trained = train_detector(
        model,
        bench.train,
        [],
        settings,
        epochs=settings.epochs,
        seed=bench.seed,
        tell=follow,
        wanted=bench.wanted,
        team=bench.team,
        pace=pace,
    )
    return judge(trained.model, bench, settings.nms)


def judge(model: FasterRCNN, bench: Bench, given_nms: float) -> Judged:
    """The suppression and the score threshold with the fewest corrections, from one pass over the images.

    Of suppressions that cost the same the one nearest to the given one.
    """
    model.roi_heads.nms_thresh, kept = LOOSE_NMS, model.roi_heads.nms_thresh
    try:
        loose = detect(model, bench.validation, bench.wanted, bench.team)
    finally:
        model.roi_heads.nms_thresh = kept
    truth = truth_of(bench.validation)
    # As the round's: a threshold means the same there.
    loose = fit_calibration(loose, truth).applied(loose)

    def cost(iou: float, threshold: float) -> int:
        return corrections([without_doubles(one, iou) for one in loose], truth, [threshold])[0].total

    # One after the other, and the first once more: all pairs would cost more than the network's pass.
    threshold = best_threshold([without_doubles(one, given_nms) for one in loose], truth)
    iou = min({*NMS_CHOICES, given_nms}, key=lambda iou: (cost(iou, threshold), abs(iou - given_nms), iou))
    found = [without_doubles(one, iou) for one in loose]
    threshold = best_threshold(found, truth)
    metrics = coco_metrics(found, truth)
    asked = corrections(found, truth, [threshold])[0].total
    return Judged(metrics["map"], metrics["map_50"], asked, iou, threshold)


def without_doubles(found: Detections, iou: float) -> Detections:
    """What is left of detections, best first, when of two that overlap by more than `iou` the lower one goes."""
    kept: Tensor = suppressed(found["boxes"], found["scores"], iou)
    return {name: value[kept] for name, value in found.items()}


def trial_epochs(epochs: int) -> int:
    return max(1, round(TRIAL_SHARE * epochs))


def looks_after(epochs: int) -> dict[int, list[int]]:
    """Per cents of LOOKS by the epoch after which they are looked at; none where the trial is over by then."""
    marks: dict[int, list[int]] = {}
    for percent in LOOKS:
        epoch = math.ceil(percent * epochs / 100)
        if epoch < epochs:
            marks.setdefault(epoch, []).append(percent)
    return marks
