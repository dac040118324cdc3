"""judged.json: written by training, read strictly."""

import json
from pathlib import Path
from typing import Any

import pytest

from training.contract import content_hash
from training.judged import SCHEMA, JudgedError, judged_image, read_judged, write_judged

IMAGE = {
    "sha256": "a" * 64,
    "group": "p:1",
    "borders": [{"bounds": [1, 2, 3, 4], "ignored": False}, {"bounds": [5, 6, 7, 8], "ignored": True}],
}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    judged = judged_image(IMAGE, [[1.004, 2, 3, 4.006]], [0.9876543])
    assert judged == {
        "sha256": "a" * 64,
        "group": "p:1",
        "truth": [[1, 2, 3, 4]],
        "ignored": [[5, 6, 7, 8]],
        "boxes": [[1.0, 2, 3, 4.01]],
        "scores": [0.98765],
    }
    write_judged(tmp_path / "judged.json", [judged])
    assert read_judged(tmp_path / "judged.json") == [judged]


def test_none_at_all_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(JudgedError, match="There is no file of judged images"):
        read_judged(tmp_path / "judged.json")


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        ({"boxes": [[1, 2, 3]]}, "not four numbers"),
        ({"boxes": [[1, 2, 3, "x"]]}, "not four numbers"),
        ({"truth": [[1, 2, 3, True]]}, "not four numbers"),
        ({"scores": []}, "without a score"),
        ({"scores": [None]}, "without a score"),
        ({"group": None}, "group"),
    ],
)
def test_what_is_not_as_it_should_be_is_refused(tmp_path: Path, spoilt: dict[str, Any], reason: str) -> None:
    write_judged(tmp_path / "judged.json", [judged_image(IMAGE, [[1, 2, 3, 4]], [0.5]) | spoilt])
    with pytest.raises(JudgedError, match=reason):
        read_judged(tmp_path / "judged.json")


@pytest.mark.parametrize("text", ["", "[]", "{", json.dumps({"schema": SCHEMA, "images": [], "hash": "x"})])
def test_a_torn_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "judged.json").write_text(text)
    with pytest.raises(JudgedError):
        read_judged(tmp_path / "judged.json")


def test_an_image_that_is_no_object_is_refused(tmp_path: Path) -> None:
    content = {"schema": SCHEMA, "images": [1]}
    (tmp_path / "judged.json").write_text(json.dumps(content | {"hash": content_hash(content)}))
    with pytest.raises(JudgedError, match="not an object"):
        read_judged(tmp_path / "judged.json")
