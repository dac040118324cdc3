"""The image store: pixels as RGB PNG files under the hash of those pixels, and a thumbnail beside each."""

import hashlib
import os
import tempfile
from pathlib import Path

from PIL import Image

THUMBNAIL_SIZE = (480, 360)


def pixel_hash(image: Image.Image) -> str:
    """sha256 of an RGB image's size and decoded pixels: the same whatever file it came in."""
    if image.mode != "RGB":
        raise ValueError(f"Pixels are hashed as RGB, not {image.mode}.")
    digest = hashlib.sha256(f"RGB {image.width} {image.height}\n".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


class ImageStore:
    """Files named by pixel hash below a folder, two characters of the hash a subfolder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pixels(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / f"{sha256}.png"

    def thumbnail(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / f"{sha256}.thumb.jpg"

    def put(self, image: Image.Image) -> str:
        """Store an RGB image and its thumbnail; return its hash. A second put of the same pixels writes nothing.

        Raises OSError where the disk is full or not writable; no half-written file is left under its name.
        """
        sha256 = pixel_hash(image)
        small = self.thumbnail(sha256)
        if not small.exists():
            reduced = image.copy()
            reduced.thumbnail(THUMBNAIL_SIZE, Image.Resampling.LANCZOS, reducing_gap=3.0)
            _write(small, reduced, "JPEG", quality=85)
        target = self.pixels(sha256)
        if not target.exists():
            # Level 1: smears are noisy, higher levels cost seconds and save a few percent.
            _write(target, image, "PNG", compress_level=1)
        return sha256


def _write(target: Path, image: Image.Image, file_format: str, **options: int) -> None:
    """Write to a temporary name and rename, so that a reader never meets half a file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            image.save(file, file_format, **options)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o640)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
