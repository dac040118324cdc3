"""How proposals overlap a truth: COCO's mean average precision, precision and recall, and one-to-one matches.

Pure functions over borders. IoU is taken on bounds where one of the two is a box, on outlines otherwise
(annotation.borders.iou). Truth of an ignored class follows COCO's crowd rule: its overlap with a proposal is the
share of the proposal that lies in it, it may take any number of proposals, and counts neither as hit nor as miss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.borders import Border, bounds, iou, is_box, shared_area

# A smear holds up to 190 cells; COCO's usual cap of 100 halves a perfect score (DESIGN.md, decision 9).
MOST_DETECTIONS = 500


@dataclass(frozen=True)
class Truth:
    border: Border
    ignored: bool = False


@dataclass(frozen=True)
class Scored:
    border: Border
    score: float


@dataclass
class Field:
    """One image: what is there, and what was proposed."""

    truth: list[Truth] = field(default_factory=list)
    proposals: list[Scored] = field(default_factory=list)


@dataclass(frozen=True)
class Match:
    """Index of a proposal and of the truth it lies on, with their IoU."""

    proposal: int
    truth: int
    iou: float


def share_inside(proposal: Border, region: Border) -> float:
    """The share of a proposal that lies in an ignored region, 0 to 1: on bounds where the region is a box."""
    if is_box(region) or is_box(proposal):
        ax0, ay0, ax1, ay1 = bounds(proposal)
        bx0, by0, bx1, by1 = bounds(region)
        across, down = min(ax1, bx1) - max(ax0, bx0), min(ay1, by1) - max(ay0, by0)
        own = (ax1 - ax0) * (ay1 - ay0)
        return across * down / own if across > 0 and down > 0 and own > 0 else 0.0
    return shared_area(proposal, region)


def overlaps(proposals: Sequence[Border], truth: Sequence[Truth]) -> NDArray[np.float64]:
    """(proposals, truth) IoU, or the share inside where the truth is ignored."""
    table = np.zeros((len(proposals), len(truth)))
    for i, proposal in enumerate(proposals):
        for j, true in enumerate(truth):
            table[i, j] = share_inside(proposal, true.border) if true.ignored else iou(proposal, true.border)
    return table


def best_matches(proposals: Sequence[Border], truth: Sequence[Truth], least_iou: float) -> list[Match]:
    """One-to-one matches to cells (not to ignored regions) of at least that IoU, the closest pairs first."""
    table = overlaps(proposals, truth)
    table[:, [j for j, true in enumerate(truth) if true.ignored]] = 0
    matches: list[Match] = []
    for flat in np.argsort(-table, axis=None, kind="stable"):
        i, j = np.unravel_index(flat, table.shape)
        value = float(table[i, j])
        if value < least_iou or value <= 0:
            break
        if not any(m.proposal == i or m.truth == j for m in matches):
            matches.append(Match(int(i), int(j), value))
    return matches


def precision_recall(fields: Sequence[Field], least_iou: float = 0.5) -> tuple[float | None, float | None]:
    """Precision and recall over all fields; None where nothing was proposed, or nothing is there.

    Proposals choose in order of score, as COCO has it; one that lies on an ignored region is not counted.
    """
    hits = false = cells = 0
    for one in fields:
        cells += sum(not true.ignored for true in one.truth)
        ranked = sorted(one.proposals, key=lambda p: -p.score)
        table = overlaps([p.border for p in ranked], one.truth)
        taken: set[int] = set()
        for row in table:
            free = [j for j, t in enumerate(one.truth) if not t.ignored and j not in taken and row[j] >= least_iou]
            if free:
                taken.add(max(free, key=lambda j: row[j]))
                hits += 1
            elif not any(t.ignored and row[j] >= least_iou for j, t in enumerate(one.truth)):
                false += 1
    precision = hits / (hits + false) if hits + false else None
    return precision, hits / cells if cells else None


def best_overlaps(fields: Sequence[Field]) -> list[float]:
    """For each true cell, ignored ones left out, the IoU of the proposal that covers it best; 0 where none does."""
    found: list[float] = []
    for one in fields:
        table = overlaps([p.border for p in one.proposals], one.truth)
        best = table.max(axis=0) if len(one.proposals) else np.zeros(len(one.truth))
        found += [float(best[j]) for j, true in enumerate(one.truth) if not true.ignored]
    return found


def average_precision(fields: Sequence[Field]) -> dict[str, float | None]:
    """COCO's map, map_50, map_75 and mar over all scores, at most 500 proposals an image; None without any cell."""
    keys = ("map", "map_50", "map_75", "mar")
    if not any(not true.ignored for one in fields for true in one.truth):
        return dict.fromkeys(keys)
    if not any(one.proposals for one in fields):
        return dict.fromkeys(keys, 0.0)
    from faster_coco_eval import COCO, COCOeval_faster

    truth_of: dict[int, Truth] = {}
    scored_of: dict[int, Scored] = {}
    annotations, results = [], []
    for image_id, one in enumerate(fields, start=1):
        for true in one.truth:
            number = len(truth_of) + 1
            truth_of[number] = true
            annotations.append(_coco(number, image_id, true.border) | {"iscrowd": int(true.ignored)})
        for scored in one.proposals:
            number = len(scored_of) + 1
            scored_of[number] = scored
            results.append(_coco(number, image_id, scored.border) | {"score": scored.score})
    dataset = {
        "images": [{"id": i, "width": 1, "height": 1} for i in range(1, len(fields) + 1)],
        "categories": [{"id": 1, "name": "cell"}],
        "annotations": annotations,
    }

    class BorderEvaluation(COCOeval_faster):  # type: ignore[misc]
        """COCO's evaluation with our IoU: boxes and outlines in one truth, and no masks of whole fields."""

        def computeIoU(self, imgId: int, catId: int) -> Any:
            there = self.gt_dataset.get_instances([imgId], [catId], True)[0][0]
            found = self.dt_dataset.get_instances([imgId], [catId], True)[0][0]
            if not len(there) or not len(found):
                return []
            order = np.argsort([-d["score"] for d in found], kind="mergesort")[: self.params.maxDets[-1]]
            return overlaps(
                [scored_of[int(found[i]["id"])].border for i in order], [truth_of[int(t["id"])] for t in there]
            )

    truths = COCO(dataset, print_function=_silent)
    evaluation = BorderEvaluation(
        truths, truths.loadRes(results), iouType="bbox", print_function=_silent, separate_eval=True
    )
    evaluation.params.maxDets = [1, 10, MOST_DETECTIONS]
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"]  # (IoUs, recalls, classes, areas, caps)
    recall = evaluation.eval["recall"]  # (IoUs, classes, areas, caps)
    return {
        "map": _mean(precision[:, :, :, 0, -1]),
        "map_50": _mean(precision[0, :, :, 0, -1]),
        "map_75": _mean(precision[5, :, :, 0, -1]),
        "mar": _mean(recall[:, :, 0, -1]),
    }


def _coco(number: int, image_id: int, border: Mapping[str, Any]) -> dict[str, Any]:
    x0, y0, x1, y1 = bounds(border)
    width, height = x1 - x0, y1 - y0
    box = [x0, y0, width, height]
    return {"id": number, "image_id": image_id, "category_id": 1, "bbox": box, "area": width * height}


def _mean(values: Any) -> float:
    known = np.asarray(values)
    known = known[known > -1]
    return float(known.mean()) if known.size else 0.0


def _silent(*_: Any) -> None:
    """The evaluation's progress lines would mix with a command's JSON."""
