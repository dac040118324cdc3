"""What a snapshot teaches of patients by their images as a whole: diagnoses, images and folds. Free of Django."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.folds import fold_of
from training.decisions import Decision, DecisionError, allowed


@dataclass(frozen=True)
class ImageLesson:
    """patients, diagnoses, folds: by number. entries: the manifest's images, patient (n,): the number of each one's
    patient. images: by sha256 the fold. left_out: by decision why it is not learned."""

    entries: tuple[Mapping[str, Any], ...]
    patient: NDArray[np.int64]
    patients: tuple[str, ...]
    diagnoses: tuple[str, ...]
    folds: NDArray[np.int64]
    images: Mapping[str, int]
    decisions: tuple[Decision, ...]
    left_out: Mapping[str, str]

    def of(self, decision: Decision) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The numbers of the patients that a decision is about, and their classes."""
        chosen = [number for number, each in enumerate(self.diagnoses) if each in decision.classes]
        classes = [decision.classes.index(self.diagnoses[number]) for number in chosen]
        return np.array(chosen, dtype=np.int64), np.array(classes, dtype=np.int64)


def image_lesson(manifest: Mapping[str, Any], decisions: Sequence[Decision], k: int) -> ImageLesson:
    """Of the images that were not picked for their cells. Raises DecisionError with one sentence where no decision can
    be learned and judged."""
    entries = [image for image in manifest["images"] if image.get("sample") != "extra"]
    if not entries:
        raise DecisionError("No patient has an image yet.")
    diagnoses = {image["group"]: image["diagnosis"] or "unknown" for image in entries}
    slots = {image["group"]: image["fold"] for image in entries}
    names = sorted(diagnoses)
    number = {name: place for place, name in enumerate(names)}
    kept, left_out = allowed(decisions, diagnoses, slots, k, having="images")
    return ImageLesson(
        entries=tuple(entries),
        patient=np.array([number[image["group"]] for image in entries], dtype=np.int64),
        patients=tuple(names),
        diagnoses=tuple(diagnoses[name] for name in names),
        folds=np.array([fold_of(slots[name], k) for name in names], dtype=np.int64),
        images={image["sha256"]: fold_of(image["fold"], k) for image in entries},
        decisions=kept,
        left_out=left_out,
    )
