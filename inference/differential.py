"""The differential count: how many cells of each type, as a person counts them at the microscope. Pure.

Counted are cells with a counted type that nothing takes out of the count; intervals are Wilson's, of 95 %.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inference.lineage import Lineage
from training.reliability import share_interval

# What a count of the marrow is made of (ICSH 2008: at least 500 nucleated cells).
GOAL = 500
# Fewer erythroid cells make no ratio worth a number.
LEAST_ERYTHROID = 5


@dataclass(frozen=True)
class CellType:
    """A label of the group of cell types. unidentified: it says that nobody can name the cell."""

    id: int
    name: str
    colour: str
    counted: bool
    lineage: Lineage
    unidentified: bool = False


@dataclass(frozen=True)
class Row:
    """One type: cells, and its share of all that are counted with its interval, 0 to 1."""

    type: CellType
    cells: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Differential:
    """rows: counted types in the scheme's order, also those without a cell. unidentified: cells that nobody can name;
    left_out: smudge cells, artefacts and what somebody took out of the count; unlabelled: cells without a type."""

    rows: Sequence[Row]
    unidentified: int
    left_out: int
    unlabelled: int

    @property
    def counted(self) -> int:
        return sum(row.cells for row in self.rows)

    @property
    def left_to_goal(self) -> int:
        return max(0, GOAL - self.counted)

    def of(self, lineage: Lineage) -> int:
        return sum(row.cells for row in self.rows if row.type.lineage == lineage)

    @property
    def me_ratio(self) -> tuple[float, float, float | None] | None:
        """Myeloid to erythroid cells with the interval that the interval of the myeloid share gives; its upper end is
        None where that is endless. None where there are too few erythroid cells."""
        myeloid, erythroid = self.of(Lineage.MYELOID), self.of(Lineage.ERYTHROID)
        if erythroid < LEAST_ERYTHROID:
            return None
        total = myeloid + erythroid
        low, high = share_interval(myeloid / total, total)
        return myeloid / erythroid, low / (1 - low), high / (1 - high) if high < 1 else None


def differential(types: Sequence[CellType], cells: Iterable[tuple[int | None, bool]]) -> Differential:
    """Count cells, each as (id of its type or None, whether somebody took it out of the count)."""
    by_id = {each.id: each for each in types}
    tally: Counter[int] = Counter()
    unidentified = left_out = unlabelled = 0
    for type_id, taken_out in cells:
        found = by_id.get(type_id) if type_id is not None else None
        if taken_out or (found is not None and not found.counted and not found.unidentified):
            left_out += 1
        elif found is None:
            unlabelled += 1
        elif found.unidentified:
            unidentified += 1
        else:
            tally[found.id] += 1
    total = tally.total()
    rows = [_row(each, tally[each.id], total) for each in types if each.counted]
    return Differential(rows, unidentified, left_out, unlabelled)


def _row(type_: CellType, cells: int, total: int) -> Row:
    if not total:
        return Row(type_, 0, 0.0, 0.0, 0.0)
    return Row(type_, cells, cells / total, *share_interval(cells / total, total))
