"""Snapshots of patients whose whole images tell the diagnosis: one large dark disc in APL, small ones in the others."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from annotation.store import pixel_hash
from training.snapshot import SCHEMA, Snapshot, read_snapshot, write_snapshot


def picture(apl: bool, chance: np.random.Generator, size: int = 48) -> Image.Image:
    image = Image.new("RGB", (size + int(chance.integers(12)), size), (225, 205, 215))
    draw = ImageDraw.Draw(image)
    for _ in range(1 if apl else 7):
        radius = size / 3 if apl else size / 12
        x, y = chance.uniform(radius, image.width - radius), chance.uniform(radius, size - radius)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(110, 60, 140))
    noisy = np.asarray(image, dtype=np.float64) + chance.normal(0, 6, (image.height, image.width, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def pictured_patients(folder: Path, count: int = 12, each: int = 2, *, extra: int = 0) -> Snapshot:
    """Every second patient has APL; folds go round. `extra`: so many more images of each are picked for their cells."""
    chance = np.random.default_rng(5)
    folder.mkdir(parents=True, exist_ok=True)
    entries: list[dict[str, Any]] = []
    paths: dict[str, Path] = {}
    for number in range(count):
        for place in range(each + extra):
            image = picture(number % 2 == 1, chance)
            sha256 = pixel_hash(image)
            paths[sha256] = folder / f"{sha256}.png"
            image.save(paths[sha256])
            entries.append(
                {
                    "sha256": sha256,
                    "file": f"images/{sha256}.png",
                    "width": image.width,
                    "height": image.height,
                    "um_per_pixel": None,
                    "names": [],
                    "patient": f"P{number}",
                    "diagnosis": "apl" if number % 2 else "non_apl_aml",
                    "group": f"p:P{number}",
                    "fold": number // 2,
                    "borders": [],
                    "sample": "" if place < each else "extra",
                }
            )
    entries.sort(key=lambda entry: str(entry["sha256"]))
    manifest = {"schema": SCHEMA, "study": "Pictured patients", "labels": [], "images": entries}
    return read_snapshot(write_snapshot(manifest, paths, folder / "snapshots"))
