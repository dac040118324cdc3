"""Cells dealt to readers: as many for each, as often as asked for, every pair about as often."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.reading_shares import shared_out


@given(
    cells=st.integers(0, 60),
    readers=st.integers(1, 6),
    data=st.data(),
    by_all=st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]),
    seed=st.integers(0, 5),
)
@settings(max_examples=80, deadline=None)
def test_each_cell_as_often_as_asked_for_and_each_reader_as_many(
    cells: int, readers: int, data: st.DataObject, by_all: float, seed: int
) -> None:
    each = data.draw(st.integers(1, readers))
    shares = shared_out(range(cells), range(readers), each, by_all, seed=seed)
    numbers = [len(own) for own in shares.values()]
    assert max(numbers) - min(numbers) <= 1
    assert all(len(set(own)) == len(own) for own in shares.values())
    times = Counter(cell for own in shares.values() for cell in own)
    assert set(times) == set(range(cells))
    read_by_all = sum(number == readers for number in times.values())
    assert all(number in (each, readers) for number in times.values())
    if each < readers:
        assert read_by_all == pytest.approx(by_all * cells, abs=1)


def test_every_pair_shares_about_as_many() -> None:
    shares = shared_out(range(60), "ABCD", 2)
    shared = {pair: len(set(shares[pair[0]]) & set(shares[pair[1]])) for pair in combinations("ABCD", 2)}
    assert sum(shared.values()) == 60
    assert max(shared.values()) - min(shared.values()) <= 4


def test_readers_do_not_read_in_one_order() -> None:
    shares = shared_out(range(30), "AB", 2)
    assert shares["A"] != shares["B"] != list(range(30))
    assert sorted(shares["A"]) == sorted(shares["B"]) == list(range(30))
    assert shared_out(range(30), "AB", 2) == shares
    assert shared_out(range(30), "AB", 2, seed=1) != shares


@pytest.mark.parametrize(
    ("readers", "each", "by_all"), [("", 1, 0), ("AB", 3, 0), ("AB", 0, 0), ("AB", 1, 1.5), ("AA", 1, 0)]
)
def test_what_cannot_be_is_refused(readers: str, each: int, by_all: float) -> None:
    with pytest.raises(ValueError, match=r"\."):
        shared_out([1, 2], readers, each, by_all)
