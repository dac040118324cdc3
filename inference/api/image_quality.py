"""The quality of images under /api/v1/: of one image with its regions, and of a study."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import image_for, study_for
from annotation.models import ImageQuality
from inference.quality_summary import quality_summary


@extend_schema(responses=OpenApiTypes.OBJECT)
class QualityOfImage(APIView):
    def get(self, request: Request, image_id: int) -> Response:
        """What was found of an image, criterion by criterion, and where on it to count: `tiles` of [x, y, width,
        height, kind] in px. 404 with a reason where nobody has judged it yet."""
        image = image_for(request.user, image_id)
        quality = ImageQuality.objects.filter(image=image).first()
        if quality is None:
            return Response({"detail": "Nobody has judged this image yet."}, status=404)
        return Response(
            {
                "verdict": quality.verdict,
                "reason": quality.reason,
                "findings": quality.findings,
                "regions": {"good_share": quality.good_share, "tiles": quality.tiles},
                "method": quality.method,
            }
        )


@extend_schema(responses=OpenApiTypes.OBJECT)
class QualityOfStudy(APIView):
    def get(self, request: Request, study_id: int) -> Response:
        """How many images are good, doubtful and bad (poor), for which reasons, and by patient."""
        summary: dict[str, Any] = asdict(quality_summary(study_for(request.user, study_id)))
        return Response(summary)
