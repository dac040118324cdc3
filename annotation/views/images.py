"""A smear's pixels and thumbnail, after the permission check and under no name that could tell of a patient."""

import logging
from pathlib import Path

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils.http import parse_etags
from django.views.decorators.http import require_safe

from annotation.access import image_for
from annotation.models import SmearImage
from annotation.store import ImageStore

logger = logging.getLogger(__name__)


@require_safe
def pixels(request: HttpRequest, image_id: int) -> HttpResponseBase:
    image = image_for(request.user, image_id)
    path = ImageStore(settings.IMAGE_STORE).pixels(image.sha256)
    return _file(request, image, path, image.sha256, f"field-{image.pk}.png", "image/png")


@require_safe
def thumbnail(request: HttpRequest, image_id: int) -> HttpResponseBase:
    image = image_for(request.user, image_id)
    path = ImageStore(settings.IMAGE_STORE).thumbnail(image.sha256)
    return _file(request, image, path, f"{image.sha256}-small", f"field-{image.pk}-small.jpg", "image/jpeg")


def _file(
    request: HttpRequest, image: SmearImage, path: Path, tag: str, filename: str, content_type: str
) -> HttpResponseBase:
    etag = f'"{tag}"'
    response: HttpResponseBase
    if etag in parse_etags(request.headers.get("If-None-Match", "")):
        response = HttpResponseNotModified()
    else:
        try:
            file = path.open("rb")
        except OSError as error:
            logger.error("The file of image %s is not in the image store: %s", image.pk, error)
            raise Http404("The file of this image is missing on the server.") from error
        response = FileResponse(file, content_type=content_type, filename=filename)
    response["ETag"] = etag
    # The pixels behind a hash never change; private, because only members of the study may have them.
    response["Cache-Control"] = "private, max-age=31536000, immutable"
    response["X-Content-Type-Options"] = "nosniff"
    return response
