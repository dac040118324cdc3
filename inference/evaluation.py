"""How good the present proposals of a study are, against a truth matched by file name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from annotation.formats.arguments import FormatOptions
from annotation.formats.truth import Truth, TruthCell, read_truth
from annotation.models import Cell, SmearImage, Study
from inference import overlap
from inference.overlap import Field, Scored, average_precision, best_overlaps, precision_recall


@dataclass(frozen=True)
class Evaluation:
    images: int
    scores: dict[str, float | None]  # map, map_50, map_75, mar: from all stored proposals
    precision: float | None  # at IoU 0.5, of those that people see
    recall: float | None
    # For each true cell the IoU of the best of those that people see, 0 where there is none.
    best_ious: list[float] = field(default_factory=list)


def study_truth(study: Study, path: Path, options: FormatOptions) -> tuple[dict[int, list[TruthCell]], Truth]:
    """The truth's cells by image id, and all that was read. Raises FormatError where the source cannot be used."""
    rows = list(SmearImage.objects.filter(study=study).values_list("names__name", "pk", "width", "height"))
    ids = {name: pk for name, pk, _, _ in rows}
    sizes = {name: (width, height) for name, _, width, height in rows}
    truth = read_truth(
        path,
        options.format,
        options.class_names,
        options.class_attribute,
        options.classes,
        options.ignore,
        sizes,
    )
    return {ids[name]: cells for name, cells in truth.images.items()}, truth


def present_fields(image_ids: Sequence[int], truth: Mapping[int, Sequence[TruthCell]]) -> list[tuple[Field, Field]]:
    """For each image that a run has proposed on: (all stored proposals, those people see), with its truth.

    Proposals count as they were proposed, whatever people have made of them since.
    """
    proposals: dict[int, list[tuple[Scored, bool]]] = {}
    looked_at = dict(
        SmearImage.objects.filter(pk__in=image_ids, proposed_by__isnull=False).values_list("pk", "proposed_by_id")
    )
    rows = Cell.objects.filter(image__in=looked_at, origin=Cell.Origin.PROPOSAL).values_list(
        "image_id", "run_id", "proposed_border", "score", "run__score_threshold"
    )
    for image_id, run_id, border, score, threshold in rows:
        # Their presence is a constraint of the table; the checker cannot know.
        assert border is not None and score is not None and threshold is not None
        if run_id == looked_at[image_id]:
            proposals.setdefault(image_id, []).append((Scored(border, score), score >= threshold))
    fields = []
    for image_id in looked_at:
        there = [overlap.Truth(cell.border, cell.ignored) for cell in truth[image_id]]
        stored = proposals.get(image_id, [])
        fields.append((Field(there, [s for s, _ in stored]), Field(there, [s for s, seen in stored if seen])))
    return fields


def evaluate(truth: Mapping[int, Sequence[TruthCell]]) -> Evaluation:
    """Score the present proposals against a truth ({image id: cells}); images never proposed on are left out."""
    fields = present_fields(list(truth), truth)
    shown = [seen for _, seen in fields]
    precision, recall = precision_recall(shown)
    scores = average_precision([stored for stored, _ in fields])
    return Evaluation(len(fields), scores, precision, recall, best_overlaps(shown))
