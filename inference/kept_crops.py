"""Crops of cells as JPEG files, kept on disk so that an image is decoded once for all of its cells.

A file is named by its crop (annotation/crop.py), so that it never shows another border than the present one; what was
not used for longest goes when the folder has grown too large. Whatever is wrong with the folder costs a decoding.
"""

import contextlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from django.conf import settings
from PIL import Image

from annotation.crop import CROP, Square, crop_hash, cut
from annotation.store import ImageStore
from training.pixel_cache import trim

# Pixels of a tile, and of a large tile or a fine screen.
SMALL = 128
SIZES = (SMALL, CROP)
_QUALITY = 88
# Images up to so many pixels stay decoded for a moment: the next crop is often of the same field.
_STAYS = 20_000_000
# After so many new files a process looks how large the folder has grown.
_LOOK_AFTER = 4_000

_locks = [threading.Lock() for _ in range(32)]
_written = 0


def crops(
    sha256: str, squares: Sequence[Square], size: int, others: Callable[[], Iterable[Square]] = tuple
) -> list[bytes]:
    """JPEG bytes of squares of a stored image, each `size` px wide, in their order.

    `others`: the squares of the image's other cells; where the image has to be decoded, they are cut and kept as well.
    Raises OSError where the image is gone from the store, ValueError for a square that misses it.
    """
    paths = [_path(sha256, square, size) for square in squares]
    found = [_read(path) for path in paths]
    if all(found):
        return [each for each in found if each is not None]
    with _locks[int(sha256[:8], 16) % len(_locks)]:
        # Whoever held the lock may have cut what is wanted here.
        found = [each or _read(path) for each, path in zip(found, paths, strict=True)]
        if not all(found):
            image = _decoded(sha256)
            found = [
                each or _keep(path, jpeg(cut(image, square, size)))
                for each, path, square in zip(found, paths, squares, strict=True)
            ]
            for square in others():
                path = _path(sha256, square, size)
                if not path.exists():
                    with contextlib.suppress(ValueError):
                        _keep(path, jpeg(cut(image, square, size)))
    return [each for each in found if each is not None]


def around(sha256: str, square: Square, times: int, size: int) -> bytes:
    """JPEG bytes of a square and of what lies around it, `times` as wide where the image is so large. Not kept: people
    look at few of them."""
    image = _decoded(sha256)
    x0, y0, side = square
    wide = max(side, min(side * times, max(image.size)))
    return jpeg(cut(image, (x0 - (wide - side) // 2, y0 - (wide - side) // 2, wide), size))


def jpeg(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def folder() -> Path:
    return Path(settings.DATA_FOLDER) / "cache" / "crops"


def _path(sha256: str, square: Square, size: int) -> Path:
    name = crop_hash(sha256, square, size)
    return folder() / name[:2] / f"{name}.jpg"


def _read(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # used, not written: trim() takes the longest unused first
    return content or None


def _keep(path: Path, content: bytes) -> bytes:
    global _written
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        number, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(number, "wb") as file:
                file.write(content)
            os.replace(part, path)
        except OSError:
            os.unlink(part)
            raise
        _written += 1
        if _written % _LOOK_AFTER == 0:
            trim(folder(), settings.CROP_CACHE_GIB * 2**30)
    return content


def _decoded(sha256: str) -> Image.Image:
    path = ImageStore(Path(settings.IMAGE_STORE)).pixels(sha256)
    with Image.open(path) as file:
        if file.width * file.height > _STAYS:
            return file.convert("RGB")
    return _small_decoded(path)


@lru_cache(maxsize=2)
def _small_decoded(path: Path) -> Image.Image:
    with Image.open(path) as file:
        return file.convert("RGB")
