"""The diagnoses that a study knows, under /api/v1/."""

from typing import Any

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import study_for
from annotation.diagnoses import LONGEST, DiagnosesError
from annotation.models import Role, Study
from training.study_diagnoses import add, change, patients_by_diagnosis, retire


class DiagnosisChange(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=LONGEST, required=False)
    # What else tables say for it.
    spellings = serializers.ListField(child=serializers.CharField(max_length=100), max_length=100, required=False)


class DiagnosisIn(DiagnosisChange):
    name = serializers.CharField(max_length=LONGEST)
    # Made of the name where none is given; it stays for good.
    key = serializers.CharField(max_length=LONGEST, required=False, default="", allow_blank=True)


class StudyDiagnoses(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, study_id: int) -> Response:
        """The diagnoses of a study in its order: key, name, spellings, and how many patients have each."""
        return Response(_json(study_for(request.user, study_id)))

    @extend_schema(request=DiagnosisIn, responses={201: OpenApiTypes.OBJECT})
    def post(self, request: Request, study_id: int) -> Response:
        """Add one, for admins. 400 for one that cannot be told from the others."""
        study = study_for(request.user, study_id, Role.ADMIN)
        asked = DiagnosisIn(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        try:
            add(study, data["name"], data["key"], data.get("spellings", ()))
        except DiagnosesError as error:
            return Response({"detail": str(error)}, status=400)
        return Response(_json(study), status=201)


class DiagnosisDetail(APIView):
    @extend_schema(request=DiagnosisChange, responses=OpenApiTypes.OBJECT)
    def patch(self, request: Request, study_id: int, key: str) -> Response:
        """Rename one or change its spellings, for admins; its key stays. 400 where it could not be told from others."""
        study = _study_with(request.user, study_id, key)
        asked = DiagnosisChange(data=request.data)
        asked.is_valid(raise_exception=True)
        own, data = study.diagnoses[key], asked.validated_data
        try:
            change(study, key, data.get("name", own.name), data.get("spellings", own.spellings))
        except DiagnosesError as error:
            return Response({"detail": str(error)}, status=400)
        return Response(_json(study))

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def delete(self, request: Request, study_id: int, key: str) -> Response:
        """Retire one, for admins. 409 where a patient has it or a decision names it."""
        study = _study_with(request.user, study_id, key)
        try:
            retire(study, key)
        except DiagnosesError as error:
            return Response({"detail": str(error)}, status=409)
        return Response(_json(study))


def _study_with(user: Any, study_id: int, key: str) -> Study:
    study = study_for(user, study_id, Role.ADMIN)
    if key not in study.diagnoses:
        raise Http404("The study has no such diagnosis.")
    return study


def _json(study: Study) -> dict[str, Any]:
    patients = patients_by_diagnosis(study)
    return {"diagnoses": [row | {"patients": patients.get(row["key"], 0)} for row in study.diagnoses.as_json()]}
