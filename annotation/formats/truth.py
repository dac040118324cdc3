"""A truth to measure against: the borders of an annotation source by image, without the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from annotation.borders import Border, bounds, is_point
from annotation.formats.detect import read_records
from annotation.formats.matching import ImageNames, match
from annotation.formats.records import Records, Selection, Skipped, place
from annotation.points import median_size, region_around


@dataclass(frozen=True)
class TruthCell:
    """One border of the truth. An ignored one counts neither as hit nor as miss.

    A point of the source is an ignored region of the size of the truth's median cell (annotation/points.py).
    """

    border: Border
    ignored: bool
    class_name: str


@dataclass
class Truth:
    """`images` maps the names given to `read_truth` to their cells; an image without cells has an empty list.

    An image that the source does not name is not in it. `left_out` counts regions of classes in neither list.
    """

    images: dict[str, list[TruthCell]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    left_out: int = 0
    notes: list[str] = field(default_factory=list)


def read_truth(
    path: Path,
    format: str,
    class_names: Path | Sequence[str] | None,
    class_attribute: str | None,
    classes: Sequence[str] | None,
    ignore: Sequence[str],
    image_sizes: Mapping[str, tuple[int, int]],
) -> Truth:
    """The truth for the images of `image_sizes` (name to width and height in pixels), matched by file name.

    Raises FormatError where the source cannot be used at all; single records end in `skipped`.
    """
    records = read_records(path, format, class_names, class_attribute)
    selection = Selection(tuple(classes) if classes else None, tuple(ignore))
    notes = selection.check(records)
    truth = truth_of(records, selection, image_sizes)
    truth.notes = [*records.notes, *notes]
    return truth


def truth_of(records: Records, selection: Selection, image_sizes: Mapping[str, tuple[int, int]]) -> Truth:
    pairs, skipped = match(records.images, ImageNames(image_sizes))
    truth = Truth(skipped=[*records.skipped, *skipped])
    for record, name in pairs:
        placed = place(record, *image_sizes[name], selection)
        truth.skipped.extend(placed.skipped)
        truth.left_out += placed.left_out
        if not placed.regions and placed.skipped:
            continue  # Nothing could be read: that is no image without cells.
        truth.images[name] = [TruthCell(p.border, p.ignored, p.class_name) for p in placed.regions]
    _spread_points(truth, image_sizes)
    return truth


def _spread_points(truth: Truth, image_sizes: Mapping[str, tuple[int, int]]) -> None:
    drawn = [
        cell for cells in truth.images.values() for cell in cells if not cell.ignored and not is_point(cell.border)
    ]
    size = median_size(bounds(cell.border) for cell in drawn)
    for name, cells in truth.images.items():
        truth.images[name] = [
            TruthCell(region_around(cell.border, size, *image_sizes[name]), True, cell.class_name)
            if is_point(cell.border)
            else cell
            for cell in cells
        ]
