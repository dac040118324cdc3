"""Small snapshots for the tests of training: fields of coloured discs on noise, written as a round would."""

import uuid
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from annotation.store import ImageStore
from training.snapshot import write_snapshot

Disc = tuple[int, int, int]


def disc_field(seed: int, width: int = 160, height: int = 128, cells: int = 3) -> tuple[Image.Image, list[Disc]]:
    """Purple discs (x, y, radius) apart from one another, with pale red distractors."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(225, 8, (height, width, 3)).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(noise)
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        x, y, r = int(rng.integers(0, width)), int(rng.integers(0, height)), int(rng.integers(8, 14))
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(228, 190, 190))
    discs: list[Disc] = []
    for _ in range(200):
        if len(discs) == cells:
            break
        r = int(rng.integers(12, 20))
        x, y = int(rng.integers(r, width - r)), int(rng.integers(r, height - r))
        if all((x - a) ** 2 + (y - b) ** 2 > (r + c + 2) ** 2 for a, b, c in discs):
            discs.append((x, y, r))
            draw.ellipse((x - r, y - r, x + r, y + r), fill=(110, 60, 150))
    return image, discs


def border(bounds: tuple[float, float, float, float], ignored: bool = False) -> dict[str, Any]:
    x0, y0, x1, y1 = map(float, bounds)
    return {
        "id": str(uuid.uuid4()),
        "border": {"kind": "rectangle", "x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0},
        "bounds": [x0, y0, x1, y1],
        "ignored": ignored,
        "labels": [],
    }


def entry(image: Image.Image, sha256: str, group: str, fold: int, borders: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "sha256": sha256,
        "file": f"images/{sha256}.png",
        "width": image.width,
        "height": image.height,
        "um_per_pixel": None,
        "names": [f"{group}-{fold}.png"],
        "patient": None,
        "diagnosis": None,
        "group": group,
        "fold": fold,
        "borders": borders,
    }


def disc_snapshot(folder: Path, images: int = 6, *, cells: int = 3, first_seed: int = 0, per_group: int = 1) -> Path:
    """A snapshot of disc fields, `per_group` images a group, groups dealt to folds in order."""
    store = ImageStore(folder / "store")
    entries, paths = [], {}
    for i in range(images):
        image, discs = disc_field(first_seed + i, cells=cells)
        sha256 = store.put(image)
        paths[sha256] = store.pixels(sha256)
        number = i // per_group
        borders = [border((x - r, y - r, x + r, y + r)) for x, y, r in discs]
        entries.append(entry(image, sha256, f"p:{first_seed + number}", number % 60, borders))
    manifest = {"schema": "marrowloop.snapshot/1", "study": "discs", "labels": [], "images": entries}
    return write_snapshot(manifest, paths, folder / "snapshots")
