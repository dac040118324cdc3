"""Masks as borders: one a connected spot, exact to the pixel, holes filled; what cannot be read is said."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from shapely.geometry import Polygon

from annotation.formats.mask import LEAST_PIXELS, outlines, read
from annotation.formats.records import FormatError
from annotation.formats.truth import read_truth


def save(folder: Path, name: str, inside: np.ndarray, value: int = 255) -> None:
    folder.mkdir(exist_ok=True)
    Image.fromarray(inside.astype(np.uint8) * value).save(folder / name)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(5, 20), st.integers(5, 20))
def test_a_rectangle_of_pixels_is_its_own_outline(x: int, y: int, width: int, height: int):
    inside = np.zeros((40, 40), dtype=bool)
    inside[y : y + height, x : x + width] = True
    (ring,) = outlines(inside)
    shape = Polygon(ring)
    assert shape.area == pytest.approx(width * height, abs=1)
    assert shape.bounds == pytest.approx((x, y, x + width, y + height), abs=0.5)


def test_each_spot_is_a_cell_holes_are_filled_and_specks_are_said(tmp_path: Path):
    inside = np.zeros((60, 80), dtype=bool)
    inside[5:25, 5:25] = True
    inside[10:15, 10:15] = False
    inside[30:55, 40:70] = True
    inside[2, 70] = True
    save(tmp_path / "masks", "a.png", inside, 128)  # grey counts as well as white
    save(tmp_path / "masks", "b.png", np.zeros((60, 80), dtype=bool))
    records = read(tmp_path / "masks")
    first, empty = records.images
    assert [round(Polygon(region.border["points"]).area) for region in first.regions] == [400, 750]
    assert len(first.skipped) == 1 and str(LEAST_PIXELS) in first.skipped[0].reason
    assert empty.regions == [] and empty.skipped == []


def test_masks_are_matched_by_name_whatever_the_files_end_in(tmp_path: Path):
    inside = np.zeros((50, 50), dtype=bool)
    inside[10:40, 10:40] = True
    save(tmp_path / "masks", "x.png", inside)
    truth = read_truth(tmp_path / "masks", "mask", None, None, None, (), {"x.jpg": (50, 50)})
    assert len(truth.images["x.jpg"]) == 1
    assert truth.images["x.jpg"][0].border["kind"] == "polygon"


def test_a_mask_of_another_size_and_a_broken_one_are_skipped_with_the_reason(tmp_path: Path):
    save(tmp_path / "masks", "x.png", np.ones((50, 50), dtype=bool))
    (tmp_path / "masks" / "y.png").write_bytes(b"no picture")
    truth = read_truth(tmp_path / "masks", "mask", None, None, None, (), {"x.png": (60, 60), "y.png": (60, 60)})
    reasons = {skipped.name: skipped.reason for skipped in truth.skipped}
    assert "50" in reasons["x"] and "60" in reasons["x"]
    assert "picture" in reasons["y"]


def test_a_folder_without_masks_is_refused(tmp_path: Path):
    with pytest.raises(FormatError, match="no mask"):
        read(tmp_path)
