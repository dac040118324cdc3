"""Features of cells as some bundles want to look at them beside how they are: in the colours of a reference, and in
further views. No row keeps these: they lie in the file of the study that its rounds fill too."""

import tempfile
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from annotation.crop import Square, crop_hash
from inference.cell_feature_jobs import Extractor

Features = NDArray[np.float32]
# The colours, and the number of the view; 0 is the cell as it is.
Look = tuple[str, int]
OWN = "own"


def features_by_look(
    looks: Set[Look],
    shown: Sequence[tuple[str, Square, str]],
    opened: Callable[[str], Image.Image],
    eye: Extractor,
    kept: Path | None = None,
    wanted: Callable[[], bool] = lambda: True,
) -> Mapping[Look, Features]:
    """(n, C) of n cells, each given by the sha256 of its image, the square that shows it, and whose it is; what is
    computed is kept in a file where one is named. Raises Stopped (training/crop_features.py) where it is no longer
    wanted, and OSError for an image that cannot be read."""
    # Imported here: the web process loads nothing of it.
    from training.classifier_lesson import LabelledCell
    from training.crop_features import seen
    from training.stain_transfer import stains_of

    if not looks or not shown:
        return {}
    cells = [
        LabelledCell(str(number), sha256, square, crop_hash(sha256, square), patient, 0, {}, False)
        for number, (sha256, square, patient) in enumerate(shown)
    ]
    stains = stains_of(cells, opened) if any(colours != OWN for colours, _ in looks) else None
    with tempfile.TemporaryDirectory() as folder:
        keep = kept or Path(folder) / "views.npz"
        return {
            (colours, number): seen(
                opened, cells, eye, {}, keep, wanted=wanted, number=number, stains=None if colours == OWN else stains
            )
            for colours, number in sorted(looks)
        }
