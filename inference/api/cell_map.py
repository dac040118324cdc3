"""The map of a study's cells under /api/v1/: how it stands, its points and their colours, picking cells."""

import json
import struct
from typing import Any

import numpy as np
from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import study_for
from annotation.models import Study
from inference import kept_choice
from inference.api.gallery import cells_asked
from inference.cell_map_colours import colours
from inference.cell_map_jobs import launch
from inference.kept_map import KeptMap, kept_map, stand_of
from inference.millie_cells import decisions_of, millie_of
from inference.models import CellMapJob


def space_of(request: Request, study: Study) -> tuple[str, str]:
    """The space that ?space= asks for, and the bundle that sees it: ("", "") is what the backbone sees. Raises Http404
    for one that no MILLIE in use has."""
    space = request.query_params.get("space", "")
    if not space:
        return "", ""
    bundle = millie_of(study)
    if bundle is None or space not in decisions_of(bundle):
        raise Http404("No MILLIE in use in this study decides that.")
    return space, str(bundle.pk)


def stand_json(study: Study, space: str = "", bundle: str = "") -> dict[str, Any]:
    """{map: null or {name, cells, explained, learned_from, made_at}, old: whether features have changed since, job:
    null or the last {state, reason, progress}}. Four queries."""
    CellMapJob.bury_dead()
    job = CellMapJob.objects.filter(study=study, space=space).defer("log").first()
    kept = kept_map(study, space)
    return {
        "map": None
        if kept is None
        else {
            "name": kept.name,
            "cells": len(kept.ids),
            "explained": kept.explained,
            "learned_from": kept.learned_from,
            "made_at": kept.made_at,
        },
        "old": kept is not None and kept.features != stand_of(study, bundle),
        "job": None if job is None else {"state": job.state, "reason": job.reason, "progress": job.progress},
    }


def _map(request: Request, study: Study, name: str) -> KeptMap:
    kept = kept_map(study, space_of(request, study)[0])
    if kept is None or kept.name != name:
        raise Http404("There is no such map any more: it has been made anew.")
    return kept


def _packed(head: dict[str, Any], *tables: Any) -> HttpResponse:
    """The length of a JSON head (4 bytes, big endian), the head, and tables one after the other."""
    content = json.dumps(head).encode()
    body = b"".join(
        [struct.pack(">I", len(content)), content, *(np.ascontiguousarray(each).tobytes() for each in tables)]
    )
    return HttpResponse(body, content_type="application/octet-stream")


@extend_schema(parameters=[OpenApiParameter("space", str)], request=None, responses=OpenApiTypes.OBJECT)
class CellMap(APIView):
    """GET: how the map stands. POST: have it made, or made anew; answers as GET does. ?space= names a decision: the map
    of what MILLIE sees for it; without, of what the backbone sees."""

    def get(self, request: Request, study_id: int) -> Response:
        study = study_for(request.user, study_id)
        return Response(stand_json(study, *space_of(request, study)))

    def post(self, request: Request, study_id: int) -> Response:
        study = study_for(request.user, study_id)
        space, bundle = space_of(request, study)
        launch(study, request.user, space)
        return Response(stand_json(study, space, bundle), status=202)


class CellMapPoints(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("space", str)],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, study_id: int, name: str) -> HttpResponse:
        """The points of a map: after the head {cells: n} n ids of 16 bytes, and n pairs of float32 (little endian)
        each by PCA and by UMAP."""
        kept = _map(request, study_for(request.user, study_id), name)
        tables = (kept.pca.astype("<f4"), kept.umap.astype("<f4"))
        response = _packed({"cells": len(kept.ids)}, kept.ids, *tables)
        response["Cache-Control"] = "private, max-age=31536000, immutable"
        return response


class CellMapColours(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("by", str), OpenApiParameter("space", str)],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, study_id: int, name: str) -> HttpResponse:
        """What the points are coloured by: after the head {legend, nothing, scale} n codes of 16 bits (little endian):
        places in the legend or, where `scale`, hundredths; 65534: nothing is known, 65535: the cell is gone."""
        study = study_for(request.user, study_id)
        viewer: Any = request.user.pk
        found = colours(study, _map(request, study, name).ids, request.query_params.get("by", ""), viewer)
        if found is None:
            return HttpResponse("The cells cannot be coloured by that.", status=400, content_type="text/plain")
        head = {"legend": found.legend, "nothing": found.nothing, "scale": found.scale}
        response = _packed(head, found.codes.astype("<u2"))
        response["Cache-Control"] = "no-store"
        return response


class PickedCells(APIView):
    @extend_schema(request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, study_id: int) -> Response:
        """Keep {"cells": [id, ...]}, 20,000 at most, by a name: {"among": name}, which the gallery's address takes."""
        study = study_for(request.user, study_id)
        ids = cells_asked(request.data, kept_choice.MOST)
        return Response({"among": kept_choice.keep(study, ids)}, status=201)
