"""The history of one cell: who, when, what, and the border of each version."""

from uuid import UUID

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.cell_history import history
from annotation.models import Cell, SmearImage


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
                    for one in history(cell)
                ]
            }
        )
