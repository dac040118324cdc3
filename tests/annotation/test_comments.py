"""What people say about an image: kept once, in threads, open or resolved."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import strategies as st

from annotation.comments import MAX_LENGTH, CommentRefused, add_comment, clean_text, comments_json, resolve
from annotation.models import Cell, Comment, SmearImage, Study

BORDER = {"kind": "rectangle", "x": 4, "y": 4, "width": 20, "height": 20}


@pytest.fixture
def image(study: Study) -> SmearImage:
    return SmearImage.objects.create(study=study, sha256="0" * 64, width=64, height=48, fold=0)


@pytest.fixture
def cell(image: SmearImage) -> Cell:
    return Cell.objects.create(image=image, border=BORDER, x0=4, y0=4, x1=24, y1=24)


def _revision(image: SmearImage) -> int:
    return SmearImage.objects.values_list("revision", flat=True).get(pk=image.pk)


def test_a_comment_is_about_the_image_a_cell_or_a_place(image: SmearImage, cell: Cell, annotator: User) -> None:
    whole = add_comment(image, annotator, uuid4(), "Out of focus")
    on_cell = add_comment(image, annotator, uuid4(), "Blast?", cell=cell.pk)
    place = add_comment(image, annotator, uuid4(), "One is missing", x=64, y=0.5)
    assert [comment.revision for comment in (whole, on_cell, place)] == [1, 2, 3]
    assert _revision(image) == image.revision == 3
    assert comments_json(image)[1:] == [
        {
            "id": str(comment.pk),
            "cell": str(comment.cell_id) if comment.cell_id else None,
            "x": comment.x,
            "y": comment.y,
            "answers": None,
            "author": {"id": annotator.pk, "name": "anna"},
            "text": comment.text,
            "created_at": comment.created_at.isoformat(),
            "resolved_at": None,
            "resolved_by": None,
        }
        for comment in (on_cell, place)
    ]
    assert [each["text"] for each in comments_json(image, after=2)] == ["One is missing"]
    assert comments_json(image, after=3) == []


def test_the_same_comment_sent_again_is_kept_once(image: SmearImage, cell: Cell, annotator: User) -> None:
    key = uuid4()
    first = add_comment(image, annotator, key, " Blast?\r\n", cell=cell.pk)
    again = add_comment(image, annotator, key, " Blast?\r\n", cell=cell.pk)
    assert (again.pk, again.created_at, again.text) == (first.pk, first.created_at, "Blast?")
    assert Comment.objects.count() == 1 and _revision(image) == 1


def test_an_id_is_not_taken_for_another_comment(
    image: SmearImage, cell: Cell, annotator: User, teammate: User, study: Study
) -> None:
    key = uuid4()
    add_comment(image, annotator, key, "Blast?", cell=cell.pk)
    other = SmearImage.objects.create(study=study, sha256="1" * 64, width=64, height=48, fold=0)
    for where, who, text, pin in [
        (image, annotator, "Blast!", cell.pk),
        (image, teammate, "Blast?", cell.pk),
        (image, annotator, "Blast?", None),
        (other, annotator, "Blast?", None),
    ]:
        with pytest.raises(CommentRefused, match="used for another comment"):
            add_comment(where, who, key, text, cell=pin)
    assert Comment.objects.get().text == "Blast?" and _revision(image) == 1 and _revision(other) == 0


def test_what_cannot_be_kept_is_refused_with_the_reason(
    image: SmearImage, cell: Cell, annotator: User, study: Study
) -> None:
    other = SmearImage.objects.create(study=study, sha256="1" * 64, width=64, height=48, fold=0)
    elsewhere = add_comment(other, annotator, uuid4(), "There")
    bad: list[tuple[str, dict[str, Any], str]] = [
        ("", {}, "needs a text"),
        (" \n\0\x07\ud800 ", {}, "needs a text"),
        ("a" * (MAX_LENGTH + 1), {}, "at most 2,000 characters; this one has 2,001"),
        ("a", {"cell": uuid4()}, "no such cell in this image"),
        ("a", {"x": 1.0}, "both x and y"),
        ("a", {"x": 1.0, "y": 48.01}, "outside the image of 64 × 48 pixels"),
        ("a", {"x": -0.1, "y": 4.0}, "outside the image"),
        ("a", {"x": float("nan"), "y": 4.0}, "outside the image"),
        ("a", {"x": 1.0, "y": 1.0, "cell": cell.pk}, "not to both"),
        ("a", {"answers": uuid4()}, "no such comment"),
        ("a", {"answers": elsewhere.pk}, "no such comment"),
    ]
    for text, fields, reason in bad:
        with pytest.raises(CommentRefused, match=reason):
            add_comment(image, annotator, uuid4(), text, **fields)
    assert not image.comments.exists() and _revision(image) == 0
    with pytest.raises(CommentRefused, match="no such cell"):
        add_comment(other, annotator, uuid4(), "a", cell=cell.pk)


def test_answers_hang_under_the_first_and_open_its_thread_again(
    image: SmearImage, cell: Cell, annotator: User, reviewer: User
) -> None:
    first = add_comment(image, reviewer, uuid4(), "Blast?", cell=cell.pk)
    answer = add_comment(image, annotator, uuid4(), "Yes.", answers=first.pk, x=1, y=1)
    assert (answer.answers_id, answer.cell_id, answer.x) == (first.pk, None, None)
    resolved = resolve(answer, annotator, True)
    assert (resolved.pk, resolved.resolved_by) == (first.pk, annotator)
    assert resolved.resolved_at is not None and resolved.revision == _revision(image) == 3
    assert [each["resolved_by"] for each in comments_json(image, after=2)] == [{"id": annotator.pk, "name": "anna"}]

    assert resolve(first, reviewer, True).resolved_by == annotator
    assert _revision(image) == 3

    late = add_comment(image, reviewer, uuid4(), "Are you sure?", answers=answer.pk)
    assert late.answers_id == first.pk
    changed = comments_json(image, after=3)
    assert [(each["id"], each["resolved_at"]) for each in changed] == [(str(first.pk), None), (str(late.pk), None)]
    assert resolve(late, reviewer, False).resolved_at is None
    assert _revision(image) == 4


def test_everything_is_read_with_one_query(image: SmearImage, annotator: User, django_assert_num_queries: Any) -> None:
    for number in range(5):
        resolve(add_comment(image, annotator, uuid4(), f"{number}"), annotator, bool(number % 2))
    with django_assert_num_queries(1):
        assert len(comments_json(image)) == 5


@given(st.text(max_size=2200))
def test_a_text_is_kept_as_it_can_be_stored_or_refused(text: str) -> None:
    try:
        kept = clean_text(text)
    except CommentRefused:
        return
    assert 0 < len(kept) <= MAX_LENGTH and clean_text(kept) == kept
    assert "\0" not in kept and "\r" not in kept
    kept.encode()


def test_the_id_of_a_comment_is_that_of_the_client(image: SmearImage, annotator: User) -> None:
    key = UUID("0e6f7e1c-6a30-4f3b-9a4e-1f6e2b8f3c55")
    assert add_comment(image, annotator, key, "a\tb\n\nc").pk == key
    assert Comment.objects.get(pk=key).text == "a\tb\n\nc"
