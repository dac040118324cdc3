"""Who annotates which image: handing images to people, taking them, giving them back, and the next one to do."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, QuerySet, When
from django.utils import timezone

from annotation.image_order import order_key
from annotation.models import Presence, Role, SmearImage, Study

# An unassigned image that somebody else had open so lately is not handed out as the next one.
BUSY_FOR = timedelta(seconds=60)


class AssignmentRefused(Exception):
    """Images that cannot be assigned so; the message says why in one sentence."""


class NoSuchMember(AssignmentRefused):
    """The person named is no member of the study."""


@dataclass(frozen=True)
class Member:
    """Somebody to whom images of a study can be assigned."""

    id: int
    name: str
    role: Role


def members_of(study: Study, viewer: Any) -> list[Member]:
    """The members with an open account, by name; also the viewer, who may be an administrator of the server. One
    query."""
    rows = study.memberships.filter(user__is_active=True).order_by("user__username")
    members = [Member(key, name, Role(role)) for key, name, role in rows.values_list("user", "user__username", "role")]
    if viewer.is_superuser and all(member.id != viewer.pk for member in members):
        members.append(Member(viewer.pk, viewer.get_username(), Role.ADMIN))
    return members


def member(study: Study, user_id: int) -> User:
    """Somebody to whom an image of the study can be assigned. Raises NoSuchMember."""
    found = User.objects.filter(pk=user_id, is_active=True).first()
    if found is None or study.role_of(found) is None:
        raise NoSuchMember("This person is no member of the study.")
    return found


@transaction.atomic
def assign(study: Study, user: Any, image_ids: Collection[int], assignee: User | None) -> int:
    """Assign images of a study to a member, or to nobody; how many of them changed hands. All of them or none.

    Reviewers and admins assign anything to anybody. An annotator takes images that are nobody's and gives back their
    own. Raises AssignmentRefused, NoSuchMember, and PermissionDenied where the user's role is too low.
    """
    role = study.role_of(user)
    if role is None or (assignee not in (None, user) and not role.includes(Role.REVIEWER)):
        raise PermissionDenied("Reviewers and admins assign images to others; you may take them yourself.")
    if assignee is not None and study.role_of(assignee) is None:
        raise NoSuchMember(f"{assignee} is no member of this study.")
    chosen = list(study.images.select_for_update().filter(pk__in=image_ids).order_by("pk"))
    if len(chosen) < len(set(image_ids)):
        raise AssignmentRefused("There is no such image in this study.")
    if not role.includes(Role.REVIEWER):
        foreign = [image for image in chosen if image.assignee_id not in (None, user.pk)]
        if foreign:
            raise AssignmentRefused(_others(foreign, len(chosen)))
    target = assignee.pk if assignee else None
    changed = [image.pk for image in chosen if image.assignee_id != target]
    return SmearImage.objects.filter(pk__in=changed).update(assignee=target)


def _others(foreign: list[SmearImage], chosen: int) -> str:
    if chosen == 1:
        return f"The image is assigned to {foreign[0].assignee}; they can give it back, or a reviewer can reassign it."
    verb = "is" if len(foreign) == 1 else "are"
    return (
        f"{len(foreign)} of the {chosen} images {verb} assigned to somebody else; "
        "they can give them back, or a reviewer can reassign them."
    )


@transaction.atomic
def take_next(study: Study, user: Any, after: int = 0) -> SmearImage | None:
    """The next image for a person: an unfinished one of their own, else the best that is nobody's, now assigned to
    them; None where there is none.

    Among a person's own, those begun or sent back come first; then, in both, proposed images before others, by the
    order in which the study gives them out (Study.next_order), and in the order of arrival where that says nothing.
    No two people are ever given the same image: the row is locked, and a row that somebody else holds is passed over
    as long as there are others. after: the id of the image one comes from, which is not given again.
    """
    # One request a person at a time: a double click must not take two images.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    order = study.next_order
    unfinished = study.images.exclude(state__in=SmearImage.FINISHED).exclude(pk=after)
    begun = Case(When(state=SmearImage.State.IN_PROGRESS, then=0), default=1)
    own = _best(unfinished.filter(assignee=user), order, begun)
    if own is not None:
        return own
    busy = Presence.objects.filter(image=OuterRef("pk"), seen_at__gt=timezone.now() - BUSY_FOR).exclude(user=user)
    free = unfinished.filter(~Exists(busy), assignee__isnull=True)
    # Passed over at first, then waited for: whoever held the last row may only have saved a border of it.
    taken = _best(free.select_for_update(skip_locked=True), order) or _best(free.select_for_update(), order)
    if taken is not None:
        taken.assignee = user
        taken.save(update_fields=["assignee"])
    return taken


def _best(images: "QuerySet[SmearImage]", order: str, *first: Case) -> SmearImage | None:
    annotations, wanted = order_key(order)
    proposed = Case(When(state=SmearImage.State.PROPOSED, then=0), default=1)
    return images.annotate(**annotations).order_by(*first, proposed, *wanted, F("pk").asc()).first()


def why_nothing_is_left(study: Study, user: Any) -> str:
    """One sentence for a person to whom take_next gave nothing."""
    unfinished = study.images.exclude(state__in=SmearImage.FINISHED)
    left = unfinished.count()
    if not study.images.exists():
        return "There is no image in this study yet."
    if not left:
        return "Every image of this study is annotated."
    if left == 1 and unfinished.filter(assignee=user).exists():
        return "No other image is left for you: the one that you have is the last unfinished one."
    images = "The only unfinished image is" if left == 1 else f"The {left} unfinished images are"
    return f"No image is left for you. {images} assigned to, or open at, somebody else."
