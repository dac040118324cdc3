"""Masks: one picture an image, where every pixel that is not black belongs to a cell.

Pixels that touch, also by a corner, are one cell; its outline runs along their outer edge, and holes are filled: a
border is one ring. A black picture is an image without cells; an image without a picture is not annotated.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from shapely.geometry import Polygon

from annotation.formats.records import FormatError, ImageRecord, Records, Region

SUFFIXES = {".png", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".jpg", ".jpeg"}
# Below so many pixels a spot is a slip of the hand or of compression, no cell.
LEAST_PIXELS = 16
# An outline may run so many pixels beside the steps of its pixels: they are no part of the cell's shape.
TOLERANCE = 0.4


def read(path: Path) -> Records:
    """Masks of a folder (searched in depth), or one, named as their images. Raises FormatError."""
    records = Records("mask", class_hint="masks have no classes")
    folder = path if path.is_dir() else path.parent
    files = sorted(folder.rglob("*")) if path.is_dir() else [path]
    for file in files:
        if not file.is_file() or file.suffix.lower() not in SUFFIXES:
            continue
        records.files.add(file.resolve())
        name = file.relative_to(folder).with_suffix("").as_posix()
        record = ImageRecord(name, _aliases(name), stem=True)
        try:
            with Image.open(file) as picture:
                inside = np.asarray(picture.convert("RGB")).max(axis=2) > 0
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as fault:
            record.skip("File", f"it is no picture that can be read: {fault}.")
        else:
            record.size = (inside.shape[1], inside.shape[0])
            for number, ring in enumerate(outlines(inside), start=1):
                if len(ring) < 4:
                    record.skip(f"Spot {number}", f"it has fewer than {LEAST_PIXELS} pixels.")
                    continue
                record.regions.append(Region(f"Cell {number}", {"kind": "polygon", "points": ring}))
        records.images.append(record)
    if not records.images:
        raise FormatError(f"There is no mask ({', '.join(sorted(SUFFIXES))}) in {path.name}.")
    return records


def outlines(inside: NDArray[np.bool_]) -> list[list[list[float]]]:
    """The outline (x, y in px) of each connected spot of a mask (H, W), top ones first; empty for a spot too small."""
    # Imported here: the web process reads annotation sources too, and masks are rare.
    from skimage.measure import find_contours, label, regionprops

    found: list[list[list[float]]] = []
    for spot in regionprops(label(inside, connectivity=2)):
        if spot.num_pixels < LEAST_PIXELS:
            found.append([])
            continue
        # A rim of ground around it, so that the contour closes at the picture's edge.
        padded = np.pad(spot.image_filled, 1).astype(float)
        longest = max(find_contours(padded, 0.5, fully_connected="high"), key=len)
        top, left = spot.bbox[0] - 1, spot.bbox[1] - 1
        # A contour runs through centres of pixels, which lie half a pixel from their corner.
        ring = Polygon([(left + x + 0.5, top + y + 0.5) for y, x in longest]).simplify(TOLERANCE)
        found.append([[x, y] for x, y in ring.exterior.coords[:-1]])
    return found


def _aliases(name: str) -> tuple[str, ...]:
    # Beside one another: .../masks/a.png belongs to .../images/a.jpg.
    parts = name.split("/")
    if "masks" not in parts:
        return ()
    last = len(parts) - 1 - parts[::-1].index("masks")
    return ("/".join([*parts[:last], "images", *parts[last + 1 :]]),)
