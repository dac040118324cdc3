"""The page on how far a study's images can be trusted, the line about it in the worklist, and the button."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotation.access import study_for
from annotation.models import ImageQuality, Role, SmearImage
from annotation.views.study_page import study_context
from inference.models import ImageQualityJob
from inference.quality_summary import quality_counts, quality_summary

# Images shown with their reasons, the worst first; the worklist lists all of them.
MOST_SHOWN = 100


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def quality(request: HttpRequest, study_id: int) -> HttpResponse:
    """POST: have judged what nobody has judged, for admins. GET: the page; with ?line=1 what the worklist says, for
    htmx."""
    if request.method == "POST":
        # Imported here: a web process that loads what judges pixels takes a second longer to start.
        from inference.image_quality_jobs import launch

        study = study_for(request.user, study_id, Role.ADMIN)
        launch(study, request.user)
        return redirect("quality", study.pk)
    study = study_for(request.user, study_id)
    ImageQualityJob.bury_dead()
    job = ImageQualityJob.objects.filter(study=study).first()
    context = study_context(request, study, "worklist") | {"job": job}
    if request.GET.get("line"):
        return render(request, "inference/_quality_line.html", context | {"summary": quality_counts(study)})
    failing = SmearImage.objects.filter(study=study, quality__isnull=False).exclude(
        quality__verdict=ImageQuality.Verdict.GOOD
    )
    images = (
        failing.select_related("quality", "patient")
        .defer("quality__tiles")
        .prefetch_related("names")
        .order_by("quality__verdict", "pk")
    )
    context["summary"] = quality_summary(study)
    context["images"] = [(image, image.name_for(context["role"])) for image in images[:MOST_SHOWN]]
    context["most_shown"] = MOST_SHOWN
    return render(request, "inference/quality.html", context)
