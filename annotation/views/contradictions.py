"""The page of pictures that came with different classes, for admins: it names files, which may say the class."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotation import contradictions as found
from annotation.access import study_for
from annotation.models import Role
from annotation.views.study_page import study_context


@never_cache
@require_safe
def contradictions(request: HttpRequest, study_id: int) -> HttpResponse:
    study = study_for(request.user, study_id, Role.ADMIN)
    context = study_context(request, study, "scheme") | {"contradictions": found.contradictions(study)}
    return render(request, "annotation/contradictions.html", context)
