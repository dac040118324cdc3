"""Operations on cells: what each kind does, what is refused, and how many queries they take."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation.models import Cell, Label, Operation, SmearImage, Study
from annotation.operations import apply
from tests.annotation.changes import LARGER, ROUND, SQUARE, change, one, propose

pytestmark = pytest.mark.django_db


def test_a_drawn_border_is_confirmed_and_has_bounds(image: SmearImage, annotator: User) -> None:
    asked = change("create", uuid.uuid4(), 0, border=SQUARE)
    result = one(image, annotator, asked)
    assert result.status == "applied"
    cell = Cell.objects.get(pk=asked.cell)
    assert (cell.status, cell.origin, cell.version, cell.border) == ("confirmed", "drawn", 1, SQUARE)
    assert (cell.x0, cell.y0, cell.x1, cell.y1) == (10, 10, 30, 30)
    operation = Operation.objects.get()
    assert (operation.user, operation.based_on, operation.version) == (annotator, 0, 1)


def test_the_first_touch_puts_an_image_in_progress(image: SmearImage, annotator: User) -> None:
    outcome = apply(image.pk, annotator, [change("create", uuid.uuid4(), 0, border=SQUARE)])
    assert outcome.image_state == "in_progress"
    image.refresh_from_db()
    assert image.state == "in_progress"


def test_a_refused_operation_does_not_touch_the_image(image: SmearImage, annotator: User) -> None:
    line = {"kind": "polygon", "points": [[1, 1], [2, 2], [3, 3]]}
    result = one(image, annotator, change("create", uuid.uuid4(), 0, border=line))
    assert result.status == "refused"
    assert result.reason.endswith(".")
    image.refresh_from_db()
    assert image.state == "new"
    assert not Cell.objects.exists()


def test_a_reshaped_proposal_is_confirmed_and_keeps_what_was_proposed(
    image: SmearImage, annotator: User, proposal: Cell
) -> None:
    one(image, annotator, change("reshape", proposal.pk, 1, border=SQUARE))
    cell = Cell.objects.with_correction().get(pk=proposal.pk)
    assert (cell.status, cell.version, cell.border, cell.proposed_border) == ("confirmed", 2, SQUARE, ROUND)
    assert cell.correction == "moved"


def test_accept_and_reject(image: SmearImage, annotator: User, proposal: Cell) -> None:
    other = propose(image)
    apply(image.pk, annotator, [change("accept", proposal.pk, 1), change("delete", other.pk, 1)])
    found = {cell.pk: cell.correction for cell in Cell.objects.with_correction()}
    assert found == {proposal.pk: "accepted", other.pk: "deleted"}
    again = one(image, annotator, change("accept", proposal.pk, 2))
    assert again.status == "refused"


@pytest.mark.parametrize("before", ["untouched", "accepted", "moved"])
def test_restore_without_a_status_brings_back_what_was(
    image: SmearImage, annotator: User, proposal: Cell, before: str
) -> None:
    version = 1
    if before == "accepted":
        one(image, annotator, change("accept", proposal.pk, version))
        version += 1
    if before == "moved":
        one(image, annotator, change("reshape", proposal.pk, version, border=SQUARE))
        version += 1
    one(image, annotator, change("delete", proposal.pk, version))
    result = one(image, annotator, change("restore", proposal.pk, version + 1))
    assert result.cell.status == ("proposed" if before == "untouched" else "confirmed")
    assert result.cell.border == (SQUARE if before == "moved" else ROUND)
    assert result.cell.version == version + 2


def test_a_moved_proposal_can_become_the_proposal_that_it_was(
    image: SmearImage, annotator: User, proposal: Cell
) -> None:
    one(image, annotator, change("reshape", proposal.pk, 1, border=SQUARE))
    result = one(image, annotator, change("restore", proposal.pk, 2, status="proposed"))
    assert (result.status, result.cell.status, result.cell.border) == ("applied", "proposed", ROUND)
    assert Cell.objects.with_correction().get(pk=proposal.pk).correction is None


def test_a_proposal_that_comes_back_opens_an_annotated_image(
    image: SmearImage, annotator: User, proposal: Cell
) -> None:
    one(image, annotator, change("accept", proposal.pk, 1))
    SmearImage.objects.filter(pk=image.pk).update(state="annotated")
    assert apply(image.pk, annotator, []).image_state == "annotated"
    outcome = apply(image.pk, annotator, [change("restore", proposal.pk, 2, status="proposed")])
    assert outcome.image_state == "in_progress"


def test_a_drawn_cell_never_becomes_a_proposal(image: SmearImage, annotator: User, drawn: Cell) -> None:
    assert one(image, annotator, change("restore", drawn.pk, 1, status="proposed")).status == "refused"
    assert one(image, annotator, change("restore", drawn.pk, 1, status="confirmed")).status == "refused"
    assert one(image, annotator, change("restore", drawn.pk, 1, status="deleted")).status == "refused"


def test_a_deleted_cell_is_kept_and_cannot_be_changed(image: SmearImage, annotator: User, drawn: Cell) -> None:
    one(image, annotator, change("delete", drawn.pk, 1))
    for kind, more in [("reshape", {"border": LARGER}), ("label", {"labels": []}), ("delete", {}), ("accept", {})]:
        result = one(image, annotator, change(kind, drawn.pk, 2, **more))
        assert result.status == "refused", kind
    assert Cell.objects.get(pk=drawn.pk).border == SQUARE


def test_several_operations_on_one_cell_in_one_batch(image: SmearImage, annotator: User) -> None:
    cell = uuid.uuid4()
    myeloblast = Label.objects.get(name="Myeloblast")
    outcome = apply(
        image.pk,
        annotator,
        [
            change("create", cell, 0, border=SQUARE),
            change("reshape", cell, 1, border=LARGER),
            change("label", cell, 2, labels=[myeloblast.pk]),
            change("delete", cell, 3),
            change("restore", cell, 4, status="confirmed"),
        ],
    )
    assert [result.status for result in outcome.results] == ["applied"] * 5
    found = Cell.objects.get(pk=cell)
    assert (found.version, found.border, found.status) == (5, LARGER, "confirmed")
    assert outcome.choices[cell].labels == [myeloblast.pk]


def test_cells_of_other_images_are_unknown(
    image: SmearImage, annotator: User, other_study: Study, make_image: Any
) -> None:
    foreign = propose(make_image(other_study, seed=5))
    result = one(image, annotator, change("delete", foreign.pk, 1))
    assert (result.status, result.cell) == ("refused", None)
    result = one(image, annotator, change("create", foreign.pk, 0, border=SQUARE))
    assert (result.status, result.cell) == ("refused", None)
    foreign.refresh_from_db()
    assert (foreign.status, foreign.border, foreign.image.study) == ("proposed", ROUND, other_study)


def test_a_reviewed_image_refuses_changes_but_answers_replays(image: SmearImage, annotator: User, drawn: Cell) -> None:
    asked = change("reshape", drawn.pk, 1, border=LARGER)
    one(image, annotator, asked)
    SmearImage.objects.filter(pk=image.pk).update(state="reviewed")
    assert one(image, annotator, change("delete", drawn.pk, 2)).status == "refused"
    assert one(image, annotator, asked).status == "replayed"


def queries_for(image: SmearImage, user: User, count: int) -> int:
    """Queries of one batch that reshapes, labels, deletes and draws `count` cells each."""
    label = Label.objects.filter(group__study=image.study).first()
    assert label
    cells = [uuid.uuid4() for _ in range(3 * count)]
    apply(image.pk, user, [change("create", cell, 0, border=SQUARE) for cell in cells])
    changes = [change("reshape", cell, 1, border=LARGER) for cell in cells[:count]]
    changes += [change("label", cell, 1, labels=[label.pk]) for cell in cells[count : 2 * count]]
    changes += [change("delete", cell, 1) for cell in cells[2 * count :]]
    changes += [change("create", uuid.uuid4(), 0, border=SQUARE) for _ in range(count)]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        outcome = apply(image.pk, user, changes)
    assert {result.status for result in outcome.results} == {"applied"}
    return len(queries)


def test_the_number_of_queries_does_not_grow_with_the_number_of_cells(image: SmearImage, annotator: User) -> None:
    few = queries_for(image, annotator, 2)
    assert queries_for(image, annotator, 60) == few
    assert few <= 21
