"""The page of a bundle that diagnoses, judged on the patients of other studies."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotation.access import study_for
from annotation.models import Role
from annotation.views.study_page import study_context
from inference.diagnosis import DiagnosisProblem
from inference.models import ValidationJob
from inference.validation_jobs import AlreadyValidating, ask
from inference.validation_page import validation_context
from training.access import bundle_for
from training.models import JobState, Kind


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def validation(request: HttpRequest, study_id: int, bundle_id: str) -> HttpResponse:
    """POST `study`: have the bundle judged there, for reviewers of that study. GET: the page, with ?of= and ?decision=
    whose curves are shown; with ?watching=1 how far it is, for htmx."""
    bundle = bundle_for(request.user, study_id, bundle_id)
    if not Kind(bundle.kind).diagnoses:
        raise Http404("This bundle diagnoses nobody.")
    if request.method == "POST":
        key = request.POST.get("study", "")
        study = study_for(request.user, int(key) if key.isdecimal() else 0, Role.REVIEWER)
        try:
            ask(bundle, study, request.user)
        except (AlreadyValidating, DiagnosisProblem) as problem:
            messages.error(request, str(problem))
        return redirect("validation", study_id, bundle_id)
    ValidationJob.bury_dead()
    context = validation_context(
        bundle, request.user, *(request.GET.get(name, "") for name in ("of", "decision", "cohort"))
    )
    if request.GET.get("watching"):
        response = render(request, "inference/_validating.html", context | {"study": bundle.study})
        if not context["is_working"]:
            # What came of it stands beside it.
            response["HX-Refresh"] = "true"
        return response
    return render(request, "inference/validation.html", study_context(request, bundle.study, "rounds") | context)


@require_POST
def cancel(request: HttpRequest, study_id: int, bundle_id: str, other_id: int) -> HttpResponse:
    """Ask for the end of judging on a study; what came of an earlier one stays."""
    bundle = bundle_for(request.user, study_id, bundle_id)
    other = study_for(request.user, other_id, Role.REVIEWER)
    for job in ValidationJob.objects.filter(bundle=bundle, study=other, state__in=(JobState.QUEUED, JobState.RUNNING)):
        job.cancel(request.user.get_username())
    return redirect("validation", study_id, bundle_id)
