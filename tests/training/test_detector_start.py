"""The scale at which a round trains: its cells', its parent's, or as set."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.training.snapshots import border
from training.bundle import BundleFiles
from training.detector_start import starting_size
from training.settings import DetectorSettings


def snapshot(side: float, study: str = "ours") -> Any:
    """Fields 2000 px wide whose cells are `side` px."""
    image = {"width": 2000, "height": 1500, "borders": [border((0, 0, side, side))] if side else []}
    return SimpleNamespace(images=[image], manifest={"study": study})


def parent(study: str = "theirs", anchors: tuple[float, ...] = (80, 115, 165, 236), size: int = 416) -> BundleFiles:
    card = {"study": study, "architecture": {"anchors": list(anchors)}, "inputs": {"size": size}}
    return BundleFiles(Path("nowhere"), card)


@pytest.mark.parametrize(
    ("side", "start", "size"),
    [
        (250, None, 800),
        (250, parent(study="ours"), 416),
        (250, parent(), 800),  # 100 px lie among the anchors
        (250, parent(anchors=(40, 50, 60, 70)), 448),  # cells of 55 px, the median anchor
        (1000, parent(anchors=(300, 350, 400, 450)), 736),  # 200 px, and the median anchor is 375
        (0, parent(), 400),
    ],
    ids=["cells", "own parent", "foreign parent", "parent of small cells", "parent of large cells", "no cells"],
)
def test_the_scale_follows_the_cells_unless_the_parent_cannot_see_them_there(
    side: float, start: BundleFiles | None, size: int
):
    assert starting_size(snapshot(side), DetectorSettings(), start) == size


def test_a_size_that_was_set_holds():
    assert starting_size(snapshot(250), DetectorSettings(size=608), parent()) == 608
