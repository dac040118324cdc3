"""Cells as the gallery shows them: what is said of each, by whom, what a model says, and which crop to show.

Nothing here names a file: names may carry the class.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from annotation.blind_reading import sight_of
from annotation.cell_crops import cells_to_classify, typical_px
from annotation.crop import FIELD_UM, Square, crop_hash, crop_square
from annotation.label_choice import current_choice
from annotation.label_rules import NO_RULES, rules_of
from annotation.models import CellLabel, CellText, Study
from inference.models import CellEvidence, CellProbability
from inference.shown_labels import shown_labels, shown_probabilities

# So many cells are described at a time.
PAGE = 200
# Probabilities below are as good as none.
_WORTH_SAYING = 0.005
_TYPICAL_HOLDS = 60.0  # seconds
_typical: dict[int, tuple[float, float | None]] = {}


def described(study: Study, ids: Sequence[UUID], viewer: int) -> list[dict[str, Any]]:
    """Those of the cells that the gallery shows, in the order of `ids`. A dozen queries, whatever their number."""
    rows = cells_to_classify(study).filter(pk__in=ids).order_by()
    cells: dict[UUID, Any] = {
        row["id"]: row
        for row in rows.values(
            "id", "version", "image_id", "x0", "y0", "x1", "y1", "border__kind",
            "image__sha256", "image__um_per_pixel", "image__state", "image__patient__code",
        )
    }  # fmt: skip
    shown = shown_labels(study, viewer)
    labels: dict[UUID, list[CellLabel]] = defaultdict(list)
    for label in CellLabel.objects.filter(shown, cell__in=cells).select_related("annotator").order_by("pk"):
        labels[label.cell_id].append(label)
    texts: dict[UUID, list[CellText]] = defaultdict(list)
    for text in CellText.objects.filter(shown, cell__in=cells).order_by("pk"):
        texts[text.cell_id].append(text)
    probabilities: dict[UUID, dict[str, float]] = defaultdict(dict)
    rules = rules_of({"cell__in": list(cells)}, sight_of(viewer))
    said = CellProbability.objects.filter(
        shown_probabilities(viewer), cell__in=cells, probability__gte=_WORTH_SAYING
    ).order_by()
    for cell, label_id, probability in said.values_list("cell", "label", "probability"):
        probabilities[cell][str(label_id)] = round(probability, 3)
    alone: dict[UUID, dict[str, float]] = defaultdict(dict)
    evidence = CellEvidence.objects.filter(shown_probabilities(viewer), cell__in=cells).order_by("decision")
    for cell, decision, probability in evidence.values_list("cell", "decision", "probability"):
        alone[cell][decision] = round(probability, 3)
    found = []
    for key in ids:
        row = cells.get(key)
        if row is None:
            continue
        choice = current_choice(labels[key], texts[key], viewer, rules.get(key, NO_RULES))
        found.append(
            {
                "id": str(key),
                "version": row["version"],
                "image": row["image_id"],
                "state": row["image__state"],
                "patient": row["image__patient__code"],
                "labels": choice.labels,
                "confidence": {str(label_id): value for label_id, value in choice.confidence.items()},
                "texts": {str(attribute): text for attribute, text in choice.texts.items()},
                "said": _said(labels[key]),
                "probabilities": probabilities[key],
                "evidence": alone[key],
                **_seen(study, row),
            }
        )
    return found


def _said(labels: Sequence[CellLabel]) -> list[dict[str, Any]]:
    """Who chose what, and how sure they are: {by: a name, null of an import, labels, confidence: by label id}."""
    by: dict[str | None, list[CellLabel]] = defaultdict(list)
    for row in labels:
        by[row.annotator.get_username() if row.annotator else None].append(row)
    return [
        {
            "by": name,
            "labels": [row.label_id for row in rows],
            "confidence": {str(row.label_id): row.confidence for row in rows if row.confidence is not None},
        }
        for name, rows in by.items()
    ]


def _seen(study: Study, row: dict[str, Any]) -> dict[str, Any]:
    """What the crop shows: `field`, its width in `unit`; `usual`: whether that is the width of the other crops; `size`:
    width and height of the border in the same unit, null of a point."""
    um = row["image__um_per_pixel"]
    square = square_of(study, row)
    if square is None:
        return {"crop": None, "field": None, "unit": "px", "usual": False, "size": None}
    scale = um or 1.0
    width, height = (row["x1"] - row["x0"]) * scale, (row["y1"] - row["y0"]) * scale
    # To a whole pixel a field of the usual width may be a little wider.
    usual = not um or square[2] * um <= FIELD_UM + um
    return {
        "crop": crop_hash(row["image__sha256"], square)[:12],
        "field": round(square[2] * scale, 2),
        "unit": "µm" if um else "px",
        "usual": usual,
        "size": None if row["border__kind"] == "point" else [round(width, 2), round(height, 2)],
    }


def square_of(study: Study, row: dict[str, Any]) -> Square | None:
    """The square of a row as described() selects it; None for a point of which no scale is known."""
    um = row["image__um_per_pixel"]
    try:
        return crop_square((row["x0"], row["y0"], row["x1"], row["y1"]), um, None if um else typical(study))
    except ValueError:
        return None


def typical(study: Study) -> float | None:
    """typical_px of a study, a minute old at most: it is looked up for each page and each crop."""
    at, px = _typical.get(study.pk, (0.0, None))
    if time.monotonic() - at > _TYPICAL_HOLDS:
        px = typical_px(study)
        _typical[study.pk] = (time.monotonic(), px)
    return px
