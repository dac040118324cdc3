"""Labels given anywhere reach the heads that somebody asked for: by the editor, an import, the gallery."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotation.formats.records import ImageRecord, Region, Selection
from annotation.imported_borders import LabelBook, add_record
from annotation.label_changes import labels_changed
from annotation.models import Cell, CellLabel, Label, LabelGroup, SmearImage, Study
from annotation.operations import apply
from annotation.scheme_draft import Draft
from inference.interactive import begin, learn_again
from inference.models import InteractiveHead
from tests.annotation.changes import change
from tests.inference.gallery import cell, label

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def told(no_broker: list[Any]) -> list[Any]:
    return no_broker


@pytest.fixture
def image(study: Study, make_image: Any) -> SmearImage:
    return make_image(study, width=900, height=700)


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Any) -> Callable[..., Any]:
    def run(act: Callable[..., Any], *arguments: Any) -> Any:
        with django_capture_on_commit_callbacks(execute=True):
            return act(*arguments)

    return run


@pytest.fixture
def head(study: Study, committed: Any, told: list[Any]) -> InteractiveHead:
    """Heads of the cell types, which have learned all there is."""
    group = label(study, "Myeloblast").group
    committed(begin, group)
    told.clear()
    InteractiveHead.objects.update(learned=1, told_at=None)
    return InteractiveHead.objects.get(group=group)


def asked(head: InteractiveHead) -> int:
    head.refresh_from_db()
    return head.asked


def test_labels_of_the_editor_are_learned(
    study: Study, image: SmearImage, annotator: User, head: InteractiveHead, committed: Any, client_of: Any, told: Any
) -> None:
    made = cell(image, 100, 100, 60)
    chosen = label(study, "Myeloblast").pk
    operation = {"id": str(uuid4()), "kind": "label", "cell": str(made.pk), "version": 1, "labels": [chosen]}
    address = reverse("api-operations", args=[image.pk])
    body = {"operations": [operation]}
    client = client_of(annotator)
    assert committed(lambda: client.post(address, body, content_type="application/json")).status_code == 200
    assert asked(head) == 2 and told == [("inference.retrain_head", [study.pk, head.pk])]
    # Sent again it changes nothing.
    committed(lambda: client.post(address, body, content_type="application/json"))
    assert asked(head) == 2


def test_what_changes_no_label_is_not_learned(
    study: Study, image: SmearImage, annotator: User, head: InteractiveHead, committed: Any
) -> None:
    made = cell(image, 100, 100, 60)
    myeloblast, rod = label(study, "Myeloblast").pk, label(study, "Auer rod").pk
    committed(apply, image.pk, annotator, [change("label", made.pk, 1, labels=[myeloblast])])
    assert asked(head) == 2
    surer = change("label", made.pk, 2, labels=[myeloblast, rod], confidence={myeloblast: 0.9})
    committed(apply, image.pk, annotator, [surer])
    # A rod is of another group, whose heads nobody has asked for.
    assert asked(head) == 2 and InteractiveHead.objects.count() == 1
    committed(apply, image.pk, annotator, [change("label", made.pk, 3, labels=[rod])])
    assert asked(head) == 3, "a label taken off is learned"
    committed(apply, image.pk, annotator, [change("delete", made.pk, 4)])
    assert asked(head) == 3


def test_decisions_are_learned_also_that_none_applies(
    study: Study, image: SmearImage, annotator: User, reviewer: User, head: InteractiveHead, committed: Any
) -> None:
    made = cell(image, 100, 100, 60)
    committed(apply, image.pk, annotator, [change("label", made.pk, 1, labels=[label(study, "Myeloblast").pk])])
    assert asked(head) == 2
    for number, labels in enumerate(([], [label(study, "Promyelocyte").pk], None), start=2):
        decision = change("adjudicate", made.pk, number, group=head.group_id, labels=labels)
        assert committed(apply, image.pk, reviewer, [decision]).results[0].status == "applied"
        assert asked(head) == number + 1


def test_a_label_that_is_retired_or_offered_again_is_learned_where_cells_have_it(
    study: Study, image: SmearImage, annotator: User, head: InteractiveHead, committed: Any
) -> None:
    carried, unused = label(study, "Myeloblast"), label(study, "Promyelocyte")
    made = cell(image, 100, 100, 60)
    committed(apply, image.pk, annotator, [change("label", made.pk, 1, labels=[carried.pk])])

    def edited(act: str, of: Label) -> None:
        draft = Draft(study)
        getattr(draft, act)(of.pk)
        committed(draft.save)

    for act, of, wanted in (
        ("retire", unused, 2),
        ("retire", carried, 3),
        ("bring_back", unused, 3),
        ("bring_back", carried, 4),
    ):
        edited(act, of)
        assert asked(head) == wanted, (act, of.name)


def test_labels_of_an_import_are_learned(
    study: Study, image: SmearImage, head: InteractiveHead, committed: Any
) -> None:
    border = {"kind": "rectangle", "x": 10, "y": 10, "width": 30, "height": 30}
    record = ImageRecord("a.png", regions=[Region("1", border, labels=(("Cell type", "Promyelocyte"),))])
    committed(add_record, image, record, Selection(), LabelBook(study))
    assert CellLabel.objects.get().annotator is None and asked(head) == 2


def test_heads_nobody_asked_for_and_those_of_other_studies_learn_nothing(
    study: Study, other_study: Study, image: SmearImage, annotator: User, committed: Any, told: list[Any]
) -> None:
    group = LabelGroup.objects.create(study=other_study, name="Cell type elsewhere")
    Label.objects.create(group=group, name="Myeloblast")
    committed(begin, group)
    told.clear()
    made = cell(image, 100, 100, 60)
    committed(apply, image.pk, annotator, [change("label", made.pk, 1, labels=[label(study, "Myeloblast").pk])])
    assert list(InteractiveHead.objects.values_list("group", "asked")) == [(group.pk, 1)] and not told


def test_heads_are_begun_once(study: Study, head: InteractiveHead, committed: Any) -> None:
    committed(begin, head.group)
    assert asked(head) == 1


def test_a_field_of_170_labels_costs_one_query_more(
    study: Study, image: SmearImage, annotator: User, head: InteractiveHead, committed: Any
) -> None:
    cells: list[Cell] = [cell(image, 4 * n, 3 * n, 40) for n in range(170)]

    def queries(version: int, name: str) -> int:
        chosen = [label(study, name).pk]
        changes = [change("label", each.pk, version, labels=chosen) for each in cells]
        with CaptureQueriesContext(connection) as captured:
            committed(apply, image.pk, annotator, changes)
        return len(captured)

    labels_changed.disconnect(dispatch_uid="heads learn of labels")
    try:
        without = queries(1, "Myeloblast")
    finally:
        labels_changed.connect(learn_again, dispatch_uid="heads learn of labels")
    assert queries(2, "Promyelocyte") == without + 1
    assert asked(head) == 2


def test_a_listener_that_fails_loses_no_label(
    study: Study, image: SmearImage, annotator: User, head: InteractiveHead, committed: Any, monkeypatch: Any
) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("no such head")

    monkeypatch.setattr("inference.interactive._ask", broken)
    made = cell(image, 100, 100, 60)
    asked_for = [change("label", made.pk, 1, labels=[label(study, "Myeloblast").pk])]
    assert committed(apply, image.pk, annotator, asked_for).results[0].status == "applied"
    assert CellLabel.objects.count() == 1 and asked(head) == 1
