"""Why bundles suspect a diagnosis in an image file: what its parts are worth to those that look at cells
(inference/field_occlusion.py), or at the image as a whole (inference/image_why.py)."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from django.conf import settings
from PIL import Image

from annotation.borders import Bounds, bounds
from annotation.cell_crops import stepped
from annotation.crop import Square, crop_square
from annotation.intake import IntakeError, read_image
from annotation.store import pixel_hash
from inference.cell_feature_jobs import Extractor, default_extractor
from inference.diagnosis import NO_CELL, Diagnosed, DiagnosisProblem, Models, Said, chosen_models
from inference.field_occlusion import Features, occlude_field
from inference.image_diagnosis import ImageModels
from inference.image_why import explain_image, not_said, said_of
from inference.occlusion import Occlusion
from inference.proposals import proposer_of
from training.models import Bundle, Kind

# What speaks for the first diagnosis of a decision, and what against it.
FOR, AGAINST = (255, 150, 0), (0, 190, 255)
_OPAQUE = 150


def explain_file(
    path: Path,
    bundle_ids: list[str],
    decision: str | None = None,
    um_per_pixel: float | None = None,
    *,
    columns: int,
    rows: int,
    overlap: float,
    out: Path | None = None,
    extractor: Callable[[str], Extractor] = default_extractor,
    progress: Callable[[int, int], bool] | None = None,
) -> dict[str, Any]:
    """For JSON; `out`: a PNG file of the field with the map over it. `decision`: None for the first that the bundles
    make. Raises DiagnosisProblem for what is no image and where nothing can be suspected of it, ValueError for parts
    that cannot be, OSError where the file cannot be written."""
    detectors = list(Bundle.objects.filter(pk__in=bundle_ids, kind=Kind.DETECTOR))
    others = [each for each in bundle_ids if each not in {bundle.pk for bundle in detectors}]
    if not others:
        raise DiagnosisProblem("Image files need a --bundle that diagnoses: no study says which is in use.")
    chosen = chosen_models(None, others)
    of_images = [each for each in chosen if each.kind == Kind.IMAGE]
    if of_images and len(of_images) < len(chosen):
        raise DiagnosisProblem("Some of these bundles look at cells, others at whole images: ask one kind at a time.")
    try:
        image = read_image(path, settings.PIXEL_BUDGET).pixels
    except IntakeError as fault:
        raise DiagnosisProblem(f"{path}: {fault}") from None
    parts = {"columns": columns, "rows": rows, "overlap": overlap}
    explain = _as_a_whole(chosen) if of_images else _by_cells(chosen, detectors, um_per_pixel, extractor)
    begun = time.monotonic()
    found, said, cells = explain(image, decision=decision, **parts, progress=progress)
    if out is not None:
        over(image, found).save(out, "PNG")
    return {
        "decision": said.decision,
        "model": said.kind,
        "bundle": said.bundle,
        "probability": round(found.probability, 6),
        "of": next(iter(said.probabilities)),
        "cells": cells,
        **parts,
        "changes": [[round(float(value), 6) for value in row] for row in found.changes],
        "out": None if out is None else str(out),
        "seconds": round(time.monotonic() - begun, 3),
    }


def _as_a_whole(chosen: Sequence[Bundle]) -> Callable[..., tuple[Occlusion, Said, int]]:
    """Bundles loaded to explain an image, in which they look for no cell."""
    models = ImageModels(chosen)
    return lambda image, **asked: (*explain_image(image, models, **asked), 0)


def _by_cells(
    chosen: Sequence[Bundle],
    detectors: Sequence[Bundle],
    um_per_pixel: float | None,
    extractor: Callable[[str], Extractor],
) -> Callable[..., tuple[Occlusion, Said, int]]:
    """Bundles loaded to explain an image by the cells that are found in it; it also says how many."""
    models = Models(chosen)
    eye = models.eye(extractor)
    proposer = proposer_of(detectors[0] if detectors else None)

    def explain(image: Image.Image, **asked: Any) -> tuple[Occlusion, Said, int]:
        proposals = [each for each in proposer.propose(image) if each["score"] >= proposer.score_threshold]
        cells = [bounds(each["border"]) for each in proposals]
        if not cells:
            raise DiagnosisProblem(NO_CELL)
        typical = stepped(median(max(x1 - x0, y1 - y0) for x0, y0, x1, y1 in cells))
        squares = [crop_square(each, um_per_pixel, typical) for each in cells]
        return *explain_field(image, cells, squares, models, eye, **asked), len(cells)

    return explain


def explain_field(
    image: Image.Image,
    cells: Sequence[Bounds],
    squares: Sequence[Square],
    models: Models,
    eye: Extractor,
    decision: str | None,
    *,
    columns: int,
    rows: int,
    overlap: float,
    progress: Callable[[int, int], bool] | None = None,
) -> tuple[Occlusion, Said]:
    """The map of a field with so many cells, and what is said of it as it is. Raises as explain_file, and Stopped where
    `progress` ends it."""
    named = {pixel_hash(image)}
    asked: list[Diagnosed] = []

    def probability(features: Features) -> float | None:
        asked.append(models.diagnose("", features, named))
        said = said_of(asked[-1], decision)
        return None if said is None else said.probability

    found = occlude_field(
        image, cells, squares, eye, probability, columns=columns, rows=rows, overlap=overlap, progress=progress
    )
    # The first that was asked for is the field as it is.
    whole, said = asked[0], said_of(asked[0], decision)
    if found is None or said is None:
        raise not_said(whole, decision)
    return found, said


def over(image: Image.Image, found: Occlusion) -> Image.Image:
    """A field with the map over it: orange where covering lowers the probability, blue where it raises it."""
    table = found.spread()
    share = table / max(float(np.abs(table).max()), 1e-9)
    colours = np.where(share[..., None] > 0, np.array(FOR), np.array(AGAINST)).astype(np.uint8)
    opaque = Image.fromarray((_OPAQUE * np.abs(share) ** 0.8).astype(np.uint8))
    # The colour alone is not mixed between parts, or orange and blue would meet in grey.
    tint = Image.fromarray(colours).resize(image.size, Image.Resampling.NEAREST)
    return Image.composite(tint, image.convert("RGB"), opaque.resize(image.size, Image.Resampling.BICUBIC))
