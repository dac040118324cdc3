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
from annotation.api.cells import cell_json
from annotation.image_state import ProposalsRemain, StateRefused, set_state
from annotation.models import Cell, SmearImage
from annotation.operations import cells_shown, choices_of


class ImagePages(PageNumberPagination):
    page_size = 50


class StudyImageList(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("state", str), OpenApiParameter("page", int)], responses=OpenApiTypes.OBJECT
    )
    def get(self, request: Request, study_id: int) -> Response:
        """The images of a study, 50 a page, with their states and numbers of confirmed cells."""
        study = study_for(request.user, study_id)
        images = SmearImage.objects.filter(study=study).select_related("patient").prefetch_related("names")
        state = request.query_params.get("state")
        if state:
            if state not in SmearImage.State.values:
                raise ValidationError({"state": [f"A state is one of {', '.join(SmearImage.State.values)}."]})
            images = images.filter(state=state)
        pages = ImagePages()
        page = pages.paginate_queryset(images.order_by("pk"), request, view=self) or []
        counts = dict(
            Cell.objects.filter(image__in=[image.pk for image in page])
            .values("image")
            .annotate(cells=Count("pk", filter=Q(status=Cell.Status.CONFIRMED, ignored=False)))
            .values_list("image", "cells")
        )
        return pages.get_paginated_response([{**_summary(image), "cells": counts.get(image.pk, 0)} for image in page])


class ImageDetail(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, image_id: int) -> Response:
        """One image with its shown cells: confirmed borders, and the proposals at or above their threshold."""
        image = image_for(request.user, image_id)
        cells = cells_shown(image)
        labels = choices_of({cell.pk for cell in cells}, request.user.pk)
        siblings = SmearImage.objects.filter(study=image.study_id)
        return Response(
            {
                **_summary(image),
                "um_source": image.um_source,
                "study": {"id": image.study.pk, "name": image.study.name, "synthetic": image.study.synthetic},
                "role": image.study.role_of(request.user),
                "can_edit": image.state != SmearImage.State.REVIEWED,
                "next": siblings.filter(pk__gt=image.pk).order_by("pk").values_list("pk", flat=True).first(),
                "previous": siblings.filter(pk__lt=image.pk).order_by("-pk").values_list("pk", flat=True).first(),
                "cells": [cell_json(cell, labels.get(cell.pk, [])) for cell in cells],
            }
        )


class StateChange(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=SmearImage.State.choices)
    remaining = serializers.ChoiceField(choices=["accept", "reject"], required=False)


class ImageState(APIView):
    @extend_schema(request=StateChange, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, image_id: int) -> Response:
        """Mark as annotated, review, or reopen. 409 where the image cannot take the step, with `remaining` where
        proposals are still open."""
        image = image_for(request.user, image_id)
        asked = StateChange(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        try:
            image = set_state(image.pk, request.user, data["state"], data.get("remaining"))
        except ProposalsRemain as refused:
            return Response({"detail": str(refused), "remaining": refused.count}, status=409)
        except StateRefused as refused:
            return Response({"detail": str(refused)}, status=409)
        return Response({"state": image.state})


def _summary(image: SmearImage) -> dict[str, Any]:
    return {
        "id": image.pk,
        "name": image.name,
        "width": image.width,
        "height": image.height,
        "um_per_pixel": image.um_per_pixel,
        "state": image.state,
        "synthetic": image.synthetic,
        "patient": image.patient.code if image.patient else None,
        "pixels_url": reverse("image-pixels", args=[image.pk]),
    }
