"""What a diagnosis by the cells of a field rests on: on a synthetic smear its planted cells, and not the rest."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from annotation.crop import Square, crop_square, cut
from annotation.synthetic.patient import draw_patient
from annotation.synthetic.placement import PlantedCell
from annotation.synthetic.smear import draw_smear
from inference.field_occlusion import occlude_field
from inference.occlusion import Stopped

PLACES = [(90, 90), (390, 90), (240, 270)]
Bounds = tuple[float, float, float, float]
Field = tuple[Image.Image, list[Bounds], list[Square]]


class Darkness:
    """Sees how dark the middle of a crop is."""

    name = "darkness"

    def __init__(self) -> None:
        self.seen = 0

    def extract(self, crops: Sequence[Image.Image]) -> NDArray[np.float32]:
        self.seen += len(crops)
        middles = [np.asarray(crop.convert("L").crop((100, 100, 199, 199)), dtype=float) for crop in crops]
        return np.array([[255 - middle.mean()] for middle in middles], dtype=np.float32).reshape(len(crops), 1)


@pytest.fixture(scope="module")
def field() -> Field:
    """A smear with three planted cells alone, their bounds and the squares of their crops."""
    patient = replace(draw_patient(9, 2, "healthy"), cells=0.0, smudges=0.0)
    planted = tuple(PlantedCell(x, y, "promyelocyte") for x, y in PLACES)
    smear = draw_smear(patient, 0, 480, 360, um_per_pixel=0.2, planted=planted)
    outlines = [np.array(cell.border["points"]) for cell in smear.cells]
    bounds: list[Bounds] = []
    for place in PLACES:
        points = min(outlines, key=lambda each: float(np.hypot(*(each.mean(axis=0) - place))))
        (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        bounds.append((x0, y0, x1, y1))
    return Image.fromarray(smear.pixels), bounds, [crop_square(each, 0.2, None) for each in bounds]


def by_dark_cells(features: NDArray[np.float32]) -> float | None:
    """The more dark cells, the more probable."""
    return None if not len(features) else float(1 - np.exp(-features.sum() / 500))


def test_covering_a_cell_changes_what_its_field_says_and_the_rest_costs_nothing(field: Field) -> None:
    image, bounds, squares = field
    eye = Darkness()
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> bool:
        told.append((done, total))
        return True

    found = occlude_field(image, bounds, squares, eye, by_dark_cells, columns=12, rows=9, progress=progress)
    assert found is not None and found.changes.shape == (9, 12)
    assert found.probability == by_dark_cells(Darkness().extract([cut(image, square) for square in squares]))
    touched = np.zeros((9, 12), dtype=bool)
    for x0, y0, x1, y1 in bounds:
        touched[int(y0 // 40) : int(y1 // 40) + 1, int(x0 // 40) : int(x1 // 40) + 1] = True
    assert 0 < touched.sum() < 50
    assert not found.changes[~touched].any()
    assert eye.seen <= 3 + touched.sum()
    for x, y in PLACES:
        assert found.changes[y // 40, x // 40] > 0.3 * found.changes.max() > 0.01
    assert told[0] == (0, 108) and told[-1] == (108, 108)


def test_a_cell_that_is_covered_is_gone_and_nothing_is_said_without_any(field: Field) -> None:
    image, bounds, squares = field
    counted = lambda features: None if len(features) < 2 else len(features) / 10  # noqa: E731
    found = occlude_field(image, bounds, squares, Darkness(), counted, columns=3, rows=2)
    assert found is not None and found.probability == 0.3
    # Each third of the upper half but the middle one holds a cell, and the middle one of the lower half.
    assert found.changes == pytest.approx(np.array([[0.1, 0, 0.1], [0, 0.1, 0]]))
    alone = occlude_field(image, bounds, squares, Darkness(), counted, columns=1, rows=1)
    assert alone is not None and alone.changes.tolist() == [[0.0]], "nothing is left to say something by"
    assert occlude_field(image, bounds[:1], squares[:1], Darkness(), counted) is None
    with pytest.raises(Stopped):
        occlude_field(image, bounds, squares, Darkness(), counted, progress=lambda done, total: done < 5)
    with pytest.raises(ValueError, match="at least one row"):
        occlude_field(image, bounds, squares, Darkness(), counted, columns=0)
