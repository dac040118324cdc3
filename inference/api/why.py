"""Why a model gives a cell a label, under /api/v1/: who can be asked, asking, and the map that comes of it."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import study_for
from annotation.blind_reading import hidden_cells
from annotation.cell_crops import cells_to_classify
from annotation.models import Cell, Label, Study
from inference.saliency_jobs import METHODS, answer_of, ask
from inference.voices import VoiceError, bundle_for, voices_of


class WhyIn(serializers.Serializer[Any]):
    label = serializers.IntegerField(min_value=1)  # type: ignore[assignment]
    bundle = serializers.CharField(max_length=64)
    method = serializers.ChoiceField(list(METHODS))


def _cell(request: Request, study_id: int, cell_id: UUID) -> tuple[Study, Cell]:
    study = study_for(request.user, study_id)
    cell = cells_to_classify(study).filter(pk=cell_id).first()
    if cell is None:
        raise Http404("There is no such cell in this study.")
    return study, cell


class WhyChoices(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, study_id: int, cell_id: UUID) -> Response:
        """Who can be asked why: `voices` {label, name, bundle, words, probability}, the most probable label first, and
        `methods` {name, words}. No voices of a cell that one reads without being told what models say."""
        study, cell = _cell(request, study_id, cell_id)
        viewer: Any = request.user.pk
        voices = [
            {
                "label": voice.label.pk,
                "name": voice.label.name,
                "bundle": voice.bundle,
                "words": voice.words,
                "probability": voice.probability,
            }
            for voice in voices_of(study, cell, viewer)
        ]
        return Response(
            {"voices": voices, "methods": [{"name": key, "words": words} for key, words in METHODS.items()]}
        )


class Why(APIView):
    @extend_schema(
        parameters=[OpenApiParameter(name, str) for name in ("label", "bundle", "method")],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request, study_id: int, cell_id: UUID) -> Response:
        """How a question stands, asked as ?label=&bundle=&method=: `state` "none" where nobody has asked, the state of
        its job, and with "succeeded" the map (inference/saliency_jobs.py)."""
        return self._answer(request, study_id, cell_id, request.query_params, asking=False)

    @extend_schema(request=WhyIn, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, study_id: int, cell_id: UUID) -> Response:
        """Ask; answers as GET does. What has been asked before is answered at once."""
        return self._answer(request, study_id, cell_id, request.data, asking=True)

    def _answer(self, request: Request, study_id: int, cell_id: UUID, asked: Any, *, asking: bool) -> Response:
        study, cell = _cell(request, study_id, cell_id)
        viewer: Any = request.user.pk
        given = WhyIn(data=asked)
        given.is_valid(raise_exception=True)
        question = given.validated_data
        label = Label.objects.filter(pk=question["label"], group__study=study).select_related("group").first()
        if label is None:
            return Response({"detail": "The study has no such label."}, status=400)
        if hidden_cells(viewer, model=True).filter(cell=cell.pk).exists():
            return Response({"detail": "You read this cell without being told what models say."}, status=403)
        try:
            if asking:
                return Response(ask(study, cell, label, question["bundle"], question["method"], request.user))
            bundle_for(study, cell, question["bundle"])
            return Response(answer_of(study, cell, label, question["bundle"], question["method"]))
        except VoiceError as problem:
            return Response({"detail": str(problem)}, status=400)
