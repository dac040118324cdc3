"""A diagnosis of image files that no study holds: cells are found, seen, and diagnosed as one patient's."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from django.conf import settings
from PIL import Image

from annotation.borders import bounds
from annotation.cell_crops import stepped
from annotation.crop import crop_square, cut
from annotation.intake import IntakeError, read_image
from annotation.store import pixel_hash
from inference.cell_feature_jobs import Extractor, default_extractor
from inference.diagnosis import Diagnosed, DiagnosisProblem, Models, chosen_models
from inference.diagnosis_looks import features_by_look
from inference.image_diagnosis import ImageModels
from inference.image_quality import quality_of
from inference.proposals import proposer_of
from training.models import Bundle, Kind


def diagnose_files(
    paths: Sequence[Path],
    bundle_ids: Sequence[str],
    um_per_pixel: float | None = None,
    extractor: Callable[[str], Extractor] = default_extractor,
) -> dict[str, Any]:
    """For JSON. Of the bundles those of detectors find the cells, without one the method without a model does. Raises
    DiagnosisProblem for files that are no images, and for bundles that do not diagnose."""
    clock = time.monotonic()
    seconds: dict[str, float] = {}
    detectors = list(Bundle.objects.filter(pk__in=bundle_ids, kind=Kind.DETECTOR))
    others = [each for each in bundle_ids if each not in {bundle.pk for bundle in detectors}]
    if not others:
        raise DiagnosisProblem("Image files need a --bundle that diagnoses: no study says which is in use.")
    bundles = chosen_models(None, others)
    of_cells = [bundle for bundle in bundles if bundle.kind != Kind.IMAGE]
    of_images = [bundle for bundle in bundles if bundle.kind == Kind.IMAGE]
    cell_models = Models(of_cells) if of_cells else None
    image_models = ImageModels(of_images) if of_images else None
    eye = cell_models.eye(extractor) if cell_models else None
    proposer = proposer_of(detectors[0] if detectors else None) if cell_models else None

    def stage(name: str) -> None:
        nonlocal clock
        now = time.monotonic()
        seconds[name], clock = round(now - clock, 3), now

    stage("loading")
    images, borders = [], []
    for path in paths:
        try:
            images.append(read_image(path, settings.PIXEL_BUDGET).pixels)
        except IntakeError as fault:
            raise DiagnosisProblem(f"{path}: {fault}") from None
        if proposer is not None:
            proposals = [each for each in proposer.propose(images[-1]) if each["score"] >= proposer.score_threshold]
            borders.append([bounds(each["border"]) for each in proposals])
    stage("detection")
    sides = [max(x1 - x0, y1 - y0) for own in borders for x0, y0, x1, y1 in own]
    typical = stepped(median(sides)) if sides else None
    hashes = [pixel_hash(image) for image in images]
    found = Diagnosed("")
    if cell_models is not None and eye is not None:
        names, vectors, shown = [], [], []
        for path, image, sha256, own in zip(paths, images, hashes, borders, strict=True):
            squares = [crop_square(each, um_per_pixel, typical) for each in own]
            if squares:
                vectors.append(eye.extract([cut(image, square) for square in squares]))
            shown += [(sha256, square, "") for square in squares]
            names += [f"{path.name} {each[0]:.0f},{each[1]:.0f}" for each in own]
        features = np.concatenate(vectors) if vectors else np.zeros((0, 0), np.float32)
        stage("features")
        opened = dict(zip(hashes, images, strict=True)).__getitem__
        looks = features_by_look(cell_models.looks, shown, opened, eye)
        found = cell_models.diagnose("", features, set(hashes), names, looks)
        stage("diagnosis")
    if image_models is not None:
        image_models.say(found, {sha256: partial(_same, image) for sha256, image in zip(hashes, images, strict=True)})
        stage("images")
    judged = [quality_of(np.asarray(image), um_per_pixel, typical) for image in images]
    stage("quality")
    counts = Counter(str(each.verdict) for each in judged)
    return found.as_json() | {
        "patient": None,
        "quality": {
            **{verdict: counts[verdict] for verdict in ("good", "doubtful", "bad")},
            "reasons": [each.reason for each in judged if each.reason],
        },
        "bundles": [bundle.pk for bundle in (*detectors[:1], *bundles)],
        "seconds": seconds,
    }


def _same(image: Image.Image) -> Image.Image:
    return image
