"""Who has an image open besides oneself, and what has changed on it since one last asked."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone

from annotation.comments import comments_json
from annotation.label_choice import Choice, choices_of
from annotation.models import Cell, Presence, SmearImage

# Editors ask about once a second: whoever has not for so long is gone, or has no connection.
SEEN_FOR = timedelta(seconds=6)
# Nothing is written again before this: most polls only read.
WRITTEN_EVERY = timedelta(seconds=2)


@dataclass
class News:
    """What changed on an image after a revision.

    cells: with deleted ones, and without proposals that nobody sees; choices: of these cells, as the reader sees
    them. comments: as the API gives them. reload: proposals were replaced, which makes the image one to read anew:
    then cells are left out.
    """

    reload: bool = False
    cells: list[Cell] = field(default_factory=list)
    choices: dict[UUID, Choice] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)


def others_present(image: SmearImage, user: Any, *, leaving: bool = False) -> list[User]:
    """Note that the user has the image open, or leaves it; everybody else who has it open, by name.

    One query, and one more in two seconds. The image's row is not touched: this never waits for somebody who saves.
    """
    now = timezone.now()
    seen = list(
        Presence.objects.filter(image=image, seen_at__gte=now - SEEN_FOR)
        .select_related("user")
        .order_by("user__username")
    )
    if leaving:
        Presence.objects.filter(image=image, user=user).delete()
    elif not any(one.user_id == user.pk and one.seen_at >= now - WRITTEN_EVERY for one in seen):
        Presence.objects.bulk_create(
            [Presence(image=image, user=user, seen_at=now)],
            update_conflicts=True,
            unique_fields=["image", "user"],
            update_fields=["seen_at"],
        )
    return [one.user for one in seen if one.user_id != user.pk]


def news(image: SmearImage, user: Any, since: int) -> News:
    """What changed after the revision `since`: no query where nothing did, else seven, and a few more where there are
    rules of which label counts.

    Read the image first: what is committed in between is told twice, by this and by the next, and never missed.
    """
    if image.revision <= since:
        return News()
    found = News(reload=image.replaced_in > since, comments=comments_json(image, after=since))
    if not found.reload:
        seen_by_people = ~Q(status=Cell.Status.PROPOSED) | Q(Cell.SHOWN_PROPOSAL)
        changed = Cell.objects.filter(seen_by_people, image=image, revision__gt=since).defer("proposed_border")
        found.cells = list(changed.order_by("revision", "pk"))
        found.choices = choices_of({cell.pk for cell in found.cells}, user.pk)
    return found
