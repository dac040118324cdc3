"""Studies that the user is a member of, and the label scheme and text attributes of each."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import study_for
from annotation.image_order import choose_order
from annotation.models import ImageOrder, LabelGroup, Role, Study, TextAttribute


class StudyList(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """The user's studies."""
        return Response([_study_json(study) for study in Study.objects.visible_to(request.user)])


class StudyDetail(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, study_id: int) -> Response:
        """One study with its label scheme and the user's role in it."""
        study = study_for(request.user, study_id)
        return Response(
            {
                **_study_json(study),
                "role": study.role_of(request.user),
                "groups": scheme_json(study),
                "texts": texts_json(study),
            }
        )


class NextOrderIn(serializers.Serializer[Any]):
    order = serializers.ChoiceField(choices=ImageOrder.choices)


class NextOrder(APIView):
    @extend_schema(request=NextOrderIn, responses=OpenApiTypes.OBJECT)
    def put(self, request: Request, study_id: int) -> Response:
        """By what the study chooses the next image for a person; its admins set it."""
        study = study_for(request.user, study_id, Role.ADMIN)
        asked = NextOrderIn(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response({"next_order": choose_order(study, asked.validated_data["order"])})


def _study_json(study: Study) -> dict[str, Any]:
    return {
        "id": study.pk,
        "name": study.name,
        "um_per_pixel": study.um_per_pixel,
        "synthetic": study.synthetic,
        "next_order": study.next_order,
    }


def scheme_json(study: Study) -> list[dict[str, Any]]:
    """The label groups of a study in their order, with their labels: number keys, colours and what to look for.

    Retired labels are among them, since cells may carry them; they are offered no more. Two queries.
    """
    return [
        {
            "id": group.pk,
            "name": group.name,
            "multiple": group.multiple,
            "description": group.description,
            "labels": [
                {
                    "id": label.pk,
                    "name": label.name,
                    "key": label.key,
                    "colour": label.colour,
                    "description": label.description,
                    "counted": label.counted,
                    "retired": label.retired,
                }
                for label in group.labels.all()
            ],
        }
        for group in LabelGroup.objects.filter(study=study).prefetch_related("labels")
    ]


def texts_json(study: Study) -> list[dict[str, Any]]:
    """What may be written about a cell of a study in free words. One query."""
    return [{"id": text.pk, "name": text.name} for text in TextAttribute.objects.filter(study=study)]
