"""Who belongs to a study: adding people, changing their roles, removing them, making accounts."""

import secrets

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from annotation.models import Membership, Role, SmearImage, Study


class MemberError(Exception):
    """A change of members that cannot be made; its text is one sentence for the person who asked."""


def parse_role(text: str) -> Role:
    """A role by its value. Raises MemberError naming the roles."""
    if text not in Role.values:
        raise MemberError(f"{text!r} is not a role; the roles are {', '.join(Role.values)}.")
    return Role(text)


def add_member(study: Study, username: str, role: Role) -> Membership:
    """Make the account of that name a member. Raises MemberError where there is none, or it is one already."""
    user = User.objects.filter(username=username).first()
    if user is None:
        raise MemberError(f"There is no account named {username!r}.")
    membership, made = Membership.objects.get_or_create(study=study, user=user, defaults={"role": role})
    if not made:
        raise MemberError(f"{username} is already {_with_article(Role(membership.role))} of this study.")
    return membership


def change_role(study: Study, username: str, role: Role) -> Membership:
    """Give a member another role. Raises MemberError for a stranger, or where the last admin would be lost."""
    with transaction.atomic():
        membership = _locked(study, username)
        if role != Role.ADMIN:
            _keep_an_admin(study, membership)
        membership.role = role
        membership.save(update_fields=["role"])
    return membership


def remove_member(study: Study, username: str) -> None:
    """End a membership; what the person annotated stays, their unfinished images are anybody's. Raises MemberError as
    change_role does."""
    with transaction.atomic():
        membership = _locked(study, username)
        _keep_an_admin(study, membership)
        unfinished = study.images.exclude(state__in=SmearImage.FINISHED)
        unfinished.filter(assignee=membership.user_id).update(assignee=None)
        membership.delete()


def create_account(username: str) -> tuple[User, str]:
    """A new account and its random password, which is stored nowhere in clear. Raises MemberError on a bad name."""
    password = secrets.token_urlsafe(12)
    user = User(username=username.strip())
    user.set_password(password)
    try:
        user.full_clean()
    except ValidationError as error:
        raise MemberError(" ".join(error.messages)) from error
    user.save()
    return user, password


def _locked(study: Study, username: str) -> Membership:
    # The study's row is locked: two admins who remove each other at once must not both succeed.
    Study.objects.select_for_update().get(pk=study.pk)
    membership = Membership.objects.filter(study=study, user__username=username).select_related("user").first()
    if membership is None:
        raise MemberError(f"{username!r} is not a member of this study.")
    return membership


def _keep_an_admin(study: Study, leaving: Membership) -> None:
    admins = Membership.objects.filter(study=study, role=Role.ADMIN)
    if leaving.role == Role.ADMIN and not admins.exclude(pk=leaving.pk).exists():
        raise MemberError(f"{leaving.user} is the last admin of this study: make somebody else an admin first.")


def _with_article(role: Role) -> str:
    return f"an {role.label.lower()}" if role.label[0] in "AEIOU" else f"a {role.label.lower()}"
