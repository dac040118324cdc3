"""The page of a study's bundles: which makes the proposals, which did before, and the way back."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation.access import study_for
from annotation.models import Role
from annotation.views.study_page import study_context
from training.access import bundle_for
from training.models import Bundle, Kind
from training.promotions import bundles_of, history_of


@never_cache
@require_safe
def bundles(request: HttpRequest, study_id: int) -> HttpResponse:
    study = study_for(request.user, study_id)
    wanted = request.GET.get("kind", "")
    kind = Kind(wanted) if wanted in Kind.values else Kind.DETECTOR
    listed = list(bundles_of(study, kind))
    history = list(history_of(study, kind))
    # Their rounds are at hand already.
    known = {bundle.pk: bundle for bundle in listed}
    back = known.get(str(history[0].previous_id)) if history else None
    context = {
        **study_context(request, study, "rounds"),
        "bundles": listed,
        "kind": kind.value,
        "diagnoses": kind.diagnoses,
        "baseline": kind.is_baseline,
        "looks_at_cells": kind != Kind.DETECTOR,
        # Of classifiers several are in use, as the table says.
        "in_use": next((bundle for bundle in listed if bundle.in_use), None) if kind != Kind.CLASSIFIER else None,
        "back": back,
        "history": [(each, known.get(each.bundle_id), known.get(str(each.previous_id))) for each in history],
    }
    return render(request, "training/bundles.html", context)


@require_POST
def promote(request: HttpRequest, study_id: int, bundle_id: str) -> HttpResponse:
    """Make a bundle the one in use; with an earlier one that is a roll back."""
    bundle = bundle_for(request.user, study_id, bundle_id, Role.ADMIN)
    bundle.promote(by=request.user)
    messages.success(request, in_use_from_now(bundle, f"bundle {bundle.pk}"))
    address = reverse("bundles", args=[study_id])
    return redirect(f"{address}?kind={bundle.kind}" if bundle.kind != Kind.DETECTOR else address)


def in_use_from_now(bundle: Bundle, name: str) -> str:
    if bundle.kind == Kind.CLASSIFIER:
        return f"{bundle.tells}: {name} is in use from now on."
    if Kind(bundle.kind).is_baseline:
        return f"The baseline is {name} from now on."
    if Kind(bundle.kind).diagnoses:
        return f"Diagnoses are suspected by {name} from now on."
    return f"Proposals are made by {name} from now on."
