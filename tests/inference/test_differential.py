"""Counting cells of each type, their shares, and the ratio of myeloid to erythroid cells."""

import pytest

from annotation.shipped_schemes import CELL_TYPE_GROUP, SCHEMES
from inference.differential import GOAL, CellType, differential
from inference.lineage import Lineage, lineage_of

TYPES = [
    CellType(1, "Promyelocyte", "#ee6677", True, Lineage.MYELOID),
    CellType(2, "Erythroblast", "#882255", True, Lineage.ERYTHROID),
    CellType(3, "Lymphocyte", "#aa3377", True, Lineage.OTHER),
    CellType(4, "Smudge cell", "#aaaaaa", False, Lineage.OTHER),
    CellType(5, "Unidentified", "#bbbbbb", False, Lineage.OTHER, unidentified=True),
]


def counted(**numbers: int):
    ids = {"promyelocyte": 1, "erythroblast": 2, "lymphocyte": 3, "smudge": 4, "unidentified": 5, "none": None}
    return differential(TYPES, [(ids[name], False) for name, number in numbers.items() for _ in range(number)])


def test_cells_that_do_not_enter_are_said_apart():
    found = counted(promyelocyte=30, lymphocyte=10, smudge=4, unidentified=3, none=2)
    assert (found.counted, found.left_out, found.unidentified, found.unlabelled) == (40, 4, 3, 2)
    assert found.left_to_goal == GOAL - 40
    assert [row.cells for row in found.rows] == [30, 0, 10]
    assert found.rows[0].share == 0.75


def test_a_cell_that_somebody_took_out_keeps_its_type_and_is_not_counted():
    found = differential(TYPES, [(1, False), (1, True), (None, True)])
    assert (found.counted, found.left_out, found.unlabelled) == (1, 2, 0)


def test_intervals_are_wilsons():
    row = counted(promyelocyte=10, lymphocyte=90).rows[0]
    assert (row.low, row.high) == pytest.approx((0.0552, 0.1744), abs=1e-4)
    nothing = counted(lymphocyte=20).rows[0]
    assert nothing.low == 0 and nothing.high == pytest.approx(0.161, abs=1e-3)


def test_the_ratio_of_myeloid_to_erythroid_cells_has_an_interval():
    ratio = counted(promyelocyte=60, erythroblast=20, lymphocyte=100).me_ratio
    assert ratio is not None and ratio[0] == 3.0
    assert ratio[1] < 3.0 < ratio[2]
    assert counted(promyelocyte=60, erythroblast=4).me_ratio is None
    assert counted(erythroblast=50).me_ratio[0] == 0.0


def test_nothing_counted_is_no_division():
    found = counted()
    assert found.counted == 0 and all(row.share == 0 for row in found.rows) and found.me_ratio is None


def test_the_lines_of_the_shipped_schemes():
    """By hand, from the ICSH guideline: who changes a scheme decides on which side its labels stand."""
    other = {"Lymphocyte", "Immature lymphocyte", "Hairy cell", "Plasma cell", "Other cell"}
    erythroid = {"Erythroblast", "Proerythroblast"}
    for scheme in SCHEMES.values():
        for group in scheme.groups:
            for label in group.labels if group.name == CELL_TYPE_GROUP else ():
                expected = Lineage.OTHER if label.name in other or not label.counted else Lineage.MYELOID
                expected = Lineage.ERYTHROID if label.name in erythroid else expected
                assert lineage_of(label.name) == expected, label.name
                for alias in label.aliases:
                    assert lineage_of("?", [alias]) == expected, alias
    assert lineage_of("segmented-neutrophils") == Lineage.MYELOID
    assert lineage_of("Megakaryocyte") == Lineage.OTHER
