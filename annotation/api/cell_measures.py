"""The measures of one cell, as people read them."""

import logging
from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.measure_table import GROUPS
from annotation.measuring import measures_of
from annotation.models import Cell, SmearImage

logger = logging.getLogger(__name__)


class CellMeasured(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, cell_id: UUID) -> Response:
        """The measures of a cell as its border is now, by groups; those of which nothing can be said have value null.
        Lengths are in µm where `in_um` says so, else in px."""
        visible = SmearImage.objects.visible_to(request.user)
        cell = Cell.objects.select_related("image").filter(pk=cell_id, image__in=visible).first()
        if cell is None:
            raise Http404("There is no such cell.")
        try:
            values, in_um = measures_of(cell)
        except OSError as error:
            logger.error("Cell %s cannot be measured: %s", cell_id, error)
            raise Http404("The image of this cell is missing on the server.") from error
        return Response({"in_um": in_um, "groups": measures_json(values, in_um)})


def measures_json(values: dict[str, float | None], in_um: bool) -> list[dict[str, Any]]:
    """The table of measures with a cell's values, by groups."""
    return [
        {
            "name": group,
            "measures": [
                {
                    "name": each.name,
                    "label": each.label,
                    "unit": each.unit(in_um),
                    "description": f"{each.description} ({each.formula}).",
                    "value": value,
                    "text": "–" if value is None else each.text(value),
                }
                for each in measures
                for value in [values[each.name]]
            ],
        }
        for group, measures in GROUPS.items()
    ]
