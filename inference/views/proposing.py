"""The button that asks for proposals, and the line in the worklist that says how far they are."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotation.access import study_for
from annotation.models import Role
from inference.models import ProposalJob
from inference.proposal_jobs import AlreadyProposing, ask
from inference.proposals import ProposalProblem


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def propose(request: HttpRequest, study_id: int) -> HttpResponse:
    """POST: ask for proposals, for admins. GET: the line that says how the last pass went, for htmx."""
    if request.method == "POST":
        study = study_for(request.user, study_id, Role.ADMIN)
        try:
            ask(study, request.user)
        except (AlreadyProposing, ProposalProblem) as problem:
            messages.error(request, str(problem))
        return redirect("study", study.pk)
    study = study_for(request.user, study_id)
    ProposalJob.bury_dead()
    job = ProposalJob.objects.filter(study=study).select_related("run", "bundle").first()
    is_admin = study.role_of(request.user) == Role.ADMIN
    response = render(request, "inference/_proposing.html", {"study": study, "job": job, "is_admin": is_admin})
    if request.GET.get("watching") and job is not None and job.is_ended:
        # The list that is on the screen has no proposals yet.
        response["HX-Refresh"] = "true"
    return response


@require_POST
def cancel(request: HttpRequest, study_id: int) -> HttpResponse:
    """Ask for the end of the pass that is under way; what it has proposed so far stays."""
    study = study_for(request.user, study_id, Role.ADMIN)
    for job in ProposalJob.objects.filter(study=study, state__in=("queued", "running")):
        job.cancel(request.user.get_username())
    return redirect("study", study.pk)
