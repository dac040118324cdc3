"""Operations on cells: what each kind does, replays, stale and refused ones, and random sequences of all of them."""

import threading
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation.label_choice import choices_of
from annotation.models import Cell, CellLabel, Label, Operation, ProposalRun, SmearImage, Study
from annotation.operations import Change, apply

SQUARE = {"kind": "polygon", "points": [[10, 10], [30, 10], [30, 30], [10, 30]]}
LARGER = {"kind": "polygon", "points": [[5, 5], [35, 5], [35, 35], [5, 35]]}
ROUND = {"kind": "ellipse", "cx": 30.0, "cy": 20.0, "rx": 8.0, "ry": 6.0, "theta": 0.5}

pytestmark = pytest.mark.django_db


def change(kind: str, cell: uuid.UUID, version: int, **more: Any) -> Change:
    return Change(id=uuid.uuid4(), kind=kind, cell=cell, version=version, **more)


def one(image: SmearImage, user: User, asked: Change) -> Any:
    return apply(image.pk, user, [asked]).results[0]


@pytest.fixture
def image(study: Study, make_image: Any) -> SmearImage:
    return make_image(study)


@pytest.fixture
def drawn(image: SmearImage, annotator: User) -> Cell:
    return one(image, annotator, change("create", uuid.uuid4(), 0, border=SQUARE)).cell


@pytest.fixture
def proposal(image: SmearImage) -> Cell:
    return propose(image)


def propose(image: SmearImage, score: float = 0.8) -> Cell:
    run = ProposalRun.objects.create(study=image.study, bundle="watershed/1", score_threshold=0.5)
    cell = Cell(
        image=image,
        origin="proposal",
        status="proposed",
        run=run,
        score=score,
        proposed_border=ROUND,
    )
    cell.place(ROUND, image)
    cell.save()
    return cell


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


def test_a_replay_changes_nothing(image: SmearImage, annotator: User, drawn: Cell) -> None:
    asked = change("reshape", drawn.pk, 1, border=LARGER)
    assert one(image, annotator, asked).status == "applied"
    result = one(image, annotator, asked)
    assert (result.status, result.cell.version, result.cell.border) == ("replayed", 2, LARGER)
    twice = change("delete", drawn.pk, 2)
    assert [r.status for r in apply(image.pk, annotator, [twice, twice]).results] == ["applied", "replayed"]
    assert Cell.objects.get(pk=drawn.pk).version == 3


def test_an_id_sent_with_other_content_is_refused(
    image: SmearImage, annotator: User, teammate: User, drawn: Cell
) -> None:
    asked = change("reshape", drawn.pk, 1, border=LARGER)
    one(image, annotator, asked)
    for other in [
        Change(id=asked.id, kind="reshape", cell=drawn.pk, version=2, border=LARGER),
        Change(id=asked.id, kind="reshape", cell=drawn.pk, version=1, border=ROUND),
        Change(id=asked.id, kind="delete", cell=drawn.pk, version=1),
    ]:
        assert one(image, annotator, other).status == "refused"
    assert one(image, teammate, asked).status == "refused"
    assert Cell.objects.get(pk=drawn.pk).version == 2


def test_a_stale_operation_gets_the_cell_as_it_is_and_the_others_stand(
    image: SmearImage, annotator: User, teammate: User, drawn: Cell
) -> None:
    one(image, teammate, change("reshape", drawn.pk, 1, border=LARGER))
    mine = change("reshape", drawn.pk, 1, border=ROUND)
    drawn_too = change("create", uuid.uuid4(), 0, border=SQUARE)
    outcome = apply(image.pk, annotator, [mine, drawn_too])
    stale, stands = outcome.results
    assert (stale.status, stale.cell.border, stale.cell.version) == ("stale", LARGER, 2)
    assert stands.status == "applied"
    assert outcome.stale
    assert Cell.objects.get(pk=drawn.pk).border == LARGER
    assert not Operation.objects.filter(pk=mine.id).exists()


def test_what_follows_a_stale_operation_on_its_cell_is_stale_too(
    image: SmearImage, annotator: User, drawn: Cell
) -> None:
    outcome = apply(
        image.pk,
        annotator,
        [change("reshape", drawn.pk, 7, border=LARGER), change("delete", drawn.pk, 8)],
    )
    assert [result.status for result in outcome.results] == ["stale", "stale"]


def test_a_second_change_never_slips_in_where_the_first_was_overtaken(
    image: SmearImage, drawn: Cell, annotator: User, teammate: User
) -> None:
    # One change of the other's brings the cell to the version that the second of these was meant to change.
    one(image, teammate, change("reshape", drawn.pk, 1, border=LARGER))
    mine = [change("reshape", drawn.pk, 1, border=ROUND), change("delete", drawn.pk, 2)]
    assert [result.status for result in apply(image.pk, annotator, mine).results] == ["stale", "stale"]
    drawn.refresh_from_db()
    assert (drawn.border, drawn.status) == (LARGER, "confirmed")


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


def test_labels_are_the_whole_choice_of_an_annotator(
    image: SmearImage, annotator: User, teammate: User, drawn: Cell
) -> None:
    ids = dict(Label.objects.filter(group__study=image.study).values_list("name", "pk"))
    one(image, annotator, change("label", drawn.pk, 1, labels=[ids["Promyelocyte"], ids["Auer rod"]]))
    assert choices_of({drawn.pk}, annotator.pk)[drawn.pk].labels == [ids["Promyelocyte"], ids["Auer rod"]]
    one(image, teammate, change("label", drawn.pk, 2, labels=[ids["Myeloblast"]]))
    assert choices_of({drawn.pk}, annotator.pk)[drawn.pk].labels == [ids["Promyelocyte"], ids["Auer rod"]]
    assert choices_of({drawn.pk}, teammate.pk)[drawn.pk].labels == [ids["Myeloblast"]]
    assert choices_of({drawn.pk}, None)[drawn.pk].labels == [ids["Myeloblast"]]
    one(image, teammate, change("label", drawn.pk, 3, labels=[]))
    assert choices_of({drawn.pk}, None)[drawn.pk].labels == [ids["Promyelocyte"], ids["Auer rod"]]


def test_an_annotators_choice_takes_the_place_of_an_imported_label(
    image: SmearImage, annotator: User, drawn: Cell
) -> None:
    labels = {label.name: label for label in Label.objects.filter(group__study=image.study)}
    CellLabel.objects.create(cell=drawn, label=labels["Myeloblast"])
    assert choices_of({drawn.pk}, annotator.pk)[drawn.pk].labels == [labels["Myeloblast"].pk]
    one(image, annotator, change("label", drawn.pk, 1, labels=[]))
    assert choices_of({drawn.pk}, annotator.pk) == {}


def test_labels_that_cannot_be_are_refused(image: SmearImage, annotator: User, drawn: Cell, other_study: Study) -> None:
    ids = dict(Label.objects.filter(group__study=image.study).values_list("name", "pk"))
    foreign = Label.objects.filter(group__study=other_study).values_list("pk", flat=True)[0]
    for labels in ([ids["Myeloblast"], ids["Promyelocyte"]], [foreign], [10**9], None):
        assert one(image, annotator, change("label", drawn.pk, 1, labels=labels)).status == "refused"
    assert not CellLabel.objects.exists()


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
    assert few <= 18


@pytest.mark.django_db(transaction=True)
def test_of_two_changes_at_once_one_is_applied_and_the_other_is_stale(
    image: SmearImage, annotator: User, teammate: User
) -> None:
    cells = sorted(uuid.uuid4() for _ in range(20))
    apply(image.pk, annotator, [change("create", cell, 0, border=SQUARE) for cell in cells])
    start = threading.Barrier(2)
    outcomes: list[Any] = []

    def work(user: User, order: list[uuid.UUID]) -> None:
        try:
            start.wait(timeout=10)
            outcomes.append(apply(image.pk, user, [change("reshape", cell, 1, border=LARGER) for cell in order]))
        finally:
            connection.close()

    # Opposite orders: without a common order of locks these two would wait for each other for ever.
    threads = [
        threading.Thread(target=work, args=(annotator, cells)),
        threading.Thread(target=work, args=(teammate, cells[::-1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    statuses = sorted({result.status for result in outcome.results} for outcome in outcomes)
    assert len(outcomes) == 2
    assert sorted(status for one_of in statuses for status in one_of) == ["applied", "stale"]
    assert set(Cell.objects.values_list("version", flat=True)) == {2}


@pytest.mark.django_db(transaction=True)
def test_one_operation_sent_twice_at_once_is_applied_once(image: SmearImage, annotator: User) -> None:
    asked = change("create", uuid.uuid4(), 0, border=SQUARE)
    start = threading.Barrier(2)
    statuses: list[str] = []

    def work() -> None:
        try:
            start.wait(timeout=10)
            statuses.append(one(image, annotator, asked).status)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(statuses) == ["applied", "replayed"]
    assert Operation.objects.count() == 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "reshape", "accept", "delete", "restore", "label", "unaccept", "stale", "again"]),
        st.integers(0, 5),
        st.integers(0, 3),
    ),
    max_size=25,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=STEPS, batch=st.integers(1, 6))
def test_random_sequences_keep_versions_rising_and_replays_idle(
    image: SmearImage, annotator: User, steps: list[tuple[str, int, int]], batch: int
) -> None:
    """Whatever people do in whatever order: a version rises by one with each applied operation, sending everything
    again changes nothing, and each cell is what its last applied operation made of it."""
    cells = [propose(image).pk for _ in range(3)] + [uuid.uuid4() for _ in range(3)]
    labels = list(Label.objects.filter(group__study=image.study, group__multiple=True).values_list("pk", flat=True))
    versions = {cell: 1 if index < 3 else 0 for index, cell in enumerate(cells)}
    borders = [SQUARE, LARGER, ROUND, {"kind": "circle", "cx": 20.0, "cy": 20.0, "r": 7.0}]
    sent: list[Change] = []
    before: dict[uuid.UUID, int] = dict(versions)
    pending: list[Change] = []

    def flush() -> None:
        outcome = apply(image.pk, annotator, pending)
        for asked, result in zip(pending, outcome.results, strict=True):
            if result.status == "applied":
                before[asked.cell] += 1
            assert result.cell is None or result.cell.version == before[asked.cell] or len(pending) > 1
        for cell in cells:
            now = Cell.objects.filter(pk=cell).values_list("version", flat=True).first() or 0
            assert now == before[cell]
            versions[cell] = now
        pending.clear()

    for kind, which, variant in steps:
        cell = cells[which]
        version = versions[cell]
        if kind == "again" and sent:
            pending.append(sent[variant % len(sent)])
        elif kind == "unaccept":
            pending.append(change("restore", cell, version, status="proposed"))
        elif kind == "stale":
            pending.append(change("delete", cell, version + 1 + variant))
        elif kind != "again":
            more: dict[str, Any] = {}
            if kind in ("create", "reshape"):
                more["border"] = borders[variant]
            if kind == "label":
                more["labels"] = labels[: variant % 3]
            pending.append(change(kind, cell, 0 if kind == "create" else version, **more))
        sent.extend(pending[-1:])
        if len(pending) >= batch:
            flush()
    flush()
    state = list(Cell.objects.order_by("pk").values("pk", "version", "status", "border"))
    if sent:
        kept = [asked for asked in sent if Operation.objects.filter(pk=asked.id).exists()]
        assert {result.status for result in apply(image.pk, annotator, kept).results} <= {"replayed"}
    assert list(Cell.objects.order_by("pk").values("pk", "version", "status", "border")) == state
    for cell in Cell.objects.all():
        last = cell.operations.order_by("-version").first()
        if last is not None:
            assert (last.version, last.payload["status"]) == (cell.version, cell.status)
