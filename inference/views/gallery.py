"""The gallery: the cells of a study side by side; and the crop of a cell as an image."""

import logging
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.http import parse_etags
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from annotation.access import study_for
from annotation.assignment import members_of
from annotation.crop import crop_hash
from annotation.key_bindings import keys_of
from annotation.models import SmearImage
from annotation.readings import readings_of
from annotation.views.study_page import study_context
from inference import kept_crops
from inference.cell_evidence import decisions_kept, first_of
from inference.gallery_crops import place_of
from inference.gallery_models import spoken_of
from inference.gallery_query import AGREEMENTS, BY_EVIDENCE, BY_LOOKS, BY_MEASURE, BY_PROBABILITY, CERTAINTIES, SORTS
from inference.gallery_scheme import scheme_json
from inference.measured import filter_context
from inference.millie_cells import millie_of
from inference.models import CellFeatures

logger = logging.getLogger(__name__)

# The size of a cell with what lies around it, in px, and how many times as wide as its crop that is.
WIDE, TIMES = 720, 3


@require_safe
@ensure_csrf_cookie
def gallery(request: HttpRequest, study_id: int) -> HttpResponse:
    """The page; the cells come by the API."""
    study = study_for(request.user, study_id)
    groups = scheme_json(study)
    modelled = spoken_of(study)
    looks = CellFeatures.objects.filter(cell__image__study=study).exists()
    measured = filter_context(study)
    scored = decisions_kept(study)
    firsts = {first_of(each) for each in scored}
    spoken_for = firsts.pop() if len(firsts) == 1 else "the diagnosis"
    setup = {"groups": groups, "keys": keys_of(request.user), "modelled": sorted(modelled), "looks": looks}
    context = study_context(request, study, "gallery") | {
        "setup": setup,
        "groups": groups,
        "modelled": modelled,
        "looks": looks,
        "patients": list(study.patients.values_list("pk", "code")),
        "others": [member for member in members_of(study, request.user) if member.id != request.user.pk],
        "states": SmearImage.State.choices,
        "readings": readings_of(study, request.user),
        "certainties": CERTAINTIES,
        "agreements": AGREEMENTS,
        **measured,
        "scored": scored,
        "may_score": not scored and millie_of(study) is not None,
        # Those by probability are offered as soon as a model speaks, which may be while the page is open.
        "sorts": [
            (key, words.replace("the diagnosis", spoken_for), key in BY_PROBABILITY)
            for key, words in SORTS.items()
            if (looks or key not in BY_LOOKS)
            and (measured or key not in BY_MEASURE)
            and (scored or key not in BY_EVIDENCE)
        ],
    }
    return render(request, "inference/gallery.html", context)


@require_safe
def crop(request: HttpRequest, study_id: int, cell_id: UUID) -> HttpResponseBase:
    """The crop of a cell as a JPEG of ?size= px (128 or 299), or with ?around=1 the cell in the field around it."""
    study = study_for(request.user, study_id)
    place = place_of(study, cell_id)
    if place is None:
        raise Http404("There is no such cell in this study.")
    sha256, square = place
    wide = request.GET.get("around") == "1"
    size = next((each for each in kept_crops.SIZES if str(each) == request.GET.get("size")), kept_crops.SIZES[-1])
    name = crop_hash(sha256, square, WIDE * TIMES if wide else size)
    etag = f'"{name}"'
    response: HttpResponseBase
    if etag in parse_etags(request.headers.get("If-None-Match", "")):
        response = HttpResponseNotModified()
    else:
        try:
            if wide:
                content = kept_crops.around(sha256, square, TIMES, WIDE)
            else:
                (content,) = kept_crops.crops(sha256, [square], size)
        except (OSError, ValueError) as error:
            logger.error("The crop of cell %s cannot be cut: %s", cell_id, error)
            raise Http404("The image of this cell is missing on the server.") from error
        response = HttpResponse(content, content_type="image/jpeg")
        response["Content-Disposition"] = f'inline; filename="cell-{str(cell_id)[:8]}.jpg"'
    response["ETag"] = etag
    # With the crop's name in the address it never changes; without it, it does as somebody corrects the border.
    lasts = "private, max-age=31536000, immutable" if request.GET.get("v") else "private, no-cache"
    response["Cache-Control"] = lasts
    response["X-Content-Type-Options"] = "nosniff"
    return response
