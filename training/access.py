"""Who may see and do what with rounds: as annotation/access.py, one noun further."""

from typing import Any

from django.http import Http404

from annotation.access import require, study_for
from annotation.models import Role, Study
from training.models import Bundle, Round


def sees_others(role: Role | None) -> bool:
    """Annotators see their own effort and that of all together; reviewers and admins see each one's."""
    return role is not None and role.includes(Role.REVIEWER)


def round_for(user: Any, round_id: int, role: Role = Role.ANNOTATOR) -> Round:
    """The round (with study, bundles and who asked), if the user is a member of its study of at least that role.

    Raises Http404 to an outsider, PermissionDenied to a member of too low a role.
    """
    found = (
        Round.objects.filter(study__in=Study.objects.visible_to(user))
        .select_related("study", "requested_by", "parent", "bundle")
        .filter(pk=round_id)
        .first()
    )
    if found is None:
        raise Http404("There is no such round.")
    require(user, found.study, role)
    return found


def bundle_for(user: Any, study_id: int, bundle_id: str, role: Role = Role.ANNOTATOR) -> Bundle:
    """A bundle of the study, if the user is a member of it of at least that role; raises as round_for."""
    study = study_for(user, study_id, role)
    found = Bundle.objects.filter(study=study, pk=bundle_id).first()
    if found is None:
        raise Http404("There is no such bundle.")
    return found
