"""What people say about an image, a cell or a place in it: threads of one comment and its answers, open or resolved."""

import math
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from annotation.models import Cell, Comment, SmearImage
from annotation.revision import next_revision

MAX_LENGTH = 2000


class CommentRefused(Exception):
    """A comment that cannot be kept; the message says why in one sentence."""


def add_comment(
    image: SmearImage,
    user: Any,
    id: UUID,
    text: str,
    cell: UUID | None = None,
    x: float | None = None,
    y: float | None = None,
    answers: UUID | None = None,
) -> Comment:
    """Keep a comment on an image and return it; the same one sent again changes nothing.

    cell pins it to a cell of the image, x and y to a place (image pixels, both or neither); with neither it is about
    the whole image. An answer hangs under the first comment of its thread, is pinned where that is, and opens a
    resolved thread again. Raises CommentRefused.
    """
    try:
        return _add(image, user, id, text, cell, x, y, answers)
    except IntegrityError:
        # The same id came in the same moment by another connection: the second look sees it.
        return _add(image, user, id, text, cell, x, y, answers)


@transaction.atomic
def _add(
    image: SmearImage,
    user: Any,
    id: UUID,
    text: str,
    cell: UUID | None,
    x: float | None,
    y: float | None,
    answers: UUID | None,
) -> Comment:
    text = clean_text(text)
    locked = SmearImage.objects.select_for_update().get(pk=image.pk)
    thread = _thread(locked, answers) if answers is not None else None
    if thread is not None:
        cell = x = y = None
    else:
        _check_place(locked, cell, x, y)
    comment = Comment(
        id=id, image=locked, author=user, text=text, cell_id=cell, x=x, y=y, answers_id=thread.pk if thread else None
    )
    earlier = Comment.objects.select_related("author", "resolved_by").filter(pk=id).first()
    if earlier is not None:
        if _content(earlier) != _content(comment):
            raise CommentRefused("This comment's id was used for another comment.")
        return earlier
    if cell is not None and not Cell.objects.filter(pk=cell, image=locked).exists():
        raise CommentRefused("There is no such cell in this image.")
    comment.revision = next_revision(locked)
    comment.save(force_insert=True)
    if thread is not None and thread.resolved_at is not None:
        thread.resolved_at = thread.resolved_by = None
        thread.revision = comment.revision
        thread.save(update_fields=["resolved_at", "resolved_by", "revision"])
    image.revision = locked.revision
    return comment


@transaction.atomic
def resolve(comment: Comment, user: Any, resolved: bool) -> Comment:
    """Close the thread of a comment, or open it again; its first comment as it is now. A step to what it is already
    changes nothing."""
    locked = SmearImage.objects.select_for_update().get(pk=comment.image_id)
    first = Comment.objects.select_related("author", "resolved_by").get(pk=comment.answers_id or comment.pk)
    if (first.resolved_at is not None) == resolved:
        return first
    first.resolved_at = timezone.now() if resolved else None
    first.resolved_by = user if resolved else None
    first.revision = next_revision(locked)
    first.save(update_fields=["resolved_at", "resolved_by", "revision"])
    return first


def comments_json(image: SmearImage, after: int = 0) -> list[dict[str, Any]]:
    """The comments of an image that changed after a revision, oldest first, as the API gives them. One query."""
    changed = Comment.objects.filter(image=image).select_related("author", "resolved_by")
    # Every comment has a revision of at least 1.
    return [comment_json(comment) for comment in changed.filter(revision__gt=after)]


def comment_json(comment: Comment) -> dict[str, Any]:
    """COMMENT: place in image pixels, times in ISO 8601. Free where author and resolved_by are fetched."""
    return {
        "id": str(comment.pk),
        "cell": str(comment.cell_id) if comment.cell_id else None,
        "x": comment.x,
        "y": comment.y,
        "answers": str(comment.answers_id) if comment.answers_id else None,
        "author": {"id": comment.author.pk, "name": comment.author.get_username()},
        "text": comment.text,
        "created_at": comment.created_at.isoformat(),
        "resolved_at": comment.resolved_at.isoformat() if comment.resolved_at else None,
        "resolved_by": (
            {"id": comment.resolved_by.pk, "name": comment.resolved_by.get_username()} if comment.resolved_by else None
        ),
    }


def clean_text(text: str) -> str:
    """A comment's text as it is kept. Raises CommentRefused where nothing is left of it, or too much."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    # PostgreSQL stores no NUL and UTF-8 no half of a surrogate pair; other control characters show as nothing.
    kept = "".join(c for c in text if c in "\n\t" or (ord(c) >= 32 and not 0xD800 <= ord(c) <= 0xDFFF)).strip()
    if not kept:
        raise CommentRefused("A comment needs a text.")
    if len(kept) > MAX_LENGTH:
        raise CommentRefused(f"A comment has at most {MAX_LENGTH:,} characters; this one has {len(kept):,}.")
    return kept


def _thread(image: SmearImage, answers: UUID) -> Comment:
    found = Comment.objects.select_related("answers").filter(pk=answers, image=image).first()
    if found is None:
        raise CommentRefused("There is no such comment to answer on this image.")
    return found.answers or found


def _check_place(image: SmearImage, cell: UUID | None, x: float | None, y: float | None) -> None:
    if x is None and y is None:
        return
    if x is None or y is None:
        raise CommentRefused("A place has both x and y.")
    if cell is not None:
        raise CommentRefused("A comment is pinned to a cell or to a place, not to both.")
    if not (math.isfinite(x) and math.isfinite(y) and 0 <= x <= image.width and 0 <= y <= image.height):
        raise CommentRefused(f"The place lies outside the image of {image.width} × {image.height} pixels.")


def _content(comment: Comment) -> tuple[Any, ...]:
    return (
        comment.image_id,
        comment.author_id,
        comment.text,
        comment.cell_id,
        comment.x,
        comment.y,
        comment.answers_id,
    )
