"""What an export writes: one image with its cells, in one form for all formats. Knows no database."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from annotation.borders import Border, Bounds


@dataclass(frozen=True)
class Group:
    """A label group of the study's scheme."""

    name: str
    multiple: bool
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """The labels of one group that a cell carries now; `confidence` is 0 to 1 for each, None where not said."""

    group: str
    multiple: bool
    names: tuple[str, ...]
    confidence: tuple[float | None, ...] = ()

    @property
    def sure(self) -> dict[str, float]:
        """The confidence by label, where it was said."""
        pairs = zip(self.names, self.confidence, strict=False)
        return {name: value for name, value in pairs if value is not None}


@dataclass(frozen=True)
class Measured:
    """The measures of a cell by name, None for what cannot be said; lengths in `unit`: "µm" or "px"."""

    unit: str
    values: Mapping[str, float | None]


@dataclass(frozen=True)
class CellRow:
    """One border. `bounds` are x0, y0, x1, y1 in pixels, clipped to the image; `correction` as Correction has it;
    `texts` are what was written about it, by the name of the text attribute."""

    id: str
    border: Border
    bounds: Bounds
    choices: tuple[Choice, ...]
    status: str
    ignored: bool
    ignored_class: str
    origin: str
    correction: str
    texts: Mapping[str, str] = field(default_factory=dict)
    measured: Measured | None = None


@dataclass(frozen=True)
class ImageRow:
    """`id` is the image's for good: two passes over a study that people work on agree by it."""

    id: int
    name: str
    width: int
    height: int
    um_per_pixel: float | None
    state: str
    patient: str | None
    diagnosis: str | None
    cells: list[CellRow] = field(default_factory=list)
