"""Upload: one image file a request, so that each file has its own progress and its own result."""

import contextlib
import errno
import math
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.access import study_for
from annotation.api.images import StudyImageList
from annotation.importing import STORED, Taken, take_file
from annotation.intake import IntakeError
from annotation.models import Patient, Study

# What the fields and boundaries of the form may add to the file itself.
FORM_ALLOWANCE = 64 * 1024
REQUEST_SCHEMA = {
    "multipart/form-data": {
        "type": "object",
        "properties": {
            "file": {"type": "string", "format": "binary"},
            "patient": {"type": "string", "description": "The patient's code, a pseudonym."},
            "um_per_pixel": {"type": "number"},
        },
        "required": ["file"],
    }
}


class StudyImages(StudyImageList):
    parser_classes = [MultiPartParser, FormParser]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # By its announced length, before the body is read: checking the token already parses all of it.
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > settings.UPLOAD_BUDGET + FORM_ALLOWANCE:
            reason = f"The file is larger than the {settings.UPLOAD_BUDGET // 2**20} MB that a file may have."
            return JsonResponse({"name": "", "status": "refused", "image": None, "reason": reason}, status=413)
        return super().dispatch(request, *args, **kwargs)

    @extend_schema(request=REQUEST_SCHEMA, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, study_id: int) -> Response:
        """Store one image file: 201 stored, 200 a duplicate of `image`, 422 refused with the reason, 507 disk full."""
        study = study_for(request.user, study_id)
        file = request.FILES.get("file")
        if file is None:
            raise ValidationError({"file": ["Send one image file in the field `file`."]})
        name = file.name or ""
        try:
            taken = _take(study, file, name, request.POST.get("patient", ""), request.POST.get("um_per_pixel", ""))
        except IntakeError as error:
            return Response({"name": name, "status": "refused", "image": None, "reason": str(error)}, status=422)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            return Response({"detail": "The disk of the server is full: nothing of this file was kept."}, status=507)
        answer = {"name": name, "status": taken.status, "image": taken.image.pk, "reason": " ".join(taken.notes)}
        if taken.status == STORED:
            return Response(answer, status=201)
        return Response({**answer, "duplicate_of": taken.image.name})


def _take(study: Study, file: UploadedFile, name: str, patient: str, um_per_pixel: str) -> Taken:
    stream = cast(BinaryIO, file.file)
    scale = _scale(um_per_pixel)
    code = patient.replace("\x00", "").strip()
    if len(code) > 200:
        raise IntakeError("The patient's code is longer than 200 characters.")
    if not code:
        return take_file(study, stream, name, um_per_pixel=scale)
    known = Patient.objects.filter(study=study, code=code).first()
    # A file that is refused leaves no patient behind; a known one needs no lock while the file is decoded.
    with contextlib.nullcontext() if known else transaction.atomic():
        return take_file(study, stream, name, um_per_pixel=scale, patient=known or Patient.arrive(study, code))


def _scale(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1000:
        raise IntakeError("µm per pixel must be a number above 0.")
    return value
