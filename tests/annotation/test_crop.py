import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from annotation.crop import CROP, FIELD_CELLS, FIELD_UM, MARGIN, crop_hash, crop_square, cut

lengths = st.floats(0, 400, allow_nan=False)
places = st.floats(-50, 3000, allow_nan=False)


@st.composite
def boxes(draw):
    x, y = draw(places), draw(places)
    return x, y, x + draw(lengths), y + draw(lengths)


@given(bounds=boxes(), um_per_pixel=st.floats(0.02, 2))
def test_a_square_is_centred_on_the_bounds_and_holds_them(bounds, um_per_pixel):
    x0, y0, side = crop_square(bounds, um_per_pixel, None)
    # Whole pixels: the centre is hit to half a pixel.
    assert x0 + side / 2 == pytest.approx((bounds[0] + bounds[2]) / 2, abs=0.5001)
    assert y0 + side / 2 == pytest.approx((bounds[1] + bounds[3]) / 2, abs=0.5001)
    longest = max(bounds[2] - bounds[0], bounds[3] - bounds[1])
    assert side >= longest * (1 + 2 * MARGIN)


@given(bounds=boxes(), um_per_pixel=st.floats(0.02, 2))
def test_cells_that_fit_are_all_shown_at_one_scale(bounds, um_per_pixel):
    longest = max(bounds[2] - bounds[0], bounds[3] - bounds[1])
    side = crop_square(bounds, um_per_pixel, typical_px=77)[2]
    wanted = max(FIELD_UM / um_per_pixel, longest * (1 + 2 * MARGIN))
    assert wanted <= side < wanted + 1


def test_without_a_scale_the_median_cell_is_the_measure():
    assert crop_square((0, 0, 40, 50), None, 100.0)[2] == FIELD_CELLS * 100
    assert crop_square((0, 0, 300, 50), None, 100.0)[2] == pytest.approx(300 * (1 + 2 * MARGIN), abs=1)


def test_without_any_measure_the_cell_is_its_own_and_a_point_is_refused():
    assert crop_square((10, 10, 50, 30), None, None)[2] == FIELD_CELLS * 40
    assert crop_square((10, 10, 10, 10), 0.1, None) == (-120, -120, 260)
    with pytest.raises(ValueError, match="no size"):
        crop_square((10, 10, 10, 10), None, None)


@given(square=st.tuples(st.integers(-30, 25), st.integers(-30, 15), st.integers(32, 60)))
def test_what_lies_in_the_image_is_cut_pixel_by_pixel_and_beyond_it_is_its_mean(square):
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    x0, y0, side = square
    crop = np.asarray(cut(Image.fromarray(pixels), square, size=side))
    assert crop.shape == (side, side, 3)
    seen = pixels[max(y0, 0) : y0 + side, max(x0, 0) : x0 + side]
    mean = seen.reshape(-1, 3).mean(axis=0).round()
    for x, y in [(0, 0), (side // 2, side // 2), (side - 1, side - 1)]:
        inside = 0 <= x0 + x < 30 and 0 <= y0 + y < 20
        expected = pixels[y0 + y, x0 + x] if inside else mean
        assert (crop[y, x] == expected).all()


def test_crops_are_rgb_and_of_one_size_whatever_the_image():
    grey = Image.new("L", (50, 40), 90)
    crop = cut(grey, (10, 10, 20))
    assert (crop.mode, crop.size) == ("RGB", (CROP, CROP))
    assert (np.asarray(crop) == 90).all()
    assert cut(Image.new("I;16", (50, 40)), (0, 0, 20)).mode == "RGB"


def test_a_square_beside_the_image_is_refused():
    with pytest.raises(ValueError, match="outside"):
        cut(Image.new("RGB", (50, 40)), (50, 0, 20))


def test_a_crop_is_named_by_its_image_square_and_size():
    name = crop_hash("ab" * 32, (1, 2, 30), 299)
    assert name == crop_hash("ab" * 32, (1, 2, 30))
    others = {
        crop_hash("cd" * 32, (1, 2, 30)),
        crop_hash("ab" * 32, (1, 23, 0)),
        crop_hash("ab" * 32, (12, 3, 0)),
        crop_hash("ab" * 32, (1, 2, 31)),
        crop_hash("ab" * 32, (1, 2, 30), 224),
    }
    assert len(others | {name}) == 6 and all(len(each) == 64 for each in others)
