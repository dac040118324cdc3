"""Images at training scale, kept on disk from one round to the next and mapped into memory: a round of ten thousand
fields needs no memory for them beyond what the system can spare, and the next round decodes the new ones alone.

A file is named by its image and size, so that what it holds can never be out of date. Whatever is wrong with one, or
with the folder (full, read-only, gone), costs a decoding, never a round.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Names of the environment: the folder (none: nothing is kept), and how large it may grow.
FOLDER, GIB = "MARROWLOOP_PIXEL_CACHE", "MARROWLOOP_PIXEL_CACHE_GIB"
DEFAULT_GIB = 10.0
# Raised whenever images are brought to training scale in another way (detection_data.at_scale).
SCALING = 1


def kept_pixels(
    sha256: str, width: int, height: int, decode: Callable[[], NDArray[np.uint8]], folder: Path | None = None
) -> NDArray[np.uint8]:
    """Pixels (3, height, width) of an image at that size, from `folder` (or that of the environment), else decoded and
    kept there. Raises what `decode` raises. Changes to the array stay in memory."""
    folder = folder or cache_folder()
    if folder is None:
        return decode()
    path = folder / sha256[:2] / f"{sha256}-{width}x{height}-{SCALING}.npy"
    kept = _mapped(path, (3, height, width))
    if kept is None:
        pixels = decode()
        with contextlib.suppress(OSError):
            _keep(path, pixels)
        kept = _mapped(path, pixels.shape)
        return pixels if kept is None else kept
    with contextlib.suppress(OSError):
        os.utime(path)  # used, not written: trim() takes the longest unused first
    return kept


def trim(folder: Path | None = None, most_bytes: float | None = None) -> int:
    """Remove the files unused for longest until the rest fit into `most_bytes`; returns how many went."""
    folder = folder or cache_folder()
    if folder is None:
        return 0
    if most_bytes is None:
        most_bytes = float(os.environ.get(GIB, DEFAULT_GIB)) * 2**30
    files = []
    for path in folder.glob("??/*"):
        with contextlib.suppress(OSError):
            facts = path.stat()
            files.append((facts.st_mtime, facts.st_size, path))
    total, gone = sum(size for _, size, _ in files), 0
    for _, size, path in sorted(files):
        if total <= most_bytes:
            break
        with contextlib.suppress(OSError):
            path.unlink()
            gone += 1
            total -= size
    return gone


def cache_folder() -> Path | None:
    named = os.environ.get(FOLDER, "")
    return Path(named) if named else None


def _mapped(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    try:
        # Copy on write: the file stays as it is whatever happens to the array.
        pixels: NDArray[np.uint8] = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return pixels if pixels.shape == shape and pixels.dtype == np.uint8 else None


def _keep(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    number, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(number, "wb") as file:
            np.save(file, pixels, allow_pickle=False)
        os.replace(part, path)
    except OSError:
        os.unlink(part)
        raise
