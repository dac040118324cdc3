"""Kappa against values computed by hand, against scikit-learn, and against what must hold of any readings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from annotation.agreement_bootstrap import LEAST_GROUPS, Resampling
from annotation.agreement_figures import NOT_READ, Ratings, agreement_of
from annotation.agreement_kappa import cohen_kappa, fleiss_kappa, fleiss_sums, in_words, percent_agreement


def test_cohens_kappa_by_hand() -> None:
    # 50 cells: both yes 20, both no 15, yes/no 5, no/yes 10. Observed 0.7; chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5.
    table = np.array([[20, 5], [10, 15]])
    assert percent_agreement(table) == pytest.approx(0.7)
    assert cohen_kappa(table) == pytest.approx(0.4)


def test_fleiss_kappa_of_his_own_kind_of_table() -> None:
    # Ten subjects, fourteen raters, five categories: the worked example of the textbooks, kappa 0.210.
    counts = np.array(
        [
            [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
        ]
    )  # fmt: skip
    assert fleiss_kappa(fleiss_sums(counts).sum(axis=0)) == pytest.approx(0.210, abs=5e-4)


def test_fleiss_kappa_where_cells_have_different_numbers_of_readers() -> None:
    # Cell 1: AAB, a third of the pairs agree; cell 2: AB, none; cell 3: BB, all. Mean 4/9; shares A 3/7, B 4/7.
    sums = fleiss_sums(np.array([[2, 1], [1, 1], [0, 2]])).sum(axis=0)
    chance = 9 / 49 + 16 / 49
    assert fleiss_kappa(sums) == pytest.approx((4 / 9 - chance) / (1 - chance))


def test_what_is_not_defined_is_said_to_be_so() -> None:
    assert np.isnan(cohen_kappa(np.array([[7, 0], [0, 0]])))
    assert np.isnan(cohen_kappa(np.zeros((2, 2))))
    ratings = _ratings([[0, 0], [0, 0]])
    found = agreement_of(ratings)
    assert found.fleiss.value is None
    assert found.percent.value == 1.0
    assert "one and the same label" in found.sentence
    nobody = "No cell has been read by two people yet."
    assert agreement_of(_ratings([[0, NOT_READ]])).sentence == nobody
    empty = Ratings([], [], np.zeros((0, 0), dtype=np.int64), np.zeros(0, dtype=np.int64))
    assert agreement_of(empty).sentence == nobody


@pytest.mark.parametrize(
    ("kappa", "word"),
    [
        (-0.01, "poor"), (0.0, "slight"), (0.2, "slight"), (0.21, "fair"), (0.4, "fair"), (0.41, "moderate"),
        (0.61, "substantial"), (0.8, "substantial"), (0.81, "almost perfect"), (1.0, "almost perfect"),
    ],
)  # fmt: skip
def test_words_of_landis_and_koch(kappa: float, word: str) -> None:
    assert in_words(kappa) == word


def _ratings(codes: list[list[int]], groups: list[int] | None = None, categories: int = 2) -> Ratings:
    table = np.array(codes, dtype=np.int64)
    names = [f"reader {each}" for each in range(table.shape[1])]
    own = np.arange(len(table)) if groups is None else np.array(groups, dtype=np.int64)
    return Ratings(names, [f"label {each}" for each in range(categories)], table, own)


def test_pairs_count_the_cells_that_both_read() -> None:
    found = agreement_of(_ratings([[0, 0, NOT_READ], [0, 1, NOT_READ], [1, NOT_READ, NOT_READ], [1, 1, 1]]))
    assert found.cells == 3
    assert {(pair.one, pair.other): pair.cells for pair in found.pairs} == {
        ("reader 0", "reader 1"): 3,
        ("reader 0", "reader 2"): 1,
        ("reader 1", "reader 2"): 1,
    }
    assert found.pairs[0].table.tolist() == [[1, 1], [0, 1]]
    assert found.pairs[0].percent.value == pytest.approx(2 / 3)


def test_one_label_against_all_others() -> None:
    ratings = _ratings([[0, 0], [1, 2], [2, 1], [1, NOT_READ]], categories=3)
    # Of label 0 both say the same throughout, of label 1 never where one of them gives it.
    assert agreement_of(ratings.of_one(0)).pairs[0].kappa.value == pytest.approx(1.0)
    assert agreement_of(ratings.of_one(1)).pairs[0].table.tolist() == [[1, 1], [1, 0]]


def test_intervals_draw_patients_and_not_cells() -> None:
    # Six patients whose ten cells all agree or all do not: as cells they would look like sixty.
    codes = [[cell % 2, (cell + patient) % 2] for patient in range(6) for cell in range(10)]
    by_patient = agreement_of(_ratings(codes, [patient for patient in range(6) for _ in range(10)]))
    by_cell = agreement_of(_ratings(codes))
    wide, narrow = by_patient.percent.interval, by_cell.percent.interval
    assert wide is not None and narrow is not None
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])
    assert by_patient.percent.value == by_cell.percent.value == 0.5


def test_few_patients_have_no_interval() -> None:
    codes = [[cell % 2, 0] for cell in range(40)]
    few = agreement_of(_ratings(codes, [cell % (LEAST_GROUPS - 1) for cell in range(40)]))
    assert few.fleiss.value is not None
    assert few.fleiss.interval is None
    assert few.pairs[0].kappa.interval is None


def test_the_interval_of_a_mean_is_that_of_its_normal_approximation() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(0.3, 1.0, 400)
    per_cell = np.stack([np.ones(400), values], axis=1)
    found = Resampling(np.arange(400)).interval(lambda sums: sums[:, 1] / sums[:, 0], per_cell)
    assert found is not None
    error = values.std() / 20
    assert found == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.3 * error)


readings = st.integers(2, 4).flatmap(
    lambda readers: st.lists(st.lists(st.integers(-1, 3), min_size=readers, max_size=readers), min_size=1, max_size=30)
)


@given(codes=readings)
@settings(max_examples=60, deadline=None)
def test_any_readings(codes: list[list[int]]) -> None:
    found = agreement_of(_ratings(codes, categories=4), draws=20)
    table = np.array(codes)
    for pair in found.pairs:
        one, other = int(pair.one[-1]), int(pair.other[-1])
        both = (table[:, one] >= 0) & (table[:, other] >= 0)
        first, second = table[both, one], table[both, other]
        assert pair.cells == both.sum() == pair.table.sum()
        assert pair.percent.value == pytest.approx(float((first == second).mean()))
        if pair.kappa.value is None:
            assert len(set(first) | set(second)) == 1
        else:
            assert pair.kappa.value == pytest.approx(cohen_kappa_score(first, second, labels=range(4)))
            assert -1 <= pair.kappa.value <= 1 + 1e-9
    shuffled = agreement_of(_ratings([row[::-1] for row in codes], categories=4), draws=20)
    assert shuffled.cells == found.cells
    assert (shuffled.fleiss.value is None) == (found.fleiss.value is None)
    if found.fleiss.value is not None:
        assert shuffled.fleiss.value == pytest.approx(found.fleiss.value)
        assert found.fleiss.value <= 1 + 1e-9


@given(codes=st.lists(st.integers(0, 3), min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_readers_who_always_agree(codes: list[int]) -> None:
    found = agreement_of(_ratings([[code, code, code] for code in codes], categories=4), draws=20)
    assert found.percent.value == 1.0
    assert found.fleiss.value in (None, pytest.approx(1.0))
    assert (found.fleiss.value is None) == (len(set(codes)) == 1)
