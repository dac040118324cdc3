"""Patients never cross a split, and nothing that judges a model has tuned or taught it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.folds import DIVISORS, fold_of, next_slot
from training.parents import splits_of, why_not
from training.settings import DetectorSettings, SettingsError, parse_assignments, resolve_settings
from training.splits import SplitError, crossed, holdout


def image(group: str, slot: int, cells: int = 2, sha256: str | None = None) -> dict[str, Any]:
    borders = [{"ignored": False} for _ in range(cells)]
    return {"group": group, "fold": slot, "borders": borders, "sha256": sha256 or group, "names": [f"{group}.png"]}


groups = st.lists(st.tuples(st.integers(0, 59), st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=40)


def images_of(drawn: list[tuple[int, int, int]]) -> list[dict[str, Any]]:
    return [image(f"g{i}", slot, cells) for i, (slot, count, cells) in enumerate(drawn) for _ in range(count)]


@given(groups, st.sampled_from(["auto", "none", "0", "3"]), st.sampled_from([0, 2, 4, 5]))
def test_every_group_has_one_part_in_a_split(drawn: list[tuple[int, int, int]], validation: str, folds: int):
    images = images_of(drawn)
    settings = DetectorSettings(validation=validation) if not folds else DetectorSettings(folds=folds)
    try:
        splits = splits_of(images, settings)
    except SplitError:
        return
    everyone = {image["group"] for image in images}
    for split in splits:
        parts = [set(split.train), set(split.calibrate), set(split.judge)]
        assert set.union(*parts) == everyone
        assert sum(map(len, parts)) == len(everyone)
        assert split.train
    if folds:
        judged = [group for split in splits for group in split.judge]
        assert sorted(judged) == sorted(everyone)


def test_the_validation_fold_does_not_move_when_patients_are_added():
    before = [image(f"g{i}", i) for i in range(10)]
    after = before + [image(f"n{i}", 10 + i) for i in range(10)]
    judged = set(holdout(before, DetectorSettings()).judge)
    assert judged == {"g0", "g5"}
    assert set(holdout(after, DetectorSettings()).judge) & {f"g{i}" for i in range(10)} == judged


def test_a_study_too_small_to_be_judged_says_so():
    split = holdout([image("a", 0), image("b", 1)], DetectorSettings())
    assert split.judge == () and set(split.train) == {"a", "b"}
    assert "only 2" in split.note
    with pytest.raises(SplitError, match="only 2"):
        holdout([image("a", 0), image("b", 1)], DetectorSettings(validation="0"))


def test_a_fold_without_cells_cannot_judge():
    images = [image(f"g{i}", i, cells=0 if i % 4 == 1 else 2) for i in range(8)]
    with pytest.raises(SplitError, match="fold 1 holds no annotated cell"):
        crossed(images, 4)


def test_without_any_cell_there_is_no_split():
    with pytest.raises(SplitError, match="no cell to learn from"):
        holdout([image("a", 0, cells=0)], DetectorSettings())


CARD = {
    "kind": "detector",
    "architecture": {"backbone": "efficientnet_lite0", "pyramid": 96},
    "groups": ["g1", "g2"],
    "images": ["g1", "g2"],
}


def test_a_parent_that_saw_what_judges_is_refused():
    images = [image(f"g{i}", i) for i in range(10)]
    settings = DetectorSettings()
    splits = splits_of(images, settings)
    assert why_not(CARD, images, splits, settings) is None
    assert "judges this round" in (why_not(CARD | {"groups": ["g5"]}, images, splits, settings) or "")
    # A patient may have been given to the image since: its pixels tell.
    assert "judges this round" in (why_not(CARD | {"images": ["g0"]}, images, splits, settings) or "")


def test_a_parent_of_another_kind_or_architecture_is_refused():
    images = [image(f"g{i}", i) for i in range(10)]
    settings = DetectorSettings(pyramid=64)
    splits = splits_of(images, settings)
    assert why_not(CARD, images, splits, settings) == "its pyramid is 96, not 64"
    assert why_not(CARD | {"kind": "classifier"}, images, splits, settings) == "it is a classifier"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"learning": "1"}, "no setting 'learning'"),
        ({"lr": "fast"}, "must be a number"),
        ({"epochs": "2.5"}, "whole number"),
        ({"epochs": True}, "whole number"),
        ({"lr": "nan"}, "must be from"),
        ({"batch": "0"}, "from 1 to 64"),
        ({"folds": "7"}, "must be one of"),
        ({"validation": "5"}, "0 to 4"),
        ({"folds": 4, "validation": "none"}, "exclude each other"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(given: dict[str, Any], words: str):
    with pytest.raises(SettingsError, match=words):
        resolve_settings(given)


def test_settings_are_given_as_text_or_values():
    assert resolve_settings(parse_assignments(["lr=0.005", "epochs = 3"])) == resolve_settings(
        {"lr": 0.005, "epochs": 3}
    )
    with pytest.raises(SettingsError, match="key=value"):
        parse_assignments(["epochs"])


@given(st.lists(st.sampled_from(["apl", "aml", "healthy"]), max_size=150), st.sampled_from(DIVISORS))
def test_folds_are_balanced_by_diagnosis(diagnoses: list[str], k: int):
    slots: dict[str, list[int]] = {}
    for arrived, diagnosis in enumerate(diagnoses):
        mine = slots.setdefault(diagnosis, [])
        mine.append(next_slot(mine, arrived))
    for mine in slots.values():
        counts = [sum(fold_of(slot, k) == fold for slot in mine) for fold in range(k)]
        assert max(counts) - min(counts) <= 1
