"""How good the present proposals of a study are, against a truth matched by file name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from annotation.formats.truth import TruthCell
from annotation.models import Cell, SmearImage, Study
from inference.overlap import Field, Scored, Truth, average_precision, precision_recall


@dataclass(frozen=True)
class Evaluation:
    images: int
    scores: dict[str, float | None]  # map, map_50, map_75, mar: from all stored proposals
    precision: float | None  # at IoU 0.5, of those that people see
    recall: float | None


def images_by_name(study: Study, names: Sequence[str]) -> tuple[dict[int, str], list[str]]:
    """Match a truth's names to images: {image id: name}, and the names that match none or several.

    A name matches in full first, else by its last part where that is unambiguous in the study.
    """
    full: dict[str, int] = {}
    last: dict[str, set[int]] = {}
    rows = SmearImage.objects.filter(study=study).values_list("names__name", "pk")
    for name, pk in rows:
        if name is not None:
            full[name] = pk
            last.setdefault(PurePosixPath(name).name, set()).add(pk)
    found: dict[int, str] = {}
    lost: list[str] = []
    for name in names:
        pk = full.get(name)
        if pk is None:
            candidates = last.get(PurePosixPath(name).name, set())
            pk = next(iter(candidates)) if len(candidates) == 1 else None
        if pk is None:
            lost.append(name)
        else:
            found[pk] = name
    return found, lost


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
        if run_id == looked_at[image_id]:
            proposals.setdefault(image_id, []).append((Scored(border, score), score >= threshold))
    fields = []
    for image_id in looked_at:
        there = [Truth(cell.border, cell.ignored) for cell in truth[image_id]]
        stored = proposals.get(image_id, [])
        fields.append((Field(there, [s for s, _ in stored]), Field(there, [s for s, seen in stored if seen])))
    return fields


def evaluate(truth: Mapping[int, Sequence[TruthCell]]) -> Evaluation:
    """Score the present proposals of the images of a truth ({image id: cells}); images never proposed on are left out."""
    fields = present_fields(list(truth), truth)
    precision, recall = precision_recall([shown for _, shown in fields])
    return Evaluation(len(fields), average_precision([stored for stored, _ in fields]), precision, recall)
