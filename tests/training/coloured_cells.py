"""Snapshots of cells that are told apart by their colour, and an extractor that sees no more than that."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from annotation.store import ImageStore
from training.snapshot import Snapshot, read_snapshot, write_snapshot

COLOURS = {"Promyelocyte": (170, 60, 80), "Myeloblast": (70, 60, 170), "Lymphocyte": (60, 150, 90)}
SCHEME = [
    *({"group": "Cell type", "name": name, "multiple": False, "retired": False} for name in COLOURS),
    {"group": "Characteristics", "name": "Auer rod", "multiple": True, "retired": False},
]


class MeanColour:
    """Sees of a crop the mean colour of its middle; counts how many crops it was shown."""

    name = "mean-colour"

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, backbone: str = "") -> "MeanColour":
        """Itself, where something that makes extractors is wanted."""
        return self

    def extract(self, crops: Sequence[Image.Image]) -> NDArray[np.float32]:
        self.seen += len(crops)
        middles = [np.asarray(crop.crop((110, 110, 189, 189))) for crop in crops]
        return np.array([middle.mean(axis=(0, 1)) / 255 for middle in middles], dtype=np.float32)


def coloured_cells(
    folder: Path,
    patients: int = 9,
    each: int = 12,
    *,
    classes: Sequence[str] = ("Promyelocyte", "Myeloblast"),
    shuffled: bool = False,
    labels: Sequence[dict[str, Any]] = (),
    **image_fields: Any,
) -> Snapshot:
    """A snapshot with one field a patient and `each` cells on it, of the classes in turn; `shuffled`, their labels have
    nothing to do with how they look. `labels` are more choices by number of the cell within its field."""
    rng = np.random.default_rng(5)
    store = ImageStore(folder / "store")
    entries, paths = [], {}
    for patient in range(patients):
        names = [classes[index % len(classes)] for index in range(each)]
        image = Image.new("RGB", (30 * each + 10, 40), (220, 210, 200 + patient))
        draw = ImageDraw.Draw(image)
        for index, name in enumerate(names):
            colour = tuple(int(np.clip(value + rng.integers(-30, 31), 0, 255)) for value in COLOURS[name])
            draw.rectangle((10 + 30 * index, 10, 29 + 30 * index, 29), fill=colour)
        said = rng.permutation(names).tolist() if shuffled else names
        sha256 = store.put(image)
        paths[sha256] = store.pixels(sha256)
        borders = [
            {
                "id": str(UUID(int=patient * 1000 + index)),
                "border": {"kind": "rectangle", "x": 10 + 30 * index, "y": 10, "width": 20, "height": 20},
                "bounds": [10 + 30 * index, 10, 30 + 30 * index, 30],
                "ignored": False,
                "labels": [name],
                "choices": {"Cell type": [name], **(labels[index] if index < len(labels) else {})},
            }
            for index, name in enumerate(said)
        ]
        entries.append(
            {
                "sha256": sha256,
                "file": f"images/{sha256}.png",
                "width": image.width,
                "height": image.height,
                "um_per_pixel": None,
                "names": [f"P{patient}.png"],
                "patient": f"P{patient}",
                "diagnosis": "unknown",
                "group": f"p:P{patient}",
                "fold": patient,
                "borders": borders,
                "sample": "",
                **image_fields,
            }
        )
    manifest = {
        "schema": "marrowloop.snapshot/1",
        "study": "coloured cells",
        "labels": SCHEME,
        "typical_cell_px": 20.0,
        "images": sorted(entries, key=lambda entry: entry["sha256"]),
    }
    return read_snapshot(write_snapshot(manifest, paths, folder / "snapshots"))
