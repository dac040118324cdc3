"""The page of a study's effort: what each round cost to correct, by whom and on whose cells, and whether it pays."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotation.access import study_for
from annotation.effort import PAUSE_SECONDS, Counting, count_effort
from annotation.models import Role, Study
from annotation.views.study_page import study_context
from training.access import sees_others
from training.effort import LEAST_CELLS, LEAST_IMAGES, by_annotator, by_patient, effort_curve
from training.views.effort_page import plots, timed, write_table

# How long a page may count before it is shown; and what it asks for by itself, which nobody waits for.
PAGE_SECONDS, ASKING_SECONDS = 0.1, 1.0


@never_cache
@require_safe
def effort(request: HttpRequest, study_id: int) -> HttpResponse:
    """The curve, a table of its rounds, and who and what took the time; `?round=3` is about that round alone."""
    study = study_for(request.user, study_id)
    context = study_context(request, study, "effort")
    counting = _count_a_while(request, study)
    if request.headers.get("HX-Request") and not counting.left:
        return HttpResponse(headers={"HX-Refresh": "true"})
    if counting.left:
        asking = request.headers.get("HX-Request")
        page = "training/_effort_counting.html" if asking else "training/effort_counting.html"
        return render(request, page, context | {"counting": counting, "address": request.get_full_path()})
    curve = effort_curve(study)
    chosen = curve.round(request.GET.get("round"))
    works = chosen.works if chosen else curve.works
    others = sees_others(context["role"])
    context |= {
        "stages": curve.stages,
        "statement": curve.statement,
        "plots": plots(curve.rounds) if len(curve.rounds) > 1 else [],
        "chosen": chosen,
        "annotators": timed(by_annotator(works, None if others else request.user.pk)),
        "patients": timed(by_patient(study, works)),
        "sees_others": others,
        "pause": PAUSE_SECONDS,
        "least": (LEAST_CELLS, LEAST_IMAGES),
    }
    return render(request, "training/effort.html", context)


@never_cache
@require_safe
def effort_statement(request: HttpRequest, study_id: int) -> HttpResponse:
    """The one sentence about the last round, for the page of rounds."""
    study = study_for(request.user, study_id)
    counting = _count_a_while(request, study)
    if counting.left:
        context = {"counting": counting, "address": request.get_full_path()}
        return render(request, "training/_effort_counting.html", context)
    curve = effort_curve(study)
    context = {"study": study, "statement": curve.statement, "rounds": curve.rounds}
    return render(request, "training/_effort_statement.html", context)


@never_cache
@require_safe
def effort_table(request: HttpRequest, study_id: int) -> HttpResponse:
    """The work by round, image and annotator as CSV, for those who may see each one's."""
    study = study_for(request.user, study_id, Role.REVIEWER)
    count_effort(study)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="effort-{study.pk}.csv"'
    write_table(response, study, effort_curve(study))  # type: ignore[arg-type]
    return response


def _count_a_while(request: HttpRequest, study: Study) -> Counting:
    """A study that was never counted, one that was just imported say, is counted from one request to the next."""
    return count_effort(study, ASKING_SECONDS if request.headers.get("HX-Request") else PAGE_SECONDS)
