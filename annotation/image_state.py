"""The states of an image in the worklist, and who may move it from one to the next."""

from typing import Any
from uuid import uuid4

from django.core.exceptions import PermissionDenied
from django.db import transaction

from annotation.comments import add_comment, clean_text
from annotation.models import Comment, Operation, Role, SmearImage
from annotation.operations import settle_proposals, shown_proposals
from annotation.revision import next_revision

State = SmearImage.State


class StateRefused(Exception):
    """A step that the image cannot take from where it is; the message says why in one sentence."""


class ProposalsRemain(StateRefused):
    """The image cannot be annotated while proposals are open: they are to be accepted or rejected."""

    def __init__(self, count: int) -> None:
        self.count = count
        noun = "proposal is" if count == 1 else "proposals are"
        super().__init__(f"{count} {noun} neither accepted nor rejected.")


# From, to: the role that the step needs.
STEPS: dict[tuple[str, str], Role] = {
    (State.NEW, State.ANNOTATED): Role.ANNOTATOR,
    (State.PROPOSED, State.ANNOTATED): Role.ANNOTATOR,
    (State.IN_PROGRESS, State.ANNOTATED): Role.ANNOTATOR,
    (State.ANNOTATED, State.IN_PROGRESS): Role.ANNOTATOR,
    (State.ANNOTATED, State.REVIEWED): Role.REVIEWER,
    (State.REVIEWED, State.ANNOTATED): Role.REVIEWER,
    (State.REVIEWED, State.IN_PROGRESS): Role.REVIEWER,
}
REMAINING = {"accept": Operation.Kind.ACCEPT, "reject": Operation.Kind.DELETE}


@transaction.atomic
def set_state(image_id: int, user: Any, target: str, remaining: str | None = None, *, comment: str = "") -> SmearImage:
    """Move an image to another state and return it. A step to the state that it has changes nothing.

    remaining: what becomes of the proposals still open when the image is marked as annotated, "accept" or "reject".
    comment: why, kept with the step as a comment on the whole image; blank for none.
    Raises CommentRefused where the comment cannot be kept, ProposalsRemain where some are open and `remaining` says
    nothing, StateRefused where there is no such step, PermissionDenied where the user's role is too low for it.
    """
    image = SmearImage.objects.select_for_update(of=("self",)).select_related("study").get(pk=image_id)
    if image.state == target and not (target == State.ANNOTATED and remaining):
        _say(image, user, comment)
        return image
    needed = STEPS.get((image.state, target), Role.ANNOTATOR if image.state == target else None)
    if needed is None:
        raise StateRefused(f"An image that is {_named(image.state)} cannot become {_named(target)}.")
    held = image.study.role_of(user)
    if held is None or not held.includes(needed):
        raise PermissionDenied(f"This needs the role {needed.label.lower()} in the study {image.study.name}.")
    if target == State.ANNOTATED and image.state != State.REVIEWED:
        if remaining is None:
            open_proposals = len(shown_proposals(image))
            if open_proposals:
                raise ProposalsRemain(open_proposals)
        else:
            settle_proposals(image, user, REMAINING[remaining])
    if image.state != target:
        image.state = target
        next_revision(image, "state")
    _say(image, user, comment)
    return image


def _say(image: SmearImage, user: Any, comment: str) -> None:
    """Keep a comment on the whole image, once: a step that is sent again because its answer was lost says the same."""
    if not comment.strip():
        return
    last = Comment.objects.filter(image=image, cell=None, x=None, answers=None).order_by("-revision").first()
    if last is None or last.author_id != user.pk or last.text != clean_text(comment):
        add_comment(image, user, uuid4(), comment)


def _named(state: str) -> str:
    return State(state).label.lower() if state in State.values else repr(state)
