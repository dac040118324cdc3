"""The history of one cell: who, when, what, and the border of each version; and the cells that were deleted."""

from uuid import UUID

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import image_for
from annotation.api.cells import cell_json
from annotation.cell_history import history
from annotation.label_choice import NOTHING_SAID, choices_of
from annotation.models import Cell, SmearImage

# More pictures than anybody looks through.
_MOST_DELETED = 60


class CellHistory(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, cell_id: UUID) -> Response:
        """Every version of a cell, newest first; of a proposal the oldest is the border as it was proposed."""
        visible = SmearImage.objects.visible_to(request.user)
        cell = Cell.objects.select_related("image", "run").filter(pk=cell_id, image__in=visible).first()
        if cell is None:
            raise Http404("There is no such cell.")
        return Response(
            {
                "versions": [
                    {
                        "version": one.version,
                        "at": one.at.isoformat(),
                        "user": one.user,
                        "what": one.what,
                        "status": one.status,
                        "border": one.border,
                        "labels": one.labels,
                    }
                    for one in history(cell, request.user.pk)
                ]
            }
        )


class DeletedCells(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, image_id: int) -> Response:
        """The cells of an image that people have deleted, the last one first, 60 at most: each can be restored."""
        image = image_for(request.user, image_id)
        deleted = Cell.objects.filter(image=image, status=Cell.Status.DELETED).order_by(
            "-revision", "-changed_at", "pk"
        )
        cells = list(deleted[:_MOST_DELETED])
        choices = choices_of({cell.pk for cell in cells}, request.user.pk)
        return Response({"cells": [cell_json(cell, choices.get(cell.pk, NOTHING_SAID)) for cell in cells]})
