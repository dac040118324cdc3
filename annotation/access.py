"""Who may see and do what. A study is invisible to others: an outsider gets 404, a member of too low a role 403."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404

from annotation.models import Role, SmearImage, Study


def study_for(user: Any, study_id: int, role: Role = Role.ANNOTATOR) -> Study:
    """The study, if the user is a member of at least that role. Raises Http404 or PermissionDenied."""
    study = Study.objects.visible_to(user).filter(pk=study_id).first()
    if study is None:
        raise Http404("There is no such study.")
    require(user, study, role)
    return study


def image_for(user: Any, image_id: int, role: Role = Role.ANNOTATOR) -> SmearImage:
    """The image (with study, patient and assignee), if the user is a member of its study of at least that role."""
    visible = SmearImage.objects.visible_to(user).select_related("study", "patient", "assignee")
    image = visible.filter(pk=image_id).first()
    if image is None:
        raise Http404("There is no such image.")
    require(user, image.study, role)
    return image


def require(user: Any, study: Study, role: Role) -> None:
    held = study.role_of(user)
    if held is None:
        raise Http404("There is no such study.")
    if not held.includes(role):
        raise PermissionDenied(f"This needs the role {role.label.lower()} in the study {study.name}.")
