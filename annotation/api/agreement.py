"""How far people agree, under /api/v1/."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.agreement_report import agreement_asked, as_json


class StudyAgreement(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("reading", int), OpenApiParameter("group", int)], responses=OpenApiTypes.OBJECT
    )
    def get(self, request: Request, study_id: int) -> Response:
        """Cohen's kappa of each pair of readers, Fleiss' kappa over all, percent agreement and tables, for each label
        group and each label; of one reading, as its readers spoke before they were done, or of all that people say
        now. Intervals are 95 % of a bootstrap over patients. What the user is reading blind is left out."""
        asked = agreement_asked(request.user, study_id, request.query_params)
        return Response({"reading": asked.reading.pk if asked.reading else None, "groups": as_json(asked.report())})
