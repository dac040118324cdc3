"""From an untrusted file to clean pixels: what is accepted, how each kind becomes RGB. Pure PIL, no rows.

What comes out holds pixels and a scale, nothing else: names, dates and comments that a microscope or a viewer wrote
into the file could name a patient.
"""

import io
import os
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from annotation.physical_size import um_per_pixel

# By content: PIL tries only these readers, whatever the file is called.
ACCEPTED = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
MAX_NAME = 1000
_FULL_16_BIT = 65_535
_MAX_SAMPLE_VALUE, _PHOTOMETRIC, _ORIENTATION, _WHITE_IS_ZERO = 281, 262, 274, 0
_WITH_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")


class IntakeError(ValueError):
    """A file that is no image that can be taken; the message says why in one sentence."""


@dataclass(frozen=True)
class CleanImage:
    """An image as it may be stored: mode RGB, upright, without metadata; its µm per pixel where the file knows."""

    pixels: Image.Image
    um_per_pixel: float | None
    notes: tuple[str, ...] = ()


def read_image(source: Path | BinaryIO, pixel_budget: int) -> CleanImage:
    """Decode one file once, whole. Raises IntakeError; whatever the file holds, nothing else.

    pixel_budget: the most pixels that an image may have; checked before anything is decoded.
    """
    if isinstance(source, Path):
        with _open_regular(source) as stream:
            return _read(stream, pixel_budget)
    return _read(source, pixel_budget)


def clean_name(name: str) -> str:
    """A file name as it can be stored and shown: valid Unicode, without control characters. Raises IntakeError."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs")).strip()
    if not text:
        raise IntakeError("The file has no name.")
    if len(text) > MAX_NAME:
        raise IntakeError(f"The file's name is longer than {MAX_NAME} characters.")
    return text


def _open_regular(path: Path) -> BinaryIO:
    try:
        # Without waiting: opening a named pipe would hang until somebody writes.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as fault:
        raise IntakeError(f"The file cannot be read: {fault.strerror}.") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise IntakeError("It is not a regular file.")
    return os.fdopen(handle, "rb")


def _read(stream: BinaryIO, pixel_budget: int) -> CleanImage:
    # PIL's own guard must not refuse what the budget allows; the budget itself is checked below.
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, pixel_budget)
    try:
        stream.seek(0, io.SEEK_END)
        if stream.tell() == 0:
            raise IntakeError("The file is empty.")
        stream.seek(0)
        with Image.open(stream, formats=ACCEPTED) as image:
            return _decode(image, pixel_budget)
    except IntakeError:
        raise
    except UnidentifiedImageError:
        raise IntakeError("The file is not an image of a kind that is accepted (PNG, JPEG, TIFF, BMP, WebP).") from None
    except Image.DecompressionBombError:
        raise IntakeError(f"The image has more pixels than the budget of {pixel_budget:,}.") from None
    except MemoryError:
        raise IntakeError("The image does not fit into memory.") from None
    except Exception as fault:
        # A crafted file makes the decoders raise anything at all: struct.error, SyntaxError, zlib.error, KeyError...
        reason = " ".join(str(fault).split())[:200].rstrip(".") or type(fault).__name__
        raise IntakeError(f"The image is damaged: {reason}.") from None


def _decode(image: Image.Image, pixel_budget: int) -> CleanImage:
    width, height = image.size
    if width < 1 or height < 1:
        raise IntakeError("The image has no pixels.")
    if width * height > pixel_budget:
        raise IntakeError(f"The image has {width}×{height} pixels, more than the budget of {pixel_budget:,}.")
    notes = []
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        notes.append(f"The file holds {frames} pages or frames; the first is taken.")
        image.seek(0)
    scale = um_per_pixel(image)
    image.load()
    rgb = _upright_rgb(image)
    # A new image of the bare pixels: nothing of the file's metadata can follow.
    return CleanImage(Image.frombytes("RGB", rgb.size, rgb.tobytes()), scale, tuple(notes))


def _upright_rgb(image: Image.Image) -> Image.Image:
    # Colours first: turning copies the image, and the copy has lost the tags that say what its values mean.
    orientation = _orientation(image)
    rgb = _rgb(image)
    turned = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE"}
    turned |= {6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90"}
    return rgb.transpose(Image.Transpose[turned[orientation]]) if orientation in turned else rgb


def _orientation(image: Image.Image) -> object:
    """The EXIF orientation that is still to be applied: PIL has turned a TIFF by itself when it loaded it."""
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:
        # Metadata too broken to be read says nothing about which way is up.
        return None


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in ("F", "I") or image.mode.startswith("I;16"):
        return _from_deep_grey(image)
    if image.mode in _WITH_ALPHA or image.has_transparency_data:
        # Nothing lies behind a smear but light: what is transparent is white.
        layer = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits, scaled from its full range, not from what this one image happens to use."""
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all() or values.min() < 0:
        raise IntakeError("The image holds values below 0 or that are no numbers.")
    tags = getattr(image, "tag_v2", {})
    full = _full_range(image, values.max(), tags.get(_MAX_SAMPLE_VALUE))
    grey = np.clip(np.rint(values * (255.0 / full)), 0, 255).astype(np.uint8)
    # PIL turns 8-bit grey round itself where the file says that 0 is white, but not these.
    if image.format == "TIFF" and image.mode.startswith("I;16") and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey
    return Image.fromarray(grey).convert("RGB")


def _full_range(image: Image.Image, highest: float, stated: object) -> float:
    if image.mode == "F":
        for full in (1.0, 255.0, float(_FULL_16_BIT)):
            if highest <= full:
                return full
        raise IntakeError("The image's floating point values go beyond 65535.")
    if highest > _FULL_16_BIT:
        raise IntakeError("The image has more than 16 bits a pixel.")
    # 12-bit cameras write their values into 16-bit files, and the better ones say so.
    value = stated[0] if isinstance(stated, tuple) and stated else stated
    if isinstance(value, int) and 255 <= value <= _FULL_16_BIT and highest <= value:
        return float(value)
    return float(_FULL_16_BIT)
