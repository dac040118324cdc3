from typing import Any

from django.http import HttpRequest

from annotation.models import Role, Study
from annotation.readings import waiting_for


def study_context(request: HttpRequest, study: Study, tab: str) -> dict[str, Any]:
    """What templates/annotation/study_base.html and the pages below it need."""
    role = study.role_of(request.user)
    waiting = waiting_for(request.user, study)
    return {"study": study, "tab": tab, "role": role, "is_admin": role == Role.ADMIN, "readings_waiting": waiting}
