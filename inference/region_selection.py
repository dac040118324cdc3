"""Where on a smear to count: tiles of a field scored as optimal, too dense, too thin, out of focus or empty.

A smear is thick at one end and runs thin at the other; cells are counted where they lie side by side, in focus
(ICSH 2015: the area behind the feathered edge in which red cells hardly touch). Pure: numpy, no rows.
"""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from inference.image_quality import EDGE_BAD, STAINED, FieldView, Finding, Verdict, edge_width

# Side of a tile in µm: two nucleated cells by two, so that a few crowded ones do not speak for the rest of a field.
TILE_UM = 30.0
# Share of a tile that is stained.
EMPTY, THIN, DENSE = 0.03, 0.15, 0.97
# Optical density in green of a nucleus against that of cytoplasm and red cells, as a share of the field's deepest, and
# the share of a tile that nuclei cover where they lie on one another.
NUCLEAR, CROWDED = 0.45, 0.6
# Below such a share of good area an image is doubtful, or poor, where it has tiles enough to choose between.
DOUBTFUL_SHARE, POOR_SHARE, LEAST_TILES = 0.5, 0.2, 4


class TileKind(StrEnum):
    OPTIMAL = "optimal"
    DENSE = "dense"
    THIN = "thin"
    BLURRED = "blurred"
    EMPTY = "empty"

    @property
    def words(self) -> str:
        return {
            TileKind.OPTIMAL: "Good to count",
            TileKind.DENSE: "Too dense",
            TileKind.THIN: "Too thin",
            TileKind.BLURRED: "Out of focus",
            TileKind.EMPTY: "Empty",
        }[self]


@dataclass(frozen=True)
class Tile:
    """x, y, width, height in image px. width_um: of the sharpest edges; None where nothing in it has an edge."""

    x: int
    y: int
    width: int
    height: int
    kind: TileKind
    stained: float
    nuclear: float
    edge_um: float | None


@dataclass(frozen=True)
class Regions:
    tiles: tuple[Tile, ...]

    @property
    def good_share(self) -> float:
        """Share of the image's area that is good to count on, 0 to 1."""
        area = sum(tile.width * tile.height for tile in self.tiles)
        good = sum(tile.width * tile.height for tile in self.tiles if tile.kind == TileKind.OPTIMAL)
        return good / area

    @property
    def finding(self) -> Finding | None:
        """What the share says of an image; None where there are too few tiles to choose between."""
        if len(self.tiles) < LEAST_TILES:
            return None
        share = self.good_share
        verdict = Verdict.BAD if share < POOR_SHARE else Verdict.DOUBTFUL if share < DOUBTFUL_SHARE else Verdict.GOOD
        return Finding("regions", share, "share", verdict, f"{share:.0%} of the image is good to count on.")

    @property
    def kinds(self) -> dict[str, int]:
        return dict(Counter(str(tile.kind) for tile in self.tiles))

    def to_json(self) -> list[list[Any]]:
        """[[x, y, width, height, kind], ...], in image px, row by row."""
        return [[tile.x, tile.y, tile.width, tile.height, str(tile.kind)] for tile in self.tiles]


def regions_of(view: FieldView) -> Regions:
    """Score the tiles of a field (image_quality.field_view): as many of about TILE_UM as fit, all of one size but for
    rounding, so that no sliver at the edge is judged."""
    height, width = view.density.shape
    rows, columns = (max(1, round(side * view.um / TILE_UM)) for side in (height, width))
    ys, xs = (np.linspace(0, side, count + 1).round().astype(int) for side, count in ((height, rows), (width, columns)))
    deepest = max(float(np.percentile(view.density, 99)), STAINED)
    return Regions(
        tuple(
            _tile(view, slice(top, bottom), slice(left, right), deepest)
            for top, bottom in zip(ys, ys[1:], strict=False)
            for left, right in zip(xs, xs[1:], strict=False)
        )
    )


def _tile(view: FieldView, rows: slice, columns: slice, deepest: float) -> Tile:
    density = view.density[rows, columns]
    stained = float((density > STAINED).mean())
    nuclear = float((density > NUCLEAR * deepest).mean())
    edge = edge_width(view, (rows, columns))
    x0, x1, y0, y1 = (round(value / view.scale) for value in (columns.start, columns.stop, rows.start, rows.stop))
    return Tile(x0, y0, x1 - x0, y1 - y0, _kind(stained, nuclear, edge), stained, nuclear, edge)


def _kind(stained: float, nuclear: float, edge: float | None) -> TileKind:
    if stained < EMPTY or edge is None:
        return TileKind.EMPTY
    # Before density: what is blurred runs together.
    if edge > EDGE_BAD:
        return TileKind.BLURRED
    if stained > DENSE or nuclear > CROWDED:
        return TileKind.DENSE
    return TileKind.THIN if stained < THIN else TileKind.OPTIMAL
