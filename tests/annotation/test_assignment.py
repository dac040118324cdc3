"""Handing images to people: who may, and that two people never get the same next image."""

from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.utils import timezone

from annotation.assignment import (
    AssignmentRefused,
    NoSuchMember,
    assign,
    member,
    members_of,
    take_next,
    why_nothing_is_left,
)
from annotation.members import remove_member
from annotation.models import Cell, Presence, ProposalRun, SmearImage, Study

BORDER = {"kind": "rectangle", "x": 4, "y": 4, "width": 20, "height": 20}


def _images(study: Study, number: int, **fields: Any) -> list[SmearImage]:
    start = SmearImage.objects.count()
    return [
        SmearImage.objects.create(study=study, sha256=f"{start + each:064x}", width=64, height=48, fold=0, **fields)
        for each in range(number)
    ]


def _propose(image: SmearImage, *scores: float) -> None:
    run = ProposalRun.objects.create(study=image.study, bundle="0123456789ab", score_threshold=0.6)
    for score in scores:
        Cell.objects.create(
            image=image, border=BORDER, x0=4, y0=4, x1=24, y1=24, origin="proposal", status="proposed",
            run=run, score=score, proposed_border=BORDER,
        )  # fmt: skip
    SmearImage.objects.filter(pk=image.pk).update(state="proposed")


def _assignees(study: Study) -> list[str | None]:
    return list(study.images.order_by("pk").values_list("assignee__username", flat=True))


def test_annotators_take_what_is_nobodys_and_give_back_their_own(study: Study, annotator: User, teammate: User) -> None:
    keys = [image.pk for image in _images(study, 3)]
    assert assign(study, annotator, keys[:2], annotator) == 2
    assert assign(study, annotator, keys[:2], annotator) == 0
    assert _assignees(study) == ["anna", "anna", None]
    assert assign(study, annotator, keys[:1], None) == 1
    with pytest.raises(AssignmentRefused, match="assigned to anna"):
        assign(study, teammate, keys[1:2], teammate)
    with pytest.raises(AssignmentRefused, match="1 of the 3 images is assigned to somebody else"):
        assign(study, teammate, keys, teammate)
    with pytest.raises(AssignmentRefused, match="assigned to anna"):
        assign(study, teammate, keys[1:2], None)
    with pytest.raises(PermissionDenied, match="Reviewers and admins"):
        assign(study, annotator, keys[:1], teammate)
    assert _assignees(study) == [None, "anna", None]


def test_reviewers_assign_anything_to_any_member(
    study: Study, other_study: Study, annotator: User, teammate: User, reviewer: User, outsider: User
) -> None:
    keys = [image.pk for image in _images(study, 3)]
    assert assign(study, reviewer, keys, annotator) == 3
    assert assign(study, reviewer, keys[:2], teammate) == 2
    assert assign(study, reviewer, keys[1:], None) == 2
    assert _assignees(study) == ["theo", None, None]
    with pytest.raises(NoSuchMember):
        assign(study, reviewer, keys, outsider)
    [foreign] = _images(other_study, 1)
    with pytest.raises(AssignmentRefused, match="no such image"):
        assign(study, reviewer, [*keys, foreign.pk], annotator)
    with pytest.raises(PermissionDenied):
        assign(study, outsider, keys, None)
    assert _assignees(study) == ["theo", None, None]


def test_members_are_those_with_an_open_account(
    study: Study, annotator: User, admin: User, teammate: User, outsider: User
) -> None:
    teammate.is_active = False
    teammate.save()
    assert [each.name for each in members_of(study, annotator)] == ["ada", "anna"]
    root = User.objects.create_superuser("root")
    assert [each.name for each in members_of(study, root)] == ["ada", "anna", "root"]
    assert member(study, annotator.pk) == annotator
    for stranger in (outsider.pk, teammate.pk, 2**31 - 1):
        with pytest.raises(NoSuchMember):
            member(study, stranger)


def test_who_leaves_a_study_leaves_their_unfinished_images_free(study: Study, admin: User, annotator: User) -> None:
    _images(study, 1, assignee=annotator, state="in_progress")
    _images(study, 1, assignee=annotator, state="annotated")
    remove_member(study, "anna")
    assert _assignees(study) == [None, "anna"]


def test_next_is_first_ones_own_then_the_most_uncertain_then_by_arrival(
    study: Study, annotator: User, teammate: User
) -> None:
    new, sure, unsure, theirs, own, begun, _ = _images(study, 7)
    _propose(sure, 0.9, 0.9)
    _propose(unsure, 0.7, 0.4)
    _propose(theirs, 0.61, 0.61, 0.61)
    for image, fields in [
        (theirs, {"assignee": teammate}),
        (own, {"assignee": annotator}),
        (begun, {"assignee": annotator, "state": "in_progress"}),
        (_, {"state": "annotated"}),
    ]:
        SmearImage.objects.filter(pk=image.pk).update(**fields)
    given = []
    while (image := take_next(study, annotator)) is not None:
        given.append(image)
        assert SmearImage.objects.get(pk=image.pk).assignee == annotator
        SmearImage.objects.filter(pk=image.pk).update(state="annotated")
    assert given == [begun, own, unsure, sure, new]
    assert "The only unfinished image is assigned to" in why_nothing_is_left(study, annotator)
    assert take_next(study, teammate) == theirs


def test_the_image_one_comes_from_is_not_given_again(study: Study, annotator: User) -> None:
    first, second = _images(study, 2)
    assert take_next(study, annotator) == first
    assert take_next(study, annotator) == first
    assert take_next(study, annotator, after=first.pk) == second
    SmearImage.objects.filter(pk=first.pk).update(state="annotated")
    assert take_next(study, annotator, after=second.pk) is None
    assert "the one that you have is the last" in why_nothing_is_left(study, annotator)


def test_an_image_that_somebody_has_open_is_not_handed_to_another(
    study: Study, annotator: User, teammate: User
) -> None:
    opened, free = _images(study, 2)
    Presence.objects.create(image=opened, user=teammate, seen_at=timezone.now() - timedelta(seconds=20))
    assert take_next(study, annotator) == free
    assert take_next(study, teammate) == opened


def test_it_says_why_nothing_is_left(study: Study, annotator: User, teammate: User) -> None:
    assert "no image in this study yet" in why_nothing_is_left(study, annotator)
    images = _images(study, 2, assignee=teammate)
    assert "The 2 unfinished images are assigned to" in why_nothing_is_left(study, annotator)
    for image in images:
        SmearImage.objects.filter(pk=image.pk).update(state="reviewed")
    assert why_nothing_is_left(study, annotator) == "Every image of this study is annotated."


def _at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What calls return that begin at the same moment, each on a connection of its own."""
    barrier, answers = Barrier(len(calls)), [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        try:
            barrier.wait()
            answers[place] = call()
        finally:
            connection.close()

    threads = [Thread(target=run, args=(place, call)) for place, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.django_db(transaction=True)
def test_people_who_ask_at_once_never_get_the_same_image(study: Study) -> None:
    people = [User.objects.create_user(f"person-{number}") for number in range(6)]
    for person in people:
        study.memberships.create(user=person)
    images = _images(study, 5)
    for image in images[:3]:
        _propose(image, 0.7)
    given = _at_once(*(lambda person=person: take_next(study, person) for person in people))  # type: ignore[misc]
    taken = [image.pk for image in given if image is not None]
    assert len(taken) == len(set(taken)) == len(images)
    for person, image in zip(people, given, strict=True):
        assert image is None or SmearImage.objects.get(pk=image.pk).assignee == person


@pytest.mark.django_db(transaction=True)
def test_a_double_click_takes_one_image(study: Study, annotator: User) -> None:
    _images(study, 3)
    first, second = _at_once(*[lambda: take_next(study, annotator)] * 2)
    assert first == second
    assert _assignees(study).count("anna") == 1


@pytest.mark.django_db(transaction=True)
def test_an_image_whose_row_is_held_is_passed_over(study: Study, annotator: User) -> None:
    held, free = _images(study, 2)
    with transaction.atomic():
        SmearImage.objects.select_for_update().get(pk=held.pk)
        [given] = _at_once(lambda: take_next(study, annotator))
    assert given == free
