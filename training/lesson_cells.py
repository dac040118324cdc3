"""The cells of a lesson as a round sees them: their crops, their views and their features, each made when it is asked
for first. Free of Django."""

import io
import os
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from annotation.crop import cut
from training.classifier_lesson import LabelledCell
from training.crop_features import (
    NAME,
    VIEWS,
    Extractor,
    Stopped,
    drawn_view,
    features_of,
    opened_by,
    view_features,
    view_name,
)
from training.snapshot import Snapshot

Tell = Callable[[dict[str, Any]], None]


class LessonCells:
    """As training/cell_network.py, Cells has it."""

    def __init__(
        self,
        snapshot: Snapshot,
        cells: Sequence[LabelledCell],
        extractor: Extractor,
        views: int,
        out: Path,
        *,
        known: Mapping[str, NDArray[np.float16]],
        seen_views: Path | None = None,
        tell: Tell = lambda event: None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """`known` and `seen_views` are features that need not be computed, as carry_out (training/classifier_round.py)
        has them; what is computed is written to `out`."""
        self._snapshot, self._cells, self._extractor, self._views, self._out = snapshot, cells, extractor, views, out
        self._known, self._seen_views, self._tell, self._wanted = known, seen_views or out / VIEWS, tell, wanted
        self._cutting = threading.Lock()

    def __len__(self) -> int:
        return len(self._cells)

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """Raises Stopped, and OSError where an image cannot be read."""
        given = self._snapshot, self._cells, self._extractor, self._known, self._out / NAME
        return features_of(*given, self._tell, self._wanted)

    @cached_property
    def views(self) -> Sequence[NDArray[np.float32]]:
        """As `features`."""
        given = self._snapshot, self._cells, self._views, self._extractor, self._known, self._seen_views
        return view_features(*given, self._tell, self._wanted)

    def crop(self, row: int) -> Image.Image:
        """Raises as `features`."""
        with self._cutting:
            # Threads ask at once; who comes first cuts.
            start, length = self._places[row]
        with Image.open(io.BytesIO(os.pread(self._kept.fileno(), length, start))) as crop:
            return crop.convert("RGB")

    def view(self, row: int, number: int) -> Image.Image:
        return drawn_view(self.crop(row), view_name(self._cells[row].crop, number))

    @cached_property
    def _kept(self) -> Any:
        # Cut once, image by image: cells are asked for in any order, and decoding a field for each would take longest.
        return tempfile.TemporaryFile(dir=self._out)

    @cached_property
    def _places(self) -> dict[int, tuple[int, int]]:
        """Where each crop lies in the file of crops, and how long it is there."""
        opened = opened_by(self._snapshot)
        places: dict[int, tuple[int, int]] = {}
        at = 0
        for row in sorted(range(len(self._cells)), key=lambda row: self._cells[row].sha256):
            if not self._wanted():
                raise Stopped
            held = io.BytesIO()
            cut(opened(self._cells[row].sha256), self._cells[row].square).save(held, "PNG", compress_level=1)
            places[row] = at, held.tell()
            at += self._kept.write(held.getvalue())
        self._kept.flush()
        return places
