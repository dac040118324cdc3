"""Two rounds beside each other on the images that judged both."""

import copy
from typing import Any

import numpy as np
import pytest

from training.comparison import compare, metrics_of


def image(name: str, truth: list[list[float]], boxes: list[list[float]], **fields: Any) -> dict[str, Any]:
    scores = [round(0.9 - 0.1 * place, 2) for place in range(len(boxes))]
    group = fields.pop("group", f"p:{name}")
    return {"sha256": name, "group": group, "truth": truth, "ignored": [], "boxes": boxes, "scores": scores} | fields


CELL, OTHER, NOWHERE = [10.0, 10.0, 30.0, 30.0], [50.0, 10.0, 70.0, 30.0], [80.0, 80.0, 90.0, 90.0]


def test_perfect_boxes_score_one_and_a_lost_cell_halves_the_recall() -> None:
    assert metrics_of([image("a", [CELL, OTHER], [CELL, OTHER])]) == dict.fromkeys(
        ("map", "map_50", "map_75", "mar"), 1
    )
    half = metrics_of([image("a", [CELL, OTHER], [CELL])])
    assert half["mar"] == 0.5 and half["map_50"] == pytest.approx(0.505, abs=0.01)


def test_without_cells_there_is_nothing_to_score_and_without_boxes_nothing_scored() -> None:
    assert set(metrics_of([image("a", [], [CELL])]).values()) == {None}
    assert set(metrics_of([image("a", [CELL], [])]).values()) == {0.0}


def test_what_lies_in_an_ignored_region_counts_for_nothing() -> None:
    assert metrics_of([image("a", [CELL], [NOWHERE, CELL], ignored=[[75, 75, 95, 95]])])["map_50"] == 1
    assert metrics_of([image("a", [CELL], [NOWHERE, CELL])])["map_50"] == 0.5


def test_it_says_what_training_itself_says_of_the_same_boxes() -> None:
    """Crowded random fields: torchmetrics over faster_coco_eval with the same cap is what rounds report."""
    import torch

    from training.detection_metrics import coco_metrics

    rng = np.random.default_rng(3)
    images, found, there = [], [], []
    for number in range(6):
        corners = rng.uniform(0, 900, (40, 2))
        truth = np.hstack([corners, corners + rng.uniform(30, 90, (40, 2))])
        boxes = np.vstack([truth + rng.normal(0, 6, truth.shape), truth[:10] + 300])
        scores = rng.permutation(len(boxes)) / len(boxes)
        images.append(
            image(str(number), truth[:36].tolist(), boxes.tolist(), ignored=truth[36:].tolist(), scores=scores.tolist())
        )
        found.append({"boxes": torch.tensor(boxes), "scores": torch.tensor(scores)})
        there.append({"boxes": torch.tensor(truth[:36]), "ignored": torch.tensor(truth[36:])})
    assert metrics_of(images) == pytest.approx(coco_metrics(found, there), abs=2e-4)


def test_only_images_that_judged_both_are_compared() -> None:
    now = [image("a", [CELL], [CELL]), image("b", [CELL], [NOWHERE])]
    before = [image("c", [CELL], [CELL]), image("a", [CELL], [NOWHERE])]
    found = compare(now, before)
    assert found is not None
    assert (found["images"], found["groups"], found["better"], found["worse"], found["same"]) == (1, 1, 1, 0, 0)
    assert (found["now"]["map_50"], found["before"]["map_50"]) == (1, 0)


def test_both_are_held_against_the_later_truth() -> None:
    now = [image("a", [CELL, OTHER], [CELL, OTHER])]
    before = [image("a", [CELL], [CELL, OTHER])]
    found = compare(now, before)
    assert found is not None
    assert found["before"] == found["now"] == dict.fromkeys(("map", "map_50", "map_75", "mar"), 1)
    assert found["same"] == 1


def test_patients_are_counted_by_what_became_of_them() -> None:
    good, bad = image("a", [CELL], [CELL], group="p:1"), image("b", [CELL], [NOWHERE], group="p:2")
    empty = image("c", [], [NOWHERE], group="p:3")
    now, before = [good, bad, empty], copy.deepcopy([good, bad, empty])
    before[0]["boxes"], before[1]["boxes"], before[2]["boxes"], before[2]["scores"] = [NOWHERE], [CELL], [], []
    found = compare(now, before)
    assert found is not None
    # The field without cells gained a false one.
    assert (found["better"], found["worse"], found["same"]) == (1, 2, 0)


def test_rounds_that_share_no_image_are_not_compared() -> None:
    assert compare([image("a", [CELL], [CELL])], [image("b", [CELL], [CELL])]) is None
    assert compare([image("a", [CELL], [CELL])], []) is None
