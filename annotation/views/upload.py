from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from annotation.access import study_for
from annotation.views.study_page import study_context


@require_safe
@ensure_csrf_cookie
def upload(request: HttpRequest, study_id: int) -> HttpResponse:
    """The page from which the browser sends files, one request a file, to the API."""
    study = study_for(request.user, study_id)
    context = study_context(request, study, "upload") | {
        "upload_url": f"/api/v1/studies/{study.pk}/images/",
        "budget": settings.UPLOAD_BUDGET,
        "budget_megabytes": settings.UPLOAD_BUDGET // 2**20,
        "pixel_budget_millions": settings.PIXEL_BUDGET // 1_000_000,
        "patients": study.patients.values_list("code", flat=True)[:500],
    }
    return render(request, "annotation/upload.html", context)
