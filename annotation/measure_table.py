"""What is measured of a cell: names, words, units and formulas in one table.

Lengths are in µm where the µm per pixel of the image are known, else in pixels: `Measure.unit(in_um)` says which.
"""

from dataclasses import dataclass

# Changes with the way of measuring or with the table: what was stored under another name is measured anew.
RECIPE = "measures/1"

SIZE, SHAPE, NUCLEUS, TEXTURE, COLOUR = "Size", "Shape", "Nucleus", "Texture and contrast", "Colour"


@dataclass(frozen=True)
class Measure:
    """name: in code, addresses and tables. power: of the length that it is: 1 a length, 2 an area, 3 a volume, 0 none.
    plain: the unit of what is no length, empty for a ratio. formula: how it is made, and who defined it."""

    name: str
    label: str
    group: str
    description: str
    formula: str
    power: int = 0
    plain: str = ""
    decimals: int = 2

    def unit(self, in_um: bool) -> str:
        """µm, µm², µm³ or px, px², px³; the unit of what is no length; empty for a ratio."""
        return ("µm" if in_um else "px") + ("", "", "²", "³")[self.power] if self.power else self.plain

    def column(self, in_um: bool) -> str:
        """The name with its unit in plain letters, as a table's heading: area_um2."""
        suffix = ("_um" if in_um else "_px") + ("", "", "2", "3")[self.power] if self.power else ""
        return self.name + suffix

    def text(self, value: float) -> str:
        """The value as people read it, without its unit."""
        return f"{value:.{0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else self.decimals}f}"


_GEOMETRY = (
    Measure(
        "area",
        "Area",
        SIZE,
        "Area within the border",
        "shoelace formula of the outline; exact for ellipses",
        2,
        decimals=1,
    ),
    Measure("perimeter", "Perimeter", SIZE, "Length of the border", "length of the outline", 1, decimals=1),
    Measure("diameter", "Diameter", SIZE, "Diameter of the circle of the same area", "√(4 · area / π)", 1),
    Measure(
        "feret_diameter",
        "Feret diameter",
        SIZE,
        "Largest distance of two points of the border",
        "Feret 1930, the longest",
        1,
    ),
    Measure(
        "breadth", "Breadth", SIZE, "Least distance of two parallels that hold the cell", "Feret 1930, the shortest", 1
    ),
    Measure(
        "volume",
        "Volume (estimate)",
        SIZE,
        "Of a spheroid as long and as wide as the cell; a smear flattens cells",
        "π/6 · major · minor², axes of the ellipse with the same second moments",
        3,
        decimals=1,
    ),
    Measure(
        "circularity",
        "Circularity",
        SHAPE,
        "1 for a circle, less for a ragged or long border",
        "4π · area / perimeter²",
    ),
    Measure(
        "roundness",
        "Roundness",
        SHAPE,
        "1 for a circle, less the longer the cell is; ragged borders do not count",
        "4 · area / (π · Feret diameter²)",
    ),
    Measure("solidity", "Solidity", SHAPE, "1 without dents, less with them", "area / area of the convex hull"),
    Measure(
        "aspect_ratio", "Length to width", SHAPE, "1 for a circle, 2 where twice as long as wide", "major / minor axis"
    ),
)

_NUCLEUS = (
    Measure(
        "nucleus_area",
        "Nucleus area",
        NUCLEUS,
        "Area of the nucleus, all of its parts",
        "Otsu's method for three classes, of L* in and around the cell",
        2,
        decimals=1,
    ),
    Measure(
        "nucleus_share",
        "Nucleus, share of the cell",
        NUCLEUS,
        "0 without a nucleus, 1 with nothing else",
        "nucleus / cell area",
    ),
    Measure(
        "nc_ratio",
        "Nucleus to cytoplasm",
        NUCLEUS,
        "N:C ratio by area: 1 where both are as large",
        "nucleus area / (cell area − nucleus area)",
    ),
    Measure(
        "nucleus_parts",
        "Parts of the nucleus",
        NUCLEUS,
        "Pieces that do not touch: segments of a granulocyte, say",
        "spots that are connected, sides only",
        decimals=0,
    ),
    Measure(
        "nucleus_solidity",
        "Nucleus solidity",
        NUCLEUS,
        "1 for a round or oval nucleus, less for a bent or lobed one",
        "area / area of the convex hull",
    ),
    Measure(
        "nucleus_offset",
        "Nucleus off centre",
        NUCLEUS,
        "0 in the middle, 0.5 at the border of a round cell",
        "distance of the centres / diameter of the cell",
    ),
)

_TEXTURE = (
    Measure(
        "contrast",
        "Contrast to surroundings",
        TEXTURE,
        "How much darker than what lies around it",
        "median L* around − mean L* of the cell",
        plain="L*",
        decimals=1,
    ),
    Measure(
        "nucleus_contrast",
        "Contrast of the nucleus",
        TEXTURE,
        "How much darker than the cytoplasm",
        "mean L* of cytoplasm − of nucleus",
        plain="L*",
        decimals=1,
    ),
    Measure(
        "granularity_fine",
        "Granularity, fine",
        TEXTURE,
        "Spread of lightness over 0.6 µm of cytoplasm",
        "mean local deviation of L*",
        plain="L*",
    ),
    Measure(
        "granularity",
        "Granularity",
        TEXTURE,
        "Spread of lightness over 1.5 µm of cytoplasm",
        "mean local deviation of L*",
        plain="L*",
    ),
    Measure(
        "granularity_coarse",
        "Granularity, coarse",
        TEXTURE,
        "Spread of lightness over 3 µm of cytoplasm",
        "mean local deviation of L*",
        plain="L*",
    ),
    Measure(
        "chromatin",
        "Chromatin texture",
        TEXTURE,
        "Spread of lightness over 1.5 µm of the nucleus",
        "mean local deviation of L*",
        plain="L*",
    ),
)

_CHANNELS = (
    ("red", "red", "0 to 255"),
    ("green", "green", "0 to 255"),
    ("blue", "blue", "0 to 255"),
    ("red_green", "red against green", "(R − G) / √2"),
    ("blue_yellow", "blue against yellow", "(2B − R − G) / √6"),
)
PARTS = ("cytoplasm", "nucleus")


def _colours() -> tuple[Measure, ...]:
    found = []
    for part in PARTS:
        for channel, words, formula in _CHANNELS:
            mean, spread = f"Mean of {words} of the {part}", f"How much {words} differs within the {part}"
            title = part.capitalize()
            found += [
                Measure(f"{part}_{channel}", f"{title}, {words}", COLOUR, mean, f"mean, {formula}", decimals=1),
                Measure(
                    f"{part}_{channel}_spread",
                    f"{title}, spread of {words}",
                    COLOUR,
                    spread,
                    f"standard deviation, {formula}",
                    decimals=1,
                ),
            ]
    return tuple(found)


MEASURES: tuple[Measure, ...] = (*_GEOMETRY, *_NUCLEUS, *_TEXTURE, *_colours())
BY_NAME = {measure.name: measure for measure in MEASURES}
# Where each stands in what is stored.
PLACES = {measure.name: place for place, measure in enumerate(MEASURES)}
GROUPS = {
    group: [measure for measure in MEASURES if measure.group == group]
    for group in (SIZE, SHAPE, NUCLEUS, TEXTURE, COLOUR)
}
