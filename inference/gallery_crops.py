"""The crops of cells as the gallery asks for them: many at a time, each image opened once."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from annotation.cell_crops import cells_to_classify
from annotation.crop import Square, crop_hash
from annotation.models import Study
from inference import kept_crops
from inference.gallery_cells import square_of

# So many crops are sent at a time.
PAGE = 60
_COLUMNS = ("id", "image_id", "x0", "y0", "x1", "y1", "image__sha256", "image__um_per_pixel")


def crops_of(study: Study, ids: Sequence[UUID], size: int) -> dict[UUID, tuple[str, bytes]]:
    """The name and the JPEG of the crop of each cell that can be shown; none of a cell whose image is gone from the
    store. One query, and one for each image that has to be decoded."""
    by_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in cells_to_classify(study).filter(pk__in=ids).order_by().values(*_COLUMNS):
        by_image[row["image_id"]].append(row)
    found: dict[UUID, tuple[str, bytes]] = {}
    for image_id, rows in by_image.items():
        placed = [(row["id"], square) for row in rows if (square := square_of(study, row)) is not None]
        sha256 = rows[0]["image__sha256"]

        def others(image_id: int = image_id) -> Iterable[Square]:
            cells = cells_to_classify(study).filter(image=image_id).order_by()
            return filter(None, (square_of(study, row) for row in cells.values(*_COLUMNS)))

        try:
            pictures = kept_crops.crops(sha256, [square for _, square in placed], size, others)
        except (OSError, ValueError):
            continue
        for (key, square), picture in zip(placed, pictures, strict=True):
            found[key] = (crop_hash(sha256, square)[:12], picture)
    return found


def place_of(study: Study, cell: UUID) -> tuple[str, Square] | None:
    """The image, by its hash, and the square of a cell; None where there is no such cell to be shown. One query."""
    row = cells_to_classify(study).filter(pk=cell).order_by().values(*_COLUMNS).first()
    square = square_of(study, row) if row else None
    return (row["image__sha256"], square) if row and square else None
