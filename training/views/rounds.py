"""The pages of rounds: all of a study, and one that can be watched live."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation.access import study_for
from annotation.models import Role, Study
from annotation.views.study_page import study_context
from training import launching
from training.access import round_for
from training.classifier_target import Target, TargetError
from training.freeze import RoundRefused
from training.models import LIVE, Kind, Round
from training.promotions import classifiers_in_use, in_use_and_before
from training.settings import HOLDOUT_FOLDS, SettingsError
from training.unchanged import RoundUnchanged
from training.views.bundles import in_use_from_now
from training.views.classifier_launch_form import ClassifierLaunchForm
from training.views.classifier_page import classifier_context, labelled_by_now
from training.views.diagnosis_launch_form import DiagnosisLaunchForm
from training.views.diagnosis_page import diagnosed_by_now, diagnosis_context
from training.views.launch_form import LaunchForm
from training.views.round_page import duration, facts_context, fold_counts, round_context, since_last_round
from training.views.search_page import settings_to_copy

PAGE_SIZE = 50
AnyForm = LaunchForm | ClassifierLaunchForm | DiagnosisLaunchForm


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def rounds(request: HttpRequest, study_id: int) -> HttpResponse:
    """GET: the rounds of a study of one kind, newest first, for its members. POST: launch one, for its admins."""
    kind = _kind_asked_for(request.POST if request.method == "POST" else request.GET)
    if request.method == "POST":
        study = study_for(request.user, study_id, Role.ADMIN)
        form = _form(study, request.user, kind, request.POST)
        if form.is_valid():
            try:
                made = _launched(study, request.user, form)
            except (RoundRefused, SettingsError, TargetError) as error:
                form.unchanged = isinstance(error, RoundUnchanged)
                form.add_error(None, str(error))
            else:
                return redirect("round", made.pk)
        return _list_page(request, study, kind, form, status=409)
    study = study_for(request.user, study_id)
    Round.bury_dead()
    return _list_page(request, study, kind, _form(study, request.user, kind, None, _round_to_copy(request, kind)))


def _kind_asked_for(asked: QueryDict) -> Kind:
    wanted = asked.get("kind", "")
    return Kind(wanted) if wanted in Kind.values else Kind.DETECTOR


def _form(study: Study, user: Any, kind: Kind, data: QueryDict | None, like: Round | None = None) -> AnyForm:
    settings = settings_to_copy(like) if like else {}
    if kind == Kind.CLASSIFIER:
        return ClassifierLaunchForm(study, data, settings, Target.of(like.target) if like else None)
    if kind.diagnoses:
        return DiagnosisLaunchForm(study, kind, data, settings)
    return LaunchForm(study, user, data, settings)


def _launched(study: Study, user: Any, form: AnyForm) -> Round:
    if isinstance(form, DiagnosisLaunchForm):
        return launching.launch_diagnosis(study, form.kind, user, form.settings(), **form.choices())
    if isinstance(form, ClassifierLaunchForm):
        return launching.launch_classifier(study, form.chosen_target(), user, form.settings(), **form.choices())
    return launching.launch(study, user, form.settings(), **form.choices())


def _round_to_copy(request: HttpRequest, kind: Kind) -> Round | None:
    """The round of the kind that `settings_from` names, where this user may see it."""
    wanted = request.GET.get("settings_from", "")
    found = round_for(request.user, int(wanted)) if wanted.isdecimal() else None
    return found if found is not None and found.kind == kind else None


def _list_page(request: HttpRequest, study: Study, kind: Kind, form: AnyForm, status: int = 200) -> HttpResponse:
    listed = (
        Round.objects.filter(study=study, kind=kind)
        .select_related("requested_by", "bundle", "parent")
        .defer("log", "curve", "bundle__card", "parent__card")
        .order_by("-number")
    )
    page = Paginator(listed, PAGE_SIZE).get_page(request.GET.get("page"))
    live = Round.objects.filter(study=study, kind=kind, state__in=LIVE).defer("log", "curve").first()
    context = {
        **study_context(request, study, "rounds"),
        "page": page,
        "rows": [(each, duration(each.seconds_taken)) for each in page],
        "live": live,
        "before": live.queued_before() if live and live.state == "queued" else None,
        "kind": kind.value,
        "diagnoses": kind.diagnoses,
        "baseline": kind.is_baseline,
        "looks_at_cells": kind != Kind.DETECTOR,
        **({"classifiers": classifiers_in_use(study)} if kind == Kind.CLASSIFIER else in_use_and_before(study, kind)),
    }
    fragment = bool(request.headers.get("HX-Request")) and request.method != "POST"
    if fragment:
        response = render(request, "training/_rounds.html", context, status=status)
        if not live:
            # The last one has ended: the form comes back with the whole page.
            response["HX-Refresh"] = "true"
        return response
    since = _learnable(study, kind)
    return render(request, "training/rounds.html", {**context, "form": form, "since": since}, status=status)


def _learnable(study: Study, kind: Kind) -> Any:
    """What a round of the kind could learn from now."""
    if kind.diagnoses:
        return diagnosed_by_now(study, kind)
    return labelled_by_now(study) if kind == Kind.CLASSIFIER else since_last_round(study)


@never_cache
@require_safe
def round_detail(request: HttpRequest, round_id: int) -> HttpResponse:
    """One round. While it is live the page asks for its moving part again and again, naming the state that it shows;
    in another state the whole page is loaded anew."""
    Round.bury_dead()
    round_ = round_for(request.user, round_id)
    context = {**study_context(request, round_.study, "rounds"), **round_context(round_)}
    if request.headers.get("HX-Request"):
        if request.GET.get("state") != round_.state:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return render(request, "training/_round_live.html", context)
    if round_.kind == Kind.CLASSIFIER:
        wanted = request.GET.get("label", "")
        facts = {**facts_context(round_, request.user), **classifier_context(round_, wanted)}
        return render(request, "training/classifier_round.html", {**context, **facts})
    if Kind(round_.kind).diagnoses:
        facts = {**facts_context(round_, request.user), **diagnosis_context(round_, request.GET.get("decision", ""))}
        return render(request, "training/diagnosis_round.html", {**context, **facts})
    folds = int(round_.settings.get("folds") or HOLDOUT_FOLDS)
    return render(
        request,
        "training/round.html",
        {
            **context,
            "fold_counts": fold_counts(round_, folds),
            **facts_context(round_, request.user),
        },
    )


@require_POST
def cancel(request: HttpRequest, round_id: int) -> HttpResponse:
    round_ = round_for(request.user, round_id, Role.ADMIN)
    if not round_.cancel(by=request.user.get_username()):
        messages.warning(request, f"Round {round_.number} has ended already.")
    return redirect("round", round_.pk)


@require_POST
def resume(request: HttpRequest, round_id: int) -> HttpResponse:
    """Let a round that failed or was cancelled go on from its last checkpoint."""
    round_ = round_for(request.user, round_id, Role.ADMIN)
    try:
        messages.success(request, launching.resume(round_, request.user.get_username()))
    except RoundRefused as refused:
        messages.error(request, str(refused))
    return redirect("round", round_.pk)


@require_POST
def promote(request: HttpRequest, round_id: int) -> HttpResponse:
    """Make the round's bundle the one in use; also the way back to an earlier one."""
    round_ = round_for(request.user, round_id, Role.ADMIN)
    if round_.bundle is None:
        messages.error(request, f"Round {round_.number} left no bundle to use.")
    else:
        round_.bundle.promote(by=request.user)
        messages.success(request, in_use_from_now(round_.bundle, f"the bundle of round {round_.number}"))
    return redirect("round", round_.pk)
