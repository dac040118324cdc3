"""By what the study chooses the next image for a person: set by its admins, beside the button that gives it out."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from annotation.access import study_for
from annotation.image_order import OrderRefused, choose_order
from annotation.models import Role
from annotation.worklist_query import WorklistQuery


@require_POST
def next_order(request: HttpRequest, study_id: int) -> HttpResponse:
    """POST order: one of ImageOrder. Back to the worklist as it was."""
    study = study_for(request.user, study_id, Role.ADMIN)
    try:
        chosen = choose_order(study, request.POST.get("order", ""))
        messages.success(request, f"“Next image for me” now follows the order “{chosen.label}”.")
    except OrderRefused as refused:
        messages.error(request, str(refused))
    query = WorklistQuery.parse(request.GET, request.user.pk)
    return redirect(reverse("study", args=[study.pk]) + query.address(page=query.page).removesuffix("?"))
