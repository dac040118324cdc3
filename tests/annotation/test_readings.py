"""Readings: asked for, read by the operations of the editor, done; and what several people say at the same time."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from annotation.label_choice import choices_of
from annotation.models import (
    Adjudication,
    Cell,
    CellLabel,
    CellReading,
    LabelGroup,
    Patient,
    Reader,
    Reading,
    SmearImage,
    Study,
)
from annotation.readings import (
    CellsWanted,
    ReadingRefused,
    cells_to_read,
    end,
    finish,
    next_to_read,
    progress_of,
    readings_of,
    waiting_for,
)
from tests.annotation.changes import LARGER, change, one
from tests.annotation.reading import asked, cells_on, decide, label_id, part, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def cells(image: SmearImage) -> list[Cell]:
    return cells_on(image, 4)


def test_a_reading_is_shared_out_and_read_to_the_end(
    study: Study, reviewer: User, annotator: User, teammate: User, cells: list[Cell]
) -> None:
    reading = asked(study, reviewer, [annotator, teammate], each=1, by_all=0.5)
    (progress,) = progress_of(Reading.objects.filter(pk=reading.pk))
    assert progress.cells == 4
    assert [(each.reader.user.username, each.cells, each.read) for each in progress.parts] == [
        ("anna", 3, 0),
        ("theo", 3, 0),
    ]
    assert waiting_for(annotator, study) == 1
    mine = part(reading, annotator)
    for left in (3, 2, 1):
        waiting = next_to_read(mine)
        assert waiting is not None
        with pytest.raises(ReadingRefused, match="1 cell is still" if left == 1 else f"{left} cells are still"):
            finish(mine)
        assert say(waiting.cell, annotator, "Promyelocyte", confidence={label_id(study, "Promyelocyte"): 0.6}).status
    assert next_to_read(mine) is None
    finish(mine)
    finish(mine)
    assert waiting_for(annotator, study) == 0
    kept = CellReading.objects.filter(reader=mine)
    assert [each.labels for each in kept] == [[label_id(study, "Promyelocyte")]] * 3
    assert [each.confidence for each in kept] == [{str(label_id(study, "Promyelocyte")): 0.6}] * 3
    (progress,) = progress_of(readings_of(study, teammate))
    assert [each.percent for each in progress.parts] == [100, 0]
    assert not progress.is_over


def test_what_was_read_stands_when_labels_change_afterwards(
    study: Study, reviewer: User, annotator: User, cells: list[Cell]
) -> None:
    reading = asked(study, reviewer, [annotator])
    mine = part(reading, annotator)
    for each in cells:
        say(each, annotator, "Myeloblast")
    say(cells[0], annotator, "Monocyte")
    finish(mine)
    say(cells[0], annotator, "Lymphocyte")
    assert cells_to_read(mine).get(cell=cells[0]).labels == [label_id(study, "Monocyte")]


def test_a_cell_that_is_deleted_is_no_longer_to_be_read(
    study: Study, reviewer: User, annotator: User, cells: list[Cell]
) -> None:
    reading = asked(study, reviewer, [annotator])
    for each in cells[1:]:
        say(each, annotator)
    cells[0].refresh_from_db()
    one(cells[0].image, reviewer, change("delete", cells[0].pk, cells[0].version))
    assert next_to_read(part(reading, annotator)) is None
    finish(part(reading, annotator))
    (progress,) = progress_of(Reading.objects.all())
    assert (progress.cells, progress.parts[0].left) == (3, 0)


def test_a_reviewer_ends_a_reading_for_all(study: Study, reviewer: User, annotator: User, cells: list[Cell]) -> None:
    reading = asked(study, reviewer, [annotator])
    say(cells[0], annotator, "Myeloblast")
    end(reading)
    assert waiting_for(annotator, study) == 0
    say(cells[1], annotator, "Myeloblast")
    assert cells_to_read(part(reading, annotator)).filter(read_at__isnull=False).count() == 1


def test_cells_are_chosen_by_state_patient_label_and_number(
    study: Study, reviewer: User, annotator: User, make_image: Any
) -> None:
    first = cells_on(make_image(study, seed=1, patient=Patient.arrive(study, "P1"), state="reviewed"), 4)
    second = cells_on(make_image(study, seed=2, patient=Patient.arrive(study, "P2"), state="annotated"), 4)
    CellLabel.objects.create(cell_id=second[1].pk, label_id=label_id(study, "Monocyte"))
    p1, p2 = Patient.objects.values_list("pk", flat=True).order_by("code")

    def read(**wanted: Any) -> set[Any]:
        reading = asked(study, reviewer, [annotator], cells=CellsWanted(**wanted))
        return set(CellReading.objects.filter(reader__reading=reading).values_list("cell", flat=True))

    assert read() == {each.pk for each in first + second}
    assert read(state="reviewed") == {each.pk for each in first}
    assert read(patients=[p2]) == {each.pk for each in second}
    assert read(label=label_id(study, "Monocyte")) == {second[1].pk}
    assert len(read(number=3)) == 3
    assert read(cells=[first[0].pk, second[0].pk]) == {first[0].pk, second[0].pk}
    with pytest.raises(ReadingRefused, match="No cell is as you asked"):
        read(state="annotated", patients=[p1])
    with pytest.raises(ReadingRefused, match="at least 1"):
        read(number=0)
    with pytest.raises(ReadingRefused, match="A state is one of"):
        read(state="gone")


def test_what_cannot_be_read_is_refused(
    study: Study, other_study: Study, reviewer: User, annotator: User, outsider: User, cells: list[Cell]
) -> None:
    foreign = list(LabelGroup.objects.filter(study=other_study).values_list("pk", flat=True))
    for problem, more in {
        "needs a name": {"name": " "},
        "at least one label group": {"groups": foreign},
        "1 to 20 readers": {"readers": []},
        "no member": {"readers": [outsider]},
        "1 to 1 readers": {"each": 2},
        "between 0 and 1": {"by_all": 2.0},
    }.items():
        with pytest.raises(ReadingRefused, match=problem):
            asked(study, reviewer, **({"readers": [annotator]} | more))
    assert not Reading.objects.exists()


def test_readers_may_label_finished_images_and_others_may_not(
    study: Study, reviewer: User, annotator: User, teammate: User, cells: list[Cell]
) -> None:
    SmearImage.objects.update(state=SmearImage.State.REVIEWED)
    asked(study, reviewer, [annotator])
    assert say(cells[0], annotator, "Myeloblast").status == "applied"
    assert say(cells[0], teammate, "Myeloblast").status == "refused"
    cells[0].refresh_from_db()
    assert (
        one(cells[0].image, annotator, change("reshape", cells[0].pk, cells[0].version, border=LARGER)).status
        == "refused"
    )
    assert SmearImage.objects.get().state == SmearImage.State.REVIEWED


def test_what_others_say_meanwhile_overtakes_no_reader(
    study: Study, reviewer: User, annotator: User, teammate: User, cells: list[Cell]
) -> None:
    asked(study, reviewer, [annotator, teammate])
    cell, seen = cells[0], cells[0].version
    assert say(cell, teammate, "Monocyte", version=seen).status == "applied"
    # Based on what they saw before the other one spoke.
    assert say(cell, annotator, "Myeloblast", version=seen).status == "applied"
    assert {row.annotator: row.label.name for row in CellLabel.objects.filter(cell=cell)} == {
        teammate: "Monocyte",
        annotator: "Myeloblast",
    }
    # Their own earlier word, from another tab, does; and so does another border.
    assert say(cell, annotator, "Lymphocyte", version=seen).status == "stale"
    cell.refresh_from_db()
    one(cell.image, reviewer, change("reshape", cell.pk, cell.version, border=LARGER))
    assert say(cell, annotator, "Lymphocyte", version=cell.version).status == "stale"
    # Who is no reader is overtaken as ever.
    assert say(cell, reviewer, "Lymphocyte", version=seen).status == "stale"


def test_a_reading_of_some_groups_leaves_what_was_said_of_the_others(
    study: Study, reviewer: User, annotator: User, teammate: User, cells: list[Cell]
) -> None:
    cell = cells[0]
    CellLabel.objects.create(cell=cells[1], label_id=label_id(study, "Monocyte"))
    say(cell, teammate, "Promyelocyte")
    asked(study, reviewer, [annotator], groups=["Characteristics"])
    say(cell, annotator, "Auer rod")
    say(cells[1], annotator, "Auer rod")

    def counts(of: Cell, viewer: User | None = None) -> set[int]:
        return set(choices_of([of.pk], viewer.pk if viewer else None)[of.pk].labels)

    assert counts(cell) == {label_id(study, "Promyelocyte"), label_id(study, "Auer rod")}
    # An imported label holds, too.
    assert counts(cells[1]) == {label_id(study, "Monocyte"), label_id(study, "Auer rod")}
    # While it is blind, the reader sees their own word alone.
    assert counts(cell, annotator) == {label_id(study, "Auer rod")}
    # Whoever names the type, though not asked to, has said so.
    say(cell, annotator, "Myeloblast", "Auer rod")
    assert counts(cell) == {label_id(study, "Myeloblast"), label_id(study, "Auer rod")}


def test_what_a_reviewer_decides_counts_until_it_is_taken_back(
    study: Study, reviewer: User, annotator: User, teammate: User, cells: list[Cell]
) -> None:
    cell = cells[0]
    say(cell, annotator, "Promyelocyte", "Auer rod")
    say(cell, teammate, "Myeloblast", "Auer rod")
    mono, promyelocyte, rod = (label_id(study, name) for name in ("Monocyte", "Promyelocyte", "Auer rod"))

    def counts(viewer: User | None = None) -> set[int]:
        return set(choices_of([cell.pk], viewer.pk if viewer else None)[cell.pk].labels)

    assert decide(cell, reviewer, "Cell type", ["Monocyte"], "Folded nucleus.").status == "applied"
    assert counts() == counts(reviewer) == {mono, rod}
    # Who has spoken sees their own word, which they may still change; what counts stays.
    assert counts(annotator) == {promyelocyte, rod}
    say(cell, annotator, "Lymphocyte")
    assert counts() == {mono}
    assert decide(cell, reviewer, "Characteristics", []).status == "applied"
    assert counts() == {mono}
    assert decide(cell, reviewer, "Cell type", None).status == "applied"
    assert counts() == {label_id(study, "Lymphocyte")}
    assert decide(cell, reviewer, "Cell type", None).status == "refused"


def test_decisions_that_cannot_be_are_refused(
    study: Study, other_study: Study, reviewer: User, cells: list[Cell]
) -> None:
    cell = cells[0]
    assert decide(cell, reviewer, "Cell type", ["Auer rod"]).status == "refused"
    assert decide(cell, reviewer, "Cell type", ["Monocyte", "Myeloblast"]).status == "refused"
    assert decide(cell, reviewer, "Characteristics", ["Auer rod", "Faggot cell"]).status == "applied"
    assert decide(cell, reviewer, "Cell type", ["Monocyte"], version=1).status == "stale"
    foreign = LabelGroup.objects.filter(study=other_study).first()
    assert foreign
    for group in (foreign.pk, None):
        cell.refresh_from_db()
        found = one(cell.image, reviewer, change("adjudicate", cell.pk, cell.version, group=group, labels=[]))
        assert found.status == "refused"


@pytest.mark.django_db(transaction=True)
def test_readers_who_label_at_once_lose_nothing(
    study: Study, reviewer: User, annotator: User, teammate: User, image: SmearImage
) -> None:
    cells = cells_on(image, 6)
    asked(study, reviewer, [annotator, teammate])
    versions = {each.pk: each.version for each in cells}
    names = {annotator: "Myeloblast", teammate: "Monocyte"}

    def read(user: User) -> list[str]:
        try:
            return [
                one(image, user, change("label", key, version, labels=[label_id(study, names[user])])).status
                for key, version in versions.items()
            ]
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(read, names))
    assert said == [["applied"] * 6] * 2
    for user, name in names.items():
        assert CellLabel.objects.filter(annotator=user, label__name=name).count() == 6
        assert Reader.objects.get(user=user).cells.filter(labels=[label_id(study, name)]).count() == 6
    assert set(Cell.objects.values_list("version", flat=True)) == {3}


@pytest.mark.django_db(transaction=True)
def test_of_two_reviewers_who_decide_at_once_one_is_asked_to_look_again(
    study: Study, reviewer: User, admin: User, annotator: User, image: SmearImage
) -> None:
    cell = cells_on(image, 1)[0]
    say(cell, annotator, "Myeloblast")
    group = LabelGroup.objects.get(study=study, name="Cell type")
    cell.refresh_from_db()
    names = {reviewer: "Monocyte", admin: "Lymphocyte"}

    def settle(user: User) -> str:
        try:
            labels = [label_id(study, names[user])]
            return str(
                one(image, user, change("adjudicate", cell.pk, cell.version, group=group.pk, labels=labels)).status
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        done = dict(zip(names, pool.map(settle, names), strict=True))
    assert sorted(done.values()) == ["applied", "stale"]
    decision = Adjudication.objects.get()
    assert done[decision.decided_by] == "applied"
    assert decision.labels == [label_id(study, names[decision.decided_by])]
