"""The scale of an image, in µm per pixel, from what its file says of it. Pure PIL.

Microscopes write it in three ways: as a resolution tag in pixels per inch or centimetre, in ImageJ's or Aperio's
words in the TIFF description, or in OME-XML there. Cameras, scanners and editors write 72, 96 or 300 dpi into the
same tags without any thought of scale: those are 353, 265 and 85 µm per pixel, a marrow cell smaller than a pixel.
So only values that a microscope can have are believed.
"""

import math
import re
from typing import Any

from PIL import Image

# From a scanning electron microscope's pixel to a 1x objective on large pixels.
PLAUSIBLE = (0.01, 10.0)
_MICRONS_PER_INCH = 25_400.0
_MICRONS_PER_CM = 10_000.0
_INCH, _CENTIMETRE = 2, 3
_X_RESOLUTION, _Y_RESOLUTION, _UNIT, _DESCRIPTION = 282, 283, 296, 270
_MICRON = re.compile(r"^unit=(micron|microns|um|µm|μm|\\u00B5m)\s*$", re.MULTILINE | re.IGNORECASE)
_OME_X = re.compile(r'PhysicalSizeX="([0-9.eE+-]+)"')
_OME_Y = re.compile(r'PhysicalSizeY="([0-9.eE+-]+)"')
_OME_UNIT = re.compile(r'PhysicalSizeXUnit="([^"]*)"')
_OME_MICRONS = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 0.001, "mm": 1000.0}
_APERIO = re.compile(r"\|\s*MPP\s*=\s*([0-9.]+)")


def um_per_pixel(image: Image.Image) -> float | None:
    """µm per pixel of an opened image, None where its file says nothing that can be believed."""
    found = _from_tiff(image) if image.format == "TIFF" else _from_dpi(image)
    if found is None or not math.isfinite(found) or not PLAUSIBLE[0] <= found <= PLAUSIBLE[1]:
        return None
    return round(found, 6)


def _from_tiff(image: Image.Image) -> float | None:
    tags: Any = getattr(image, "tag_v2", {})
    description = str(tags.get(_DESCRIPTION, ""))
    across, down = _number(tags.get(_X_RESOLUTION)), _number(tags.get(_Y_RESOLUTION))
    for found in (_ome(description), _aperio(description)):
        if found is not None:
            return found
    if description.startswith("ImageJ=") and _MICRON.search(description):
        return _square(across, down, 1.0)
    # Without a unit the tag says only the shape of a pixel; with none written, TIFF's own default is the inch.
    unit = {_INCH: _MICRONS_PER_INCH, _CENTIMETRE: _MICRONS_PER_CM}.get(tags.get(_UNIT, _INCH))
    return _square(across, down, unit) if unit else None


def _from_dpi(image: Image.Image) -> float | None:
    # PIL gives JPEG's, PNG's and BMP's resolution in dots per inch, whatever unit the file has.
    dpi = image.info.get("dpi")
    if not isinstance(dpi, tuple) or len(dpi) != 2:
        return None
    return _square(_number(dpi[0]), _number(dpi[1]), _MICRONS_PER_INCH)


def _square(across: float | None, down: float | None, unit: float) -> float | None:
    """unit / resolution, where pixels are square."""
    if not across or not down or across <= 0 or down <= 0 or abs(across - down) > 0.01 * across:
        return None
    return unit / across


def _ome(description: str) -> float | None:
    x, y, unit = _OME_X.search(description), _OME_Y.search(description), _OME_UNIT.search(description)
    factor = _OME_MICRONS.get(unit.group(1)) if unit else 1.0
    across, down = _number(x and x.group(1)), _number(y and y.group(1))
    if factor is None or not across or not down or abs(across - down) > 0.01 * across:
        return None
    return across * factor


def _aperio(description: str) -> float | None:
    found = _APERIO.search(description) if description.startswith("Aperio") else None
    return _number(found.group(1)) if found else None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) else None
