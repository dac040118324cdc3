"""What changed in the data from one snapshot to another."""

import copy
from typing import Any

from training.data_changes import COUNTS, NAMED, changes_in_words, data_changes


def border(name: str, x: float = 0, labels: tuple[str, ...] = (), ignored: bool = False) -> dict[str, Any]:
    shape = {"kind": "rectangle", "x": x, "y": 0, "width": 5, "height": 5}
    return {"id": name, "border": shape, "bounds": [x, 0, x + 5, 5], "ignored": ignored, "labels": list(labels)}


def image(name: str, *borders: dict[str, Any], patient: str | None = "A", fold: int = 0) -> dict[str, Any]:
    group = f"p:{patient}" if patient else f"i:{name}"
    return {
        "sha256": name,
        "names": [f"{name}.png"],
        "patient": patient,
        "group": group,
        "fold": fold,
        "borders": list(borders),
    }


def counts(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> dict[str, int]:
    changes = data_changes({"images": before}, {"images": now})
    return {name: changes[name] for name in COUNTS if changes[name]}


def test_nothing_changed() -> None:
    same = [image("a", border("1"))]
    changes = data_changes({"images": same}, {"images": copy.deepcopy(same)})
    assert changes["patients"] == [] and not any(changes[name] for name in COUNTS)
    assert changes_in_words(changes) == "Nothing."


def test_images_come_and_go_with_their_cells() -> None:
    before, now = [image("a", border("1"))], [image("b", border("2"), border("3"), border("4", ignored=True))]
    changes = data_changes({"images": before}, {"images": now})
    assert (changes["added"], changes["removed"]) == (["b.png"], ["a.png"])
    assert changes_in_words(changes) == (
        "1 image and 2 cells added, 1 image and 1 cell removed, 1 ignored region changed."
    )


def test_cells_are_added_removed_reshaped_and_relabelled() -> None:
    before = [image("a", border("1"), border("2"), border("3", labels=("Blast",)), border("5", 1, ("Blast",)))]
    now = [image("a", border("2", 9), border("3", labels=("Auer rod",)), border("4"), border("5", 2))]
    assert counts(before, now) == {"cells_added": 1, "cells_removed": 1, "cells_reshaped": 2, "cells_relabelled": 2}


def test_a_cell_that_becomes_a_region_is_no_cell_removed() -> None:
    assert counts([image("a", border("1"))], [image("a", border("1", ignored=True))]) == {"regions_changed": 1}
    assert counts([image("a", border("1", ignored=True))], [image("a")]) == {"regions_changed": 1}
    assert counts([image("a", border("1", ignored=True))], [image("a", border("1", ignored=True))]) == {}


def test_an_image_that_was_given_to_another_patient_has_moved() -> None:
    assert counts([image("a", patient=None)], [image("a", patient="A")]) == {"images_moved": 1}
    assert counts([image("a", fold=1)], [image("a", fold=2)]) == {"images_moved": 1}


def test_numbers_are_told_by_patient_those_without_one_last() -> None:
    now = [image("a", border("1"), patient="B"), image("b", border("2"), patient=None), image("c", patient="A")]
    assert data_changes({"images": []}, {"images": now})["patients"] == [
        {"code": "A", "images_added": 1},
        {"code": "B", "images_added": 1, "cells_added": 1},
        {"code": None, "images_added": 1, "cells_added": 1},
    ]


def test_of_many_images_some_are_named_and_all_counted() -> None:
    changes = data_changes({"images": []}, {"images": [image(f"{n:03}") for n in range(100)]})
    assert changes["images_added"] == 100 and len(changes["added"]) == NAMED
