"""What trials train on and are compared on never judges a round, and a parent knows none of what compares."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.search_space import as_given, check_trials, space_around
from training.search_split import inner_split
from training.settings import DetectorSettings, SettingsError
from training.splits import SplitError, holdout

groups = st.lists(st.tuples(st.integers(0, 59), st.integers(1, 3), st.integers(0, 3)), min_size=1, max_size=40)


def image(group: str, slot: int, cells: int = 2, sha256: str | None = None) -> dict[str, Any]:
    borders = [{"ignored": False} for _ in range(cells)]
    return {"group": group, "fold": slot, "borders": borders, "sha256": sha256 or group, "names": [f"{group}.png"]}


def card(*seen: str, images: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"groups": list(seen), "images": list(images)}


@given(groups, st.sampled_from(["auto", "none", "0", "1", "3"]), st.integers(0, 40))
def test_no_group_that_judges_is_in_an_inner_split(drawn: list[Any], validation: str, known: int):
    images = [image(f"g{i}", slot, cells) for i, (slot, count, cells) in enumerate(drawn) for _ in range(count)]
    settings = DetectorSettings(validation=validation)
    parent = card(*(f"g{i}" for i in range(known))) if known else None
    try:
        split = inner_split(images, settings, parent)
    except SplitError:
        return
    outer = holdout(images, settings)
    assert not split.groups & set(outer.judge)
    assert split.groups == {*outer.train, *outer.calibrate}
    assert not set(split.train) & set(split.validation)
    cells: dict[str, int] = {}
    for each in images:
        cells[each["group"]] = cells.get(each["group"], 0) + len(each["borders"])
    assert all(cells[group] for group in split.validation) and any(cells[group] for group in split.train)
    assert not split.warm or not {*split.validation} & {f"g{i}" for i in range(known)}


def test_about_a_quarter_of_the_groups_compares_the_trials():
    split = inner_split([image(f"g{i}", i) for i in range(40)], DetectorSettings())
    assert len(split.validation) == 8 and len(split.train) == 24


def test_trials_start_from_a_parent_only_where_enough_is_new_to_it():
    images = [image(f"g{i}", i) for i in range(40)]
    all_seen = inner_split(images, DetectorSettings(), card(*(f"g{i}" for i in range(40))))
    assert not all_seen.warm and len(all_seen.validation) == 8
    old = {f"g{i}" for i in range(32)}
    some_new = inner_split(images, DetectorSettings(), card(*old))
    assert some_new.warm and some_new.validation and not old & set(some_new.validation)
    # A patient may have been given to an image after the parent saw it: its pixels tell.
    by_pixels = inner_split(images, DetectorSettings(), card(images=tuple(f"g{i}" for i in range(40))))
    assert not by_pixels.warm


def test_a_single_group_that_trains_cannot_search():
    with pytest.raises(SplitError, match="needs two patients or images"):
        inner_split([image("a", 1), image("b", 1, cells=0)], DetectorSettings())


def test_a_cross_validated_round_cannot_search():
    settings = DetectorSettings(folds=5)
    with pytest.raises(SplitError, match="every patient judges"):
        inner_split([image(f"g{i}", i) for i in range(40)], settings)
    with pytest.raises(SettingsError, match="every patient judges"):
        check_trials(3, settings)
    check_trials(0, settings)


@pytest.mark.parametrize("trials", [-1, 501])
def test_a_number_of_trials_out_of_range_is_refused(trials: int):
    with pytest.raises(SettingsError, match=f"from 0 to 500, not {trials}"):
        check_trials(trials, DetectorSettings())


given_settings = st.builds(
    DetectorSettings,
    lr=st.floats(1e-6, 1.0),
    momentum=st.floats(0, 0.999),
    weight_decay=st.floats(0, 0.1),
    warmup=st.floats(0, 0.9),
    scale=st.floats(0, 0.7),
    colour=st.floats(0, 3),
    brightness=st.floats(0, 3),
)


@given(given_settings, st.integers(1, 10_000))
def test_the_settings_as_given_lie_in_the_space_and_all_of_it_is_allowed(settings: DetectorSettings, epochs: int):
    from training.settings import FIELDS

    point = as_given(settings, epochs)
    for each in space_around(settings, epochs):
        known = FIELDS[each.name].metadata
        assert each.low <= point[each.name] <= each.high
        assert known["least"] <= each.low < each.high <= known["most"]
        assert each.low > 0 or not each.log
    again = replace(settings, **point)
    assert again.lr == settings.lr and again.scale == settings.scale and again.frozen_stages == settings.frozen_stages
