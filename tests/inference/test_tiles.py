"""Tiles cover a field, share enough of it, and give each cell once."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inference.detection import Found, joined
from inference.tiles import tiles, whole


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(64, 1024), st.floats(0.1, 0.5))
def test_tiles_cover_the_field_and_share_what_they_should(width: int, height: int, side: int, part: float):
    overlap = int(side * part)
    places = list(tiles(width, height, side, overlap))
    for length, low, high in ((width, 0, 2), (height, 1, 3)):
        spans = sorted({(place[low], place[high]) for place in places})
        assert spans[0][0] == 0 and spans[-1][1] == length
        assert all(end - start <= side for start, end in spans)
        assert all(before[1] - after[0] >= overlap for before, after in zip(spans, spans[1:], strict=False))
    assert len(places) == len(set(places))


@given(st.integers(600, 3000), st.integers(600, 3000), st.data())
def test_every_cell_smaller_than_the_overlap_is_whole_in_a_tile(width: int, height: int, data: st.DataObject):
    side, overlap = 512, 160
    across, down = data.draw(st.integers(10, 150)), data.draw(st.integers(10, 150))
    x, y = data.draw(st.integers(0, width - across)), data.draw(st.integers(0, height - down))
    box = torch.tensor([[x, y, x + across, y + down]]).float()
    seen = 0
    for place in tiles(width, height, side, overlap):
        x0, y0, x1, y1 = place
        cut = torch.cat([box[:, :2].clamp(min=torch.tensor([x0, y0])), box[:, 2:].clamp(max=torch.tensor([x1, y1]))], 1)
        inside = bool((cut[:, 2:] > cut[:, :2]).all())
        kept = bool(whole(cut, place, width, height))
        if inside and kept:
            assert torch.equal(cut, box)  # what is kept was not cut
            seen += 1
    assert seen


def test_what_two_tiles_have_found_stays_once_best_first():
    first = Found(
        torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60]]),
        torch.tensor([0.6, 0.9]),
        torch.zeros(2, 28, 28),
        torch.tensor([0.1, 0.2]),
    )
    second = Found(torch.tensor([[1.0, 0, 10, 10]]), torch.tensor([0.8]), torch.ones(1, 28, 28), torch.tensor([0.3]))
    both = joined([first, second], 0.5)
    assert both.boxes.tolist() == [[50, 50, 60, 60], [1, 0, 10, 10]]
    assert both.coarse is not None and both.coarse[1].min() == 1
    assert both.tightness is not None and both.tightness.tolist() == pytest.approx([0.2, 0.3])
