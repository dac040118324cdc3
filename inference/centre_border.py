"""The border of the cell in the middle of a picture: by the study's detector in use, else by first proposals.

The import of single cells finds this class by its name in the settings (CENTRE_BORDER).
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from PIL import Image
from shapely import Point, Polygon

from annotation.borders import Border, outline
from annotation.models import Study
from inference.watershed import propose
from training.models import Bundle

# First proposals of a picture that a cell fills to a good part: finer steps cost time, and a border gains nothing.
_WORKING_SIZE = 160
# Of the shorter side: how far from the centre a border may end and still be the one that was meant, and how wide it
# is at least.
_REACH, _SMALLEST = 0.125, 0.1


class CentreBorder:
    """Finds borders for one study; its detector is loaded once."""

    def __init__(self, study: Study) -> None:
        bundle = Bundle.used_by(study)
        self._detector = None
        if bundle is not None:
            # Imported here: most studies that begin with single cells have no detector, and need no torch.
            from inference.proposals import DetectorProposals

            self._detector = DetectorProposals(bundle)

    def find(self, image: Image.Image) -> Border | None:
        """The border nearest the centre of an RGB image, in its pixels; None where there is none near it."""
        if self._detector is None:
            proposals: Iterable[Mapping[str, Any]] = propose(image, _WORKING_SIZE, part_red_cells=True)
        else:
            cut = self._detector.score_threshold
            proposals = [each for each in self._detector.propose(image) if each["score"] >= cut]
        return nearest_centre([each["border"] for each in proposals], image.width, image.height)


def nearest_centre(borders: Iterable[Border], width: int, height: int) -> Border | None:
    """Of borders around the centre of an image the one with its own middle closest, else the one that ends closest."""
    centre, short = Point(width / 2, height / 2), min(width, height)
    best: tuple[float, float] = (_REACH * short, math.inf)
    found = None
    for border in borders:
        shape = Polygon(outline(border))
        if math.sqrt(shape.area) < _SMALLEST * short:
            continue
        key = (shape.distance(centre), shape.centroid.distance(centre))
        if key < best:
            best, found = key, border
    return found
