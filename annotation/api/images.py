"""The images of a study, and one image with everything that the editor draws."""

from typing import Any

from django.db.models import Count, Q
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import image_for, study_for
from annotation.api.cells import shown_cells_json
from annotation.comments import MAX_LENGTH, CommentRefused, comments_json
from annotation.image_state import ProposalsRemain, StateRefused, set_state
from annotation.models import Cell, Role, SmearImage
from annotation.neighbours import neighbours
from annotation.worklist_query import PARAMETERS, QUALITIES, SORTS, WorklistQuery, in_order


class ImagePages(PageNumberPagination):
    page_size = 50


class StudyImageList(APIView):
    @extend_schema(
        parameters=[
            OpenApiParameter("state", str),
            OpenApiParameter("sort", str, enum=list(SORTS)),
            OpenApiParameter("quality", str, enum=list(QUALITIES)),
            OpenApiParameter("page", int),
        ],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request, study_id: int) -> Response:
        """The images of a study, 50 a page, with their states and numbers of confirmed cells, in one of the orders of
        the worklist (else in that of their arrival), and with the figures of those orders: `disagreement` of the last
        two rounds, `novelty` beside the annotated images, `learning_rank` among those that would teach most, and
        its `quality`, null where nobody has judged it."""
        study = study_for(request.user, study_id)
        images = SmearImage.objects.filter(study=study).select_related("patient", "quality").prefetch_related("names")
        images = images.defer("quality__findings", "quality__tiles")
        state = request.query_params.get("state")
        if state:
            if state not in SmearImage.State.values:
                raise ValidationError({"state": [f"A state is one of {', '.join(SmearImage.State.values)}."]})
            images = images.filter(state=state)
        quality = request.query_params.get("quality", "")
        if quality:
            if quality not in QUALITIES:
                raise ValidationError({"quality": [f"A quality is one of {', '.join(QUALITIES)}."]})
            images = images.filter(WorklistQuery(quality=quality).condition())
        sort = request.query_params.get("sort", "arrival")
        if sort not in SORTS:
            raise ValidationError({"sort": [f"An order is one of {', '.join(SORTS)}."]})
        pages = ImagePages()
        page = pages.paginate_queryset(in_order(images, sort), request, view=self) or []
        role = study.role_of(request.user)
        counts = dict(
            Cell.objects.filter(image__in=[image.pk for image in page])
            .values("image")
            .annotate(cells=Count("pk", filter=Q(status=Cell.Status.CONFIRMED, ignored=False)))
            .values_list("image", "cells")
        )
        return pages.get_paginated_response(
            [
                {
                    **_summary(image, role),
                    "cells": counts.get(image.pk, 0),
                    "disagreement": image.disagreement,
                    "novelty": image.novelty,
                    "learning_rank": image.learning_rank,
                }
                for image in page
            ]
        )


class ImageDetail(APIView):
    @extend_schema(parameters=[OpenApiParameter(name, str) for name in PARAMETERS], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, image_id: int) -> Response:
        """One image with its shown cells: confirmed borders, and the proposals at or above their threshold. `next`
        and `previous` are its neighbours in the worklist that the parameters ask for."""
        # The image's row first: what changes while the rest is read is told again to who asks after its revision.
        image = image_for(request.user, image_id)
        previous, following = neighbours(image, request.query_params, request.user.pk)
        role = image.study.role_of(request.user)
        return Response(
            {
                **_summary(image, role),
                "um_source": image.um_source,
                "study": {"id": image.study.pk, "name": image.study.name, "synthetic": image.study.synthetic},
                "role": role,
                "can_edit": image.state != SmearImage.State.REVIEWED,
                "revision": image.revision,
                "assignee": person_json(image.assignee),
                "next": following,
                "previous": previous,
                "cells": shown_cells_json(image, request.user.pk),
                "comments": comments_json(image),
            }
        )


class StateChange(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=SmearImage.State.choices)
    remaining = serializers.ChoiceField(choices=["accept", "reject"], required=False)
    comment = serializers.CharField(required=False, allow_blank=True, max_length=MAX_LENGTH)


class ImageState(APIView):
    @extend_schema(request=StateChange, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, image_id: int) -> Response:
        """Mark as annotated, review, or reopen; `comment` says why, as a comment on the whole image. 409 where the
        image cannot take the step, with `remaining` where proposals are still open."""
        image = image_for(request.user, image_id)
        asked = StateChange(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        try:
            image = set_state(
                image.pk, request.user, data["state"], data.get("remaining"), comment=data.get("comment", "")
            )
        except ProposalsRemain as refused:
            return Response({"detail": str(refused), "remaining": refused.count}, status=409)
        except StateRefused as refused:
            return Response({"detail": str(refused)}, status=409)
        except CommentRefused as refused:
            raise ValidationError({"comment": [str(refused)]}) from None
        return Response({"state": image.state, "revision": image.revision})


def person_json(user: Any) -> dict[str, Any] | None:
    """{id, name} of a user, None of none."""
    return None if user is None else {"id": user.pk, "name": user.get_username()}


def _summary(image: SmearImage, role: Role | None) -> dict[str, Any]:
    return {
        "id": image.pk,
        "name": image.name_for(role),
        "width": image.width,
        "height": image.height,
        "um_per_pixel": image.um_per_pixel,
        "state": image.state,
        "synthetic": image.synthetic,
        "patient": image.patient.code if image.patient else None,
        "pixels_url": reverse("image-pixels", args=[image.pk]),
        "thumbnail_url": reverse("image-thumbnail", args=[image.pk]),
        "quality": quality_json(image),
    }


def quality_json(image: SmearImage) -> dict[str, Any] | None:
    """{verdict, reason} of an image; None where nobody has judged it. Free where `quality` was selected with it."""
    quality = getattr(image, "quality", None)
    return None if quality is None else {"verdict": quality.verdict, "reason": quality.reason}
