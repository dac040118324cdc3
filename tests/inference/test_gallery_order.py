"""Which cells the gallery shows, and in which order: every filter and every sort."""

from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation.models import Cell, Patient, ProposalRun, SmearImage, Study
from inference.gallery_query import SORTS
from tests.inference.gallery import cell, judge, label, look, say, shown


@pytest.fixture
def images(study: Study, make_image: Any) -> list[SmearImage]:
    patient = Patient.arrive(study, "P-7")
    return [
        make_image(study, seed=1, um_per_pixel=0.1, patient=patient, state="annotated"),
        make_image(study, seed=2, um_per_pixel=0.5),
    ]


@pytest.fixture
def cells(images: list[SmearImage]) -> list[Cell]:
    """Five cells, the last one the newest: three in P-7's image, two in nobody's."""
    places = [(0, 40, 20), (0, 5, 5), (0, 20, 20), (1, 10, 10), (1, 30, 20)]
    return [cell(images[image], x, y, side=8 + 2 * n) for n, (image, x, y) in enumerate(places)]


def test_only_cells_that_somebody_stands_for_are_shown(study: Study, images: list[SmearImage], annotator: User) -> None:
    there = cell(images[0])
    cell(images[0], status="deleted")
    cell(images[0], ignored=True)
    run = ProposalRun.objects.create(study=study, bundle="watershed/1", score_threshold=0.5)
    cell(images[0], status="proposed", origin="proposal", run=run, score=0.9, proposed_border={})
    assert shown(study, annotator, [there]) == [0]


def test_cells_of_other_studies_are_not_shown(
    study: Study, other_study: Study, make_image: Any, cells: list[Cell], annotator: User
) -> None:
    cell(make_image(other_study, seed=9))
    assert len(shown(study, annotator, cells)) == 5


def test_orders_that_need_no_model(study: Study, cells: list[Cell], annotator: User) -> None:
    assert shown(study, annotator, cells) == [4, 3, 2, 1, 0]
    assert shown(study, annotator, cells, sort="field") == [1, 2, 0, 3, 4]
    # In µm: a pixel of the second image is five times as wide.
    assert shown(study, annotator, cells, sort="largest") == [4, 3, 2, 1, 0]
    assert shown(study, annotator, cells, sort="smallest") == [0, 1, 2, 3, 4]


def test_sizes_are_compared_in_um(study: Study, images: list[SmearImage], annotator: User) -> None:
    both = [cell(images[0], side=20), cell(images[1], side=8)]
    assert shown(study, annotator, both, sort="largest") == [1, 0]


def test_filter_by_label_and_annotator(study: Study, cells: list[Cell], annotator: User, teammate: User) -> None:
    say(cells[0], "Myeloblast", annotator)
    say(cells[1], "Myeloblast", teammate)
    say(cells[2], "Promyelocyte", teammate)
    say(cells[3], "Auer rod")
    myeloblast, auer = label(study, "Myeloblast"), label(study, "Auer rod")

    def found(**asked: Any) -> list[int]:
        return sorted(shown(study, annotator, cells, **asked))

    assert found(label=myeloblast.pk) == [0, 1]
    assert found(label="none") == [4]
    assert found(label=f"none-{myeloblast.group_id}") == [3, 4]
    assert found(label=f"none-{auer.group_id}") == [0, 1, 2, 4]
    assert found(annotator="me") == [0]
    assert found(annotator=teammate.pk) == [1, 2]
    assert found(annotator="not-me") == [1, 2, 3, 4]
    assert found(annotator="imported") == [3]
    assert found(label=myeloblast.pk, annotator=teammate.pk) == [1]
    assert found(label=myeloblast.pk, annotator="not-me") == [1]
    assert found(label="none", annotator="me") == [1, 2, 3, 4]
    # What is unknown asks for everything, and what is not there finds nothing.
    assert found(label="no label", annotator="x", patient="-1", state="?", agreement="?", sort="?") == [0, 1, 2, 3, 4]
    assert found(label=10**9) == []


def test_filter_by_patient_and_state(
    study: Study, cells: list[Cell], images: list[SmearImage], annotator: User
) -> None:
    assert sorted(shown(study, annotator, cells, patient=images[0].patient_id)) == [0, 1, 2]
    assert sorted(shown(study, annotator, cells, patient="none")) == [3, 4]
    assert sorted(shown(study, annotator, cells, state="annotated")) == [0, 1, 2]
    assert shown(study, annotator, cells, state="annotated", patient="none") == []


def test_what_a_model_says_of_a_label(study: Study, cells: list[Cell], annotator: User) -> None:
    for each, probability in zip(cells, (0.2, 0.95, 0.55, 0.7), strict=False):
        judge(each, Myeloblast=probability, Promyelocyte=1 - probability)
    of = label(study, "Myeloblast").pk
    # Cells of which it says nothing come last.
    assert shown(study, annotator, cells, sort="likely", of=of) == [1, 3, 2, 0, 4]
    assert shown(study, annotator, cells, sort="unlikely", of=of) == [0, 2, 3, 1, 4]
    assert shown(study, annotator, cells, sort="uncertain", of=of) == [2, 3, 0, 1, 4]
    # Without a label: how sure it is of the one that it would choose.
    assert shown(study, annotator, cells, sort="likely") == [1, 0, 3, 2, 4]
    assert shown(study, annotator, cells, sort="uncertain") == [2, 3, 0, 1, 4]
    assert shown(study, annotator, cells, sort="field", of=of, least="0.5", most="0.7") == [2, 3]
    assert shown(study, annotator, cells, of=of, least="0.9") == [1]
    assert shown(study, annotator, cells, of=of, most="0.2") == [0]


def test_where_the_model_disagrees_with_people(study: Study, cells: list[Cell], annotator: User) -> None:
    say(cells[0], "Myeloblast", annotator)
    say(cells[1], "Promyelocyte", annotator)
    say(cells[2], "Myeloblast", annotator)
    for each, probability in zip(cells, (0.9, 0.7, 0.1, 0.99), strict=False):
        judge(each, Myeloblast=probability, Promyelocyte=1 - probability)
    assert shown(study, annotator, cells, sort="disputed") == [2, 1, 0, 4, 3]
    assert shown(study, annotator, cells, agreement="model", sort="disputed") == [2, 1]
    of = label(study, "Myeloblast").pk
    assert shown(study, annotator, cells, agreement="model", sort="disputed", of=of) == [2, 1]
    # Who named the type of a cell has seen that it has no Auer rod.
    judge(cells[0], Auer_rod=0.8)
    judge(cells[3], Auer_rod=0.9)
    auer = label(study, "Auer rod").pk
    assert shown(study, annotator, cells, agreement="model", of=auer) == [0]


def test_where_people_disagree(study: Study, cells: list[Cell], annotator: User, teammate: User) -> None:
    for each, ours, theirs in [
        (cells[0], ["Myeloblast"], ["Promyelocyte"]),
        (cells[1], ["Myeloblast"], ["Myeloblast"]),
        (cells[2], ["Myeloblast", "Auer rod"], ["Myeloblast"]),
        (cells[3], ["Myeloblast", "Auer rod"], ["Myeloblast", "Auer rod"]),
        (cells[4], ["Myeloblast", "Auer rod"], []),
    ]:
        for name in ours:
            say(each, name, annotator)
        for name in theirs:
            say(each, name, teammate)
    assert sorted(shown(study, annotator, cells, agreement="people")) == [0, 2]


def test_cells_that_look_like_others(study: Study, cells: list[Cell], annotator: User) -> None:
    for each, vector in zip(cells, [(9, 0), (8, 1), (0, 9), (3, 4)], strict=False):
        look(each, *vector)
    assert shown(study, annotator, cells, sort="similar", like=cells[0].pk) == [0, 1, 3, 2, 4]
    assert shown(study, annotator, cells, sort="similar", like=cells[2].pk) == [2, 3, 1, 0, 4]
    both = f"{cells[2].pk},{cells[3].pk},{uuid4()},nonsense"
    assert shown(study, annotator, cells, sort="similar", like=both)[:2] in ([2, 3], [3, 2])
    # Nothing to compare with: the newest first.
    assert shown(study, annotator, cells, sort="similar", like=cells[4].pk) == [4, 3, 2, 1, 0]
    assert shown(study, annotator, cells, sort="similar", like=cells[0].pk, patient="none") == [3, 4]


def test_cells_that_are_unlike_their_class(study: Study, images: list[SmearImage], annotator: User) -> None:
    cells = [cell(images[0], x=n) for n in range(9)]
    rng = np.random.default_rng(3)
    for number, each in enumerate(cells):
        a_class = number % 2
        look(each, *(np.array([5, 0] if a_class else [0, 5]) + rng.normal(0, 0.3, 2)))
        # The last one is labelled as what it does not look like.
        say(each, "Myeloblast" if a_class == (number != 8) else "Promyelocyte", annotator)
    assert shown(study, annotator, cells, sort="outliers")[0] == 8


def test_new_features_are_looked_at(study: Study, cells: list[Cell], annotator: User, monkeypatch: Any) -> None:
    look(cells[0], 1, 0, 0)
    look(cells[1], 0, 1, 0)
    assert shown(study, annotator, cells, sort="similar", like=cells[0].pk)[0] == 0
    look(cells[2], 0.9, 0, 0.1)
    # Not for each cell that is being computed, but within a minute.
    assert shown(study, annotator, cells, sort="similar", like=cells[2].pk) == [4, 3, 2, 1, 0]
    monkeypatch.setattr("inference.cell_looks._HOLDS", 0)
    assert shown(study, annotator, cells, sort="similar", like=cells[2].pk)[:2] == [2, 0]


@pytest.mark.parametrize("sort", SORTS)
def test_the_number_of_queries_does_not_grow_with_the_cells(
    sort: str, study: Study, images: list[SmearImage], annotator: User
) -> None:
    counts = []
    for number in (3, 12):
        cells = [cell(images[0], x=n) for n in range(number)]
        for n, each in enumerate(cells):
            say(each, "Myeloblast" if n % 2 else "Promyelocyte", annotator)
            judge(each, Myeloblast=n / number)
            look(each, n, 1, n % 3)
        asked = {"sort": sort, "like": cells[0].pk, "of": label(study, "Myeloblast").pk, "agreement": ""}
        shown(study, annotator, Cell.objects.all(), **asked)
        with CaptureQueriesContext(connection) as queries:
            shown(study, annotator, Cell.objects.all(), **asked)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 15
