"""Two rounds of a classifier or a diagnosis beside each other, on the cells or patients that judged both."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.chances_comparison import compare_chances
from training.classification_metrics import auroc
from training.judged import JudgedError
from training.judged_chances import judged_part, read_judged_chances, write_judged_chances


def part(name: str, ids: list[str], truth: list[int], first: list[float], classes: tuple[str, ...]) -> dict[str, Any]:
    chances = np.stack([np.array(first), 1 - np.array(first)], axis=1)
    return judged_part(name, classes, ids, [f"p:{each[0]}" for each in ids], truth, chances)


CELLS = ["a1", "a2", "b1", "b2", "c1", "c2"]
TRUTH = [0, 1, 0, 1, 0, 1]
GOOD, BAD = [0.9, 0.1, 0.8, 0.2, 0.7, 0.3], [0.5, 0.6, 0.4, 0.6, 0.7, 0.2]


def test_both_are_held_against_the_later_truth_on_what_judged_both() -> None:
    now = part("Cell type", [*CELLS, "d1"], [*TRUTH, 0], [*GOOD, 0.0], ("Blast", "Promyelocyte"))
    before = part("Cell type", [*CELLS[::-1], "e1"], [0] * 7, [*BAD[::-1], 1.0], ("Blast", "Promyelocyte"))
    found = compare_chances([now], [before])
    assert found is not None
    assert (found["judged"], found["groups"]) == (6, 3)
    (row,) = found["classes"]
    assert (row["name"], row["of"], row["positives"]) == ("Blast", "Cell type", 3)
    positives = np.array(TRUTH) == 0
    assert row["now"]["auroc"] == 1 and row["before"]["auroc"] == pytest.approx(auroc(BAD, positives), abs=1e-4)
    assert row["change"]["value"] == pytest.approx(1 - auroc(BAD, positives), abs=1e-4)
    assert row["change"]["low"] <= row["change"]["value"] <= row["change"]["high"]


def test_a_head_of_one_label_is_judged_by_it_and_not_by_the_others() -> None:
    classes = ("others", "Promyelocyte")
    found = compare_chances(
        [part("Promyelocyte", CELLS, TRUTH, GOOD, classes)], [part("Promyelocyte", CELLS, TRUTH, BAD, classes)]
    )
    assert found is not None
    assert [row["name"] for row in found["classes"]] == ["Promyelocyte"]


def test_a_class_that_the_earlier_one_did_not_know_is_left_out() -> None:
    chances = np.full((6, 3), 1 / 3)
    now = judged_part("type", ("A", "B", "C"), CELLS, CELLS, [0, 1, 2, 0, 1, 2], chances)
    before = judged_part("type", ("A", "C"), CELLS, CELLS, [0, 1, 1, 0, 1, 1], chances[:, :2])
    found = compare_chances([now], [before])
    assert found is not None
    assert [row["name"] for row in found["classes"]] == ["A", "C"]


@pytest.mark.parametrize(
    "before",
    [
        part("another", CELLS, TRUTH, GOOD, ("A", "B")),
        part("type", ["x1", "x2"], [0, 1], [0.5, 0.5], ("A", "B")),
        part("type", ["a1", "b1"], [0, 0], [0.5, 0.5], ("A", "B")),
    ],
)
def test_what_judged_not_both_or_is_all_of_one_class_is_not_compared(before: dict[str, Any]) -> None:
    assert compare_chances([part("type", CELLS, TRUTH, GOOD, ("A", "B"))], [before]) is None


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    parts = [part("type", CELLS, TRUTH, GOOD, ("A", "B"))]
    write_judged_chances(tmp_path / "judged.json", parts)
    assert read_judged_chances(tmp_path / "judged.json") == parts


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"truth": [0]}, "do not fit together"),
        ({"chances": [["a", "b"]] * 6}, "do not fit together"),
        ({"ids": None}, "wrong type"),
    ],
)
def test_tables_that_make_no_sense_are_refused(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    whole = part("type", CELLS, TRUTH, GOOD, ("A", "B"))
    write_judged_chances(tmp_path / "judged.json", [whole | change])
    with pytest.raises(JudgedError, match=sentence):
        read_judged_chances(tmp_path / "judged.json")


def test_a_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "judged.json"
    write_judged_chances(file, [part("type", CELLS, TRUTH, GOOD, ("A", "B"))])
    content = json.loads(file.read_text())
    content["parts"][0]["truth"][0] = 1
    file.write_text(json.dumps(content))
    with pytest.raises(JudgedError, match="changed after it was written"):
        read_judged_chances(file)
