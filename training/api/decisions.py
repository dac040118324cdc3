"""Which diagnoses a study tells apart, under /api/v1/."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import study_for
from annotation.models import Role, Study
from training.settings import SettingsError
from training.study_decisions import decide, decided_by


class DecisionsIn(serializers.Serializer[Any]):
    # As "apl/non_apl_aml, apl/non_apl_aml/healthy".
    decisions = serializers.CharField(max_length=2000)


class StudyDecisions(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, study_id: int) -> Response:
        """The decisions of a study, as settings and as names."""
        return Response(_json(study_for(request.user, study_id)))

    @extend_schema(request=DecisionsIn, responses=OpenApiTypes.OBJECT)
    def put(self, request: Request, study_id: int) -> Response:
        """Set them, for admins. 400 for what names no decisions between the study's diagnoses."""
        study = study_for(request.user, study_id, Role.ADMIN)
        asked = DecisionsIn(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            decide(study, asked.validated_data["decisions"])
        except SettingsError as error:
            return Response({"detail": str(error)}, status=400)
        return Response(_json(study))


def _json(study: Study) -> dict[str, Any]:
    return {"decisions": study.decisions, "names": [decision.name for decision in decided_by(study)]}
