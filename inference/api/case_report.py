"""Case reports under /api/v1/: as they are now, and as they were signed. Signing is done by people on the page."""

from typing import Any

from django.core.exceptions import PermissionDenied
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inference.case_access import case_of_image, case_of_patient, report_for
from inference.case_report import Case, ReadingBlind, case_content


def _content(case: Case, request: Request) -> dict[str, Any]:
    try:
        return case_content(case, request.user.pk)
    except ReadingBlind as blind:
        raise PermissionDenied(str(blind)) from None


@extend_schema(responses=OpenApiTypes.OBJECT)
class PatientReport(APIView):
    def get(self, request: Request, patient_id: int) -> Response:
        """The report of a patient as it is now: differential count, review, images with their quality, cells."""
        return Response(_content(case_of_patient(request.user, patient_id), request))


@extend_schema(responses=OpenApiTypes.OBJECT)
class ImageReport(APIView):
    def get(self, request: Request, image_id: int) -> Response:
        """The report of one image as it is now."""
        return Response(_content(case_of_image(request.user, image_id), request))


@extend_schema(responses=OpenApiTypes.OBJECT)
class SignedReport(APIView):
    def get(self, request: Request, report_id: int) -> Response:
        """A report as it was signed, by whom, and the sha256 of its content as canonical JSON."""
        report = report_for(request.user, report_id)
        return Response(
            {
                "id": report.pk,
                "content": report.read,
                "content_hash": report.content_hash,
                "is_intact": report.is_intact,
                "signed_by": report.signed_by.get_username(),
                "signed_at": report.signed_at,
                "second_by": report.second_by.get_username() if report.second_by else None,
                "second_at": report.second_at,
                "withdrawn_by": report.withdrawn_by.get_username() if report.withdrawn_by else None,
                "withdrawn_at": report.withdrawn_at,
                "withdrawn_reason": report.withdrawn_reason,
            }
        )
