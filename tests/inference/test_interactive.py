"""Heads that learn while people label: one retraining at a time and one after; a sentence where nothing is learned."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from annotation.models import Cell, CellLabel, Label, LabelGroup, Study
from inference import interactive
from inference.cell_feature_jobs import compute
from inference.interactive import LOST, features_changed, labels_changed, retrain, send_lost, status_of
from inference.models import INTERACTIVE, CellFeatureJob, CellProbability, InteractiveHead
from inference.tasks import retrain_head
from tests.labelled_cells import BLUE, RED, near
from tests.training.coloured_cells import MeanColour

pytestmark = pytest.mark.django_db
Fields = Callable[..., list[Cell]]
Label_ = Callable[..., None]
Commit = Callable[..., Any]


@pytest.fixture(autouse=True)
def told(no_broker: list[Any]) -> list[Any]:
    return no_broker


@pytest.fixture
def ask(study: Study, cell_type: LabelGroup, django_capture_on_commit_callbacks: Commit) -> Callable[[], None]:
    def labels_were_changed() -> None:
        with django_capture_on_commit_callbacks(execute=True):
            labels_changed(cell_type)

    return labels_were_changed


@pytest.fixture
def cells(study: Study, make_field: Fields, mean_colour: MeanColour, cell_type: LabelGroup) -> list[Cell]:
    """Of four patients six cells each, red and blue in turn, with features and without labels."""
    rng = np.random.default_rng(3)
    found = []
    for number in range(4):
        found += make_field(study, f"P{number}", [near((RED, BLUE)[index % 2], rng) for index in range(6)])
    compute(study, mean_colour)
    return found


def label_some(cells: list[Cell], label_cell: Label_, number: int = 12) -> None:
    for index, cell in enumerate(cells[:number]):
        label_cell(cell, ("Promyelocyte", "Myeloblast")[index % 2])


def probabilities(name: str) -> dict[Any, float]:
    rows = CellProbability.objects.filter(label__name=name)
    return dict(rows.values_list("cell_id", "probability"))


def test_a_few_labels_sort_all_cells(
    study: Study, cell_type: LabelGroup, cells: list[Cell], label_cell: Label_, ask: Callable[[], None]
):
    label_some(cells, label_cell)
    ask()
    retrain_head(study.pk, cell_type.pk)
    found = probabilities("Promyelocyte")
    assert found.keys() == {cell.pk for cell in cells}
    assert min(found[cell.pk] for cell in cells[::2]) > 0.5 > max(found[cell.pk] for cell in cells[1::2])
    assert set(CellProbability.objects.values_list("bundle", flat=True)) == {INTERACTIVE}
    # Nobody has shown it a lymphocyte.
    assert not probabilities("Lymphocyte")
    status = status_of(study, cell_type)
    assert (status.state, status.labelled, status.cells) == ("ready", 12, 24)
    assert status.sentence == "Learned from 12 labelled cells."


def test_before_there_is_enough_the_status_says_what_is_missing(
    study: Study, cell_type: LabelGroup, cells: list[Cell], label_cell: Label_, ask: Callable[[], None]
):
    assert status_of(study, cell_type).state == "none"
    label_some(cells, label_cell, 4)
    ask()
    assert status_of(study, cell_type).state == "waiting"
    retrain(study.pk, cell_type.pk)
    status = status_of(study, cell_type)
    assert status.state == "refused"
    assert status.sentence == "Cell type is learned once two of its labels have 3 cells each."


def test_what_is_no_longer_labelled_is_forgotten(
    study: Study, cell_type: LabelGroup, cells: list[Cell], label_cell: Label_, ask: Callable[[], None]
):
    label_some(cells, label_cell)
    ask()
    retrain(study.pk, cell_type.pk)
    CellLabel.objects.all().delete()
    ask()
    retrain(study.pk, cell_type.pk)
    assert not CellProbability.objects.exists()


def test_a_retired_label_teaches_nothing_and_is_no_other(
    study: Study, cell_type: LabelGroup, cells: list[Cell], label_cell: Label_, ask: Callable[[], None]
):
    label_some(cells, label_cell)
    for cell in cells[12:16]:
        label_cell(cell, "Lymphocyte")
    Label.objects.filter(name="Lymphocyte").update(retired=True)
    ask()
    retrain(study.pk, cell_type.pk)
    assert InteractiveHead.objects.get().labelled == 12 and not probabilities("Lymphocyte")


def test_of_many_choices_each_is_learned_against_all_that_was_labelled(
    study: Study, cell_type: LabelGroup, cells: list[Cell], label_cell: Label_, django_capture_on_commit_callbacks: Any
):
    group = LabelGroup.objects.create(study=study, name="Characteristics", multiple=True, order=1)
    Label.objects.create(group=group, name="Auer rod")
    for cell in cells[1:12:2]:
        label_cell(cell, "Myeloblast")
    for cell in cells[:12:2]:
        label_cell(cell, "Auer rod")
    with django_capture_on_commit_callbacks(execute=True):
        labels_changed(group)
    retrain(study.pk, group.pk)
    found = probabilities("Auer rod")
    assert min(found[cell.pk] for cell in cells[::2]) > 0.5 > max(found[cell.pk] for cell in cells[1::2])


def test_many_labels_in_a_row_are_one_message_and_one_retraining(
    study: Study,
    cell_type: LabelGroup,
    cells: list[Cell],
    label_cell: Label_,
    ask: Callable[[], None],
    told: list[Any],
    monkeypatch: pytest.MonkeyPatch,
):
    label_some(cells, label_cell)
    for _ in range(5):
        ask()
    assert told == [("inference.retrain_head", [study.pk, cell_type.pk])]
    fitted = []
    once = interactive._retrain

    def while_people_label(group: LabelGroup) -> Any:
        fitted.append(group.pk)
        if len(fitted) == 1:
            ask()
            ask()
        return once(group)

    monkeypatch.setattr(interactive, "_retrain", while_people_label)
    assert retrain(study.pk, cell_type.pk)
    assert len(told) == 2, "labels that came meanwhile are one more message"
    assert status_of(study, cell_type).state == "waiting"
    assert retrain(study.pk, cell_type.pk)
    # Delivered again by a broker that is not sure.
    assert not retrain(study.pk, cell_type.pk)
    assert len(fitted) == 2 and status_of(study, cell_type).state == "ready"


def test_a_worker_that_was_killed_leaves_it_to_the_next(
    study: Study,
    cell_type: LabelGroup,
    cells: list[Cell],
    label_cell: Label_,
    ask: Callable[[], None],
    told: list[Any],
    monkeypatch: pytest.MonkeyPatch,
):
    label_some(cells, label_cell)
    ask()
    with monkeypatch.context() as patch:
        # What a kill leaves: the transaction rolled back, and nothing after it done.
        patch.setattr(interactive, "_retrain", lambda group: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            retrain(study.pk, cell_type.pk)
    assert status_of(study, cell_type).state == "retraining"
    send_lost()
    assert len(told) == 1, "it may still be at work"
    InteractiveHead.objects.update(started_at=timezone.now() - 2 * LOST)
    assert status_of(study, cell_type).state == "waiting"
    send_lost()
    send_lost()
    assert len(told) == 2
    assert retrain(study.pk, cell_type.pk) and probabilities("Promyelocyte")


def test_a_message_that_was_lost_is_sent_again_with_the_next_label(ask: Callable[[], None], told: list[Any]):
    ask()
    ask()
    assert len(told) == 1
    InteractiveHead.objects.update(told_at=timezone.now() - LOST - timedelta(seconds=1))
    ask()
    assert len(told) == 2


def test_without_a_queue_labels_are_kept_and_learned_later(
    study: Study, cell_type: LabelGroup, ask: Callable[[], None], told: list[Any], monkeypatch: pytest.MonkeyPatch
):
    from kombu.exceptions import OperationalError as BrokerError

    from config.celery import app

    def away(*_: Any, **__: Any) -> None:
        raise BrokerError

    with monkeypatch.context() as patch:
        patch.setattr(app, "send_task", away)
        ask()
    assert status_of(study, cell_type).state == "waiting"
    send_lost()
    assert len(told) == 1


def test_a_mistake_is_said_and_not_tried_for_ever(
    study: Study, cell_type: LabelGroup, ask: Callable[[], None], monkeypatch: pytest.MonkeyPatch
):
    ask()

    def broken(group: LabelGroup) -> Any:
        raise RuntimeError("no such matrix")

    monkeypatch.setattr(interactive, "_retrain", broken)
    with pytest.raises(RuntimeError):
        retrain(study.pk, cell_type.pk)
    assert status_of(study, cell_type).sentence == "The heads could not be retrained: no such matrix"
    assert not retrain(study.pk, cell_type.pk)


def test_a_database_that_was_away_for_a_moment_is_asked_again(
    study: Study,
    cell_type: LabelGroup,
    cells: list[Cell],
    label_cell: Label_,
    ask: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
):
    label_some(cells, label_cell)
    ask()

    def away(group: LabelGroup) -> Any:
        raise OperationalError("deadlock detected")

    with monkeypatch.context() as patch:
        patch.setattr(interactive, "_retrain", away)
        with pytest.raises(OperationalError):
            retrain(study.pk, cell_type.pk)
    assert retrain(study.pk, cell_type.pk) and probabilities("Promyelocyte")


def test_cells_without_features_get_them_by_a_job_and_are_judged_then(
    study: Study,
    cell_type: LabelGroup,
    cells: list[Cell],
    make_field: Fields,
    label_cell: Label_,
    ask: Callable[[], None],
    mean_colour: MeanColour,
    django_capture_on_commit_callbacks: Commit,
    told: list[Any],
):
    label_some(cells, label_cell)
    new = make_field(study, "P9", [RED])[0]
    ask()
    with django_capture_on_commit_callbacks(execute=True):
        retrain(study.pk, cell_type.pk)
    assert CellFeatureJob.objects.get().study == study and new.pk not in probabilities("Promyelocyte")
    assert status_of(study, cell_type).features == (0, 0)
    compute(study, mean_colour)
    with django_capture_on_commit_callbacks(execute=True):
        features_changed(study)
    retrain(study.pk, cell_type.pk)
    assert probabilities("Promyelocyte")[new.pk] > 0.5


def test_messages_of_a_group_or_study_that_is_gone_do_nothing(study: Study, cell_type: LabelGroup):
    retrain_head(study.pk, cell_type.pk + 1)
    retrain_head(study.pk + 1, cell_type.pk)
    assert not InteractiveHead.objects.exists()


def test_probabilities_of_many_cells_are_few_statements(
    study: Study,
    cell_type: LabelGroup,
    cells: list[Cell],
    label_cell: Label_,
    ask: Callable[[], None],
    django_assert_max_num_queries: Any,
):
    label_some(cells, label_cell)
    ask()
    with django_assert_max_num_queries(30):
        retrain(study.pk, cell_type.pk)


@pytest.mark.django_db(transaction=True)
def test_two_workers_take_turns(
    study: Study, cell_type: LabelGroup, cells: list[Cell], label_cell: Label_, monkeypatch: pytest.MonkeyPatch
):
    label_some(cells, label_cell)
    labels_changed(cell_type)
    inside: list[int] = []
    most: list[int] = []
    once = interactive._retrain

    def watched(group: LabelGroup) -> Any:
        inside.append(1)
        most.append(len(inside))
        try:
            return once(group)
        finally:
            inside.pop()

    monkeypatch.setattr(interactive, "_retrain", watched)

    def worker() -> None:
        try:
            retrain(study.pk, cell_type.pk)
        finally:
            connection.close()

    workers = [threading.Thread(target=worker) for _ in range(3)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert most == [1]


def test_the_task_has_a_queue_of_its_own():
    from config.celery import app

    route = app.amqp.router.route
    assert route({}, interactive.TASK)["queue"].name == "interactive"
    assert route({}, CellFeatureJob.task_name)["queue"].name == "inference"
