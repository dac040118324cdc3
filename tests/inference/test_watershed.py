import numpy as np
import pytest
from PIL import Image, ImageDraw

from annotation.borders import bounds, iou
from inference.watershed import propose


def field_of(cells: list[tuple[int, int, int]], size: tuple[int, int] = (640, 480)) -> Image.Image:
    """Purple nuclei in lilac cytoplasm on a pale field, at (x, y, radius)."""
    image = Image.new("RGB", size, (235, 225, 228))
    draw = ImageDraw.Draw(image)
    for x, y, r in cells:
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(190, 170, 215))
        n = int(r * 0.75)
        draw.ellipse((x - n, y - n, x + n, y + n), fill=(95, 40, 140))
    return image


def test_finds_each_cell_with_its_cytoplasm():
    cells = [(120, 120, 45), (330, 150, 50), (500, 360, 40)]
    found = propose(field_of(cells))
    assert len(found) == 3
    for x, y, r in cells:
        true = {"kind": "circle", "cx": x, "cy": y, "r": r}
        assert max(iou(p["border"], true) for p in found) > 0.7


def test_parts_touching_cells():
    assert len(propose(field_of([(200, 200, 50), (294, 200, 50), (460, 330, 50)]))) == 3


def test_a_cell_cut_by_the_edge_stays_in_the_field():
    found = propose(field_of([(10, 200, 50), (300, 240, 50)]))
    assert len(found) == 2
    assert all(b >= 0 for p in found for b in bounds(p["border"]))


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (400, 300)])
def test_an_empty_field_has_no_proposals(size: tuple[int, int]):
    assert propose(Image.new("RGB", size, (230, 220, 225))) == []


def test_noise_alone_does_not_fail():
    noise = np.random.default_rng(1).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    for proposal in propose(Image.fromarray(noise)):
        assert 0 <= proposal["score"] <= 1


def test_proposals_come_best_first_as_polygons():
    found = propose(field_of([(120, 120, 45), (330, 150, 50), (500, 360, 40), (20, 460, 30)]))
    scores = [p["score"] for p in found]
    assert scores == sorted(scores, reverse=True)
    assert {p["border"]["kind"] for p in found} == {"polygon"}
    assert all(3 <= len(p["border"]["points"]) <= 80 for p in found)


def test_a_field_with_nothing_but_a_speck_of_colour_has_no_cells():
    grey = Image.effect_noise((64, 48), 11).convert("RGB")
    grey.putpixel((0, 0), (250, 10, 10))
    assert propose(grey) == []
