"""Each patient's cells in the colours of one reference (training/reinhard.py): for smears of several sites.

The reference is fixed, and no mean of a study's patients: so nothing is fitted, no fold knows of another, and what was
computed of a cell holds for every round and study. A patient's own colours are those of all its cells together, as a
large nucleus must not be taken for a dark stain. Free of rows and tensors.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from PIL import Image

from annotation.crop import cut
from training.classifier_lesson import LabelledCell
from training.reinhard import ColourStatistics, statistics_of, transferred

# Changes with what a transferred crop looks like, so that stored features of others are never taken for these.
VERSION = "reinhard/1"
# Of L*, a* and b* over the cells' crops of 17 bone marrow fields, rounded.
REFERENCE = ColourStatistics((60.0, 15.0, -19.0), (17.0, 12.0, 15.0))
# Side in px at which colours are counted: they do not depend on sharpness.
_SIDE = 64


class StainTransfer:
    """Of patients with these colours."""

    def __init__(self, colours: Mapping[str, ColourStatistics]) -> None:
        self._colours = dict(colours)

    def name(self, cell: LabelledCell) -> str:
        """The name (64 hex digits) of a cell's crop in the colours of the reference."""
        own = self._colours[cell.patient]
        return hashlib.sha256(f"{VERSION} {cell.crop} {own.mean} {own.spread}".encode()).hexdigest()

    def picture(self, crop: Image.Image, cell: LabelledCell) -> Image.Image:
        return transferred(crop, self._colours[cell.patient], REFERENCE)


def stains_of(
    cells: Sequence[LabelledCell], opened: Callable[[str], Image.Image], alive: Callable[[], object] = lambda: None
) -> StainTransfer:
    """Of all patients of cells, by those that were not picked for their kind where there are any. `opened` gives an
    image by its sha256; `alive` is called after each patient, and may raise. Raises OSError where an image cannot be
    read."""
    by_patient: dict[str, list[LabelledCell]] = {}
    for cell in cells:
        by_patient.setdefault(cell.patient, []).append(cell)
    found = {}
    for patient, own in by_patient.items():
        drawn = [cell for cell in own if not cell.extra] or own
        found[patient] = _rounded(statistics_of(_small(drawn, opened)))
        alive()
    return StainTransfer(found)


def _small(cells: Iterable[LabelledCell], opened: Callable[[str], Image.Image]) -> Iterable[Image.Image]:
    for cell in sorted(cells, key=lambda cell: (cell.sha256, cell.square)):
        yield cut(opened(cell.sha256), cell.square).resize((_SIDE, _SIDE), Image.Resampling.BOX)


def _rounded(colours: ColourStatistics) -> ColourStatistics:
    """So that names do not hang on the last digit of a sum."""
    mean, spread = (tuple(round(value, 2) for value in each) for each in (colours.mean, colours.spread))
    return ColourStatistics((mean[0], mean[1], mean[2]), (spread[0], spread[1], spread[2]))
