"""The border of the cell in the middle of a picture: which one it is, and what touching red cells do not add."""

from typing import Any

import pytest
from PIL import Image, ImageDraw

from annotation.borders import bounds
from annotation.models import Study
from inference.centre_border import CentreBorder, nearest_centre

PALE, NUCLEUS, BLUE, RED, ORANGE = (250, 240, 225), (96, 52, 140), (170, 175, 215), (176, 118, 130), (205, 130, 135)


def picture(*discs: tuple[float, float, float, tuple[int, int, int]], size: int = 320) -> Image.Image:
    image = Image.new("RGB", (size, size), PALE)
    draw = ImageDraw.Draw(image)
    for x, y, r, colour in discs:
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    return image


@pytest.fixture
def finder(study: Study) -> CentreBorder:
    return CentreBorder(study)


CELL = ((160, 160, 55, BLUE), (165, 155, 38, NUCLEUS))


def test_red_cells_that_touch_are_no_part_of_the_cell(finder: CentreBorder) -> None:
    found = finder.find(picture((250, 160, 42, RED), (160, 70, 42, RED), *CELL))
    assert found is not None
    x0, y0, x1, y1 = bounds(found, 320, 320)
    assert 95 <= x0 <= 115 and 95 <= y0 <= 115 and 205 <= x1 <= 228 and 205 <= y1 <= 228


def test_orange_granules_around_the_nucleus_are_part_of_it(finder: CentreBorder) -> None:
    found = finder.find(picture((160, 160, 55, ORANGE), (152, 154, 30, NUCLEUS), (168, 162, 30, NUCLEUS)))
    assert found is not None
    x0, _, x1, _ = bounds(found, 320, 320)
    assert x0 <= 116 and x1 >= 204


def test_the_cell_in_the_middle_is_meant_not_the_largest(finder: CentreBorder) -> None:
    found = finder.find(picture((160, 160, 40, NUCLEUS), (40, 40, 60, NUCLEUS), (290, 280, 50, NUCLEUS)))
    assert found is not None
    x0, y0, x1, y1 = bounds(found, 320, 320)
    assert abs((x0 + x1) / 2 - 160) < 6 and abs((y0 + y1) / 2 - 160) < 6


def test_where_nothing_lies_in_the_middle_nothing_is_found(finder: CentreBorder) -> None:
    assert finder.find(picture((40, 40, 40, NUCLEUS))) is None
    assert finder.find(picture()) is None


def test_specks_and_far_borders_are_not_taken() -> None:
    speck: dict[str, Any] = {"kind": "circle", "cx": 50, "cy": 50, "r": 2}
    around = {"kind": "circle", "cx": 60, "cy": 50, "r": 20}
    beside = {"kind": "circle", "cx": 30, "cy": 50, "r": 15}
    assert nearest_centre([speck, beside, around], 100, 100) == around
    assert nearest_centre([speck, beside], 100, 100) == beside
    assert nearest_centre([speck, {**beside, "cx": 15}], 100, 100) is None


def test_a_detector_in_use_finds_it(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    circle = {"kind": "circle", "cx": 160, "cy": 160, "r": 50}

    class Detector:
        score_threshold = 0.5

        def __init__(self, bundle: str) -> None:
            assert bundle == "the bundle in use"

        def propose(self, image: Image.Image) -> list[dict[str, Any]]:
            unsure = {"border": {**circle, "r": 30}, "score": 0.4}
            return [{"border": {**circle, "cx": 170}, "score": 0.9}, unsure]

    monkeypatch.setattr("inference.proposals.DetectorProposals", Detector)
    monkeypatch.setattr("inference.centre_border.Bundle.used_by", lambda study: "the bundle in use")
    assert CentreBorder(study).find(picture()) == {**circle, "cx": 170}
