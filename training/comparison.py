"""Two rounds beside each other on the images that judged both, from what each of them found there (judged.json).

Both are held against the later round's truth: what was corrected since counts for both. Free of torch.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

# As training's own metrics have it (DESIGN.md, decision 9).
MOST_DETECTIONS = 500
METRICS = ("map", "map_50", "map_75", "mar")
# A patient's map_50 that differs by less is the same.
SAME_WITHIN = 0.001

Judged = Mapping[str, Any]


def compare(
    now: Sequence[Judged], before: Sequence[Judged], alive: Callable[[], object] = lambda: None
) -> dict[str, Any] | None:
    """The later round (`now`) beside an earlier one on the images that judged both; None where there is no such image.

    {"images", "groups": how many, "now": {"map", "map_50", "map_75", "mar"}, "before": the same, "better", "worse",
    "same": how many groups (patients; images without one) by map_50}. Metrics are null where the images hold no cell.
    `alive` is called after each group.
    """
    earlier = {image["sha256"]: image for image in before}
    pairs = [(image, {**image, **_found(earlier[image["sha256"]])}) for image in now if image["sha256"] in earlier]
    if not pairs:
        return None
    by_group: dict[str, list[tuple[Judged, Judged]]] = defaultdict(list)
    for pair in pairs:
        by_group[pair[0]["group"]].append(pair)
    verdicts = []
    for own in by_group.values():
        verdicts.append(_verdict(own))
        alive()
    return {
        "images": len(pairs),
        "groups": len(by_group),
        "now": metrics_of([ours for ours, _ in pairs]),
        "before": metrics_of([theirs for _, theirs in pairs]),
        "better": verdicts.count(1),
        "worse": verdicts.count(-1),
        "same": verdicts.count(0),
    }


def metrics_of(images: Iterable[Judged]) -> dict[str, float | None]:
    """COCO's map, map_50, map_75 and mar of boxes, at most 500 an image; None without any cell.

    Ignored regions are COCO's crowd: what lies in them is neither hit nor miss.
    """
    images = list(images)
    if not any(image["truth"] for image in images):
        return dict.fromkeys(METRICS)
    if not any(image["boxes"] for image in images):
        return dict.fromkeys(METRICS, 0.0)
    # Imported late: the web process, which only shows what came of it, needs none of it.
    from faster_coco_eval import COCO, COCOeval_faster

    annotations, results = [], []
    for number, image in enumerate(images, start=1):
        for ignored, boxes in ((0, image["truth"]), (1, image["ignored"])):
            annotations += [_coco(box, number) | {"iscrowd": ignored} for box in boxes]
        for box, score in zip(image["boxes"], image["scores"], strict=True):
            results.append(_coco(box, number) | {"score": score})
    dataset = {
        "images": [{"id": number, "width": 1, "height": 1} for number in range(1, len(images) + 1)],
        "categories": [{"id": 1, "name": "cell"}],
        "annotations": [{"id": number, **each} for number, each in enumerate(annotations, start=1)],
    }
    truth = COCO(dataset, print_function=_silent)
    evaluation = COCOeval_faster(truth, truth.loadRes(results), iouType="bbox", print_function=_silent)
    evaluation.params.maxDets = [1, 10, MOST_DETECTIONS]
    evaluation.evaluate()
    evaluation.accumulate()
    precision, recall = (np.asarray(evaluation.eval[name]) for name in ("precision", "recall"))
    return {
        "map": _mean(precision[:, :, :, 0, -1]),
        "map_50": _mean(precision[0, :, :, 0, -1]),
        "map_75": _mean(precision[5, :, :, 0, -1]),
        "mar": _mean(recall[:, :, 0, -1]),
    }


def _found(image: Judged) -> dict[str, Any]:
    return {"boxes": image["boxes"], "scores": image["scores"]}


def _verdict(pairs: Sequence[tuple[Judged, Judged]]) -> int:
    """1 where the later round does better on these images, -1 where worse, 0 where neither."""
    own = metrics_of([own for own, _ in pairs])["map_50"]
    theirs = metrics_of([theirs for _, theirs in pairs])["map_50"]
    if own is None or theirs is None:
        # Without cells there is no precision to average: what finds less there does better.
        own = -sum(score for image, _ in pairs for score in image["scores"])
        theirs = -sum(score for _, image in pairs for score in image["scores"])
    return 0 if abs(own - theirs) < SAME_WITHIN else (1 if own > theirs else -1)


def _coco(box: Sequence[float], image: int) -> dict[str, Any]:
    x0, y0, x1, y1 = box
    size = [x1 - x0, y1 - y0]
    return {"image_id": image, "category_id": 1, "bbox": [x0, y0, *size], "area": size[0] * size[1]}


def _mean(values: Any) -> float:
    known = values[values > -1]
    return round(float(known.mean()), 5) if known.size else 0.0


def _silent(*_: Any) -> None:
    """The evaluation's progress lines have no place in a worker's log."""
