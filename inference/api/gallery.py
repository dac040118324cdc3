"""The gallery under /api/v1/: the order of the cells that somebody asks for, what is known of a page of them, their
crops, and what has happened since."""

import json
import struct
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import study_for
from annotation.models import LabelGroup
from inference import gallery_cells, gallery_crops, kept_crops
from inference.gallery_models import said_by, spoken_of
from inference.gallery_news import changed_since, heads_json
from inference.gallery_order import order
from inference.gallery_query import PARAMETERS, GalleryQuery
from inference.gallery_scheme import counts
from inference.interactive import begin

_ASKED = [OpenApiParameter(name, str) for name in PARAMETERS]


def _viewer(request: Request) -> int:
    viewer: Any = request.user.pk
    return int(viewer)


def cells_asked(body: Any, most: int) -> list[UUID]:
    asked = body.get("cells") if isinstance(body, dict) else None
    if not isinstance(asked, list) or len(asked) > most:
        raise ValidationError({"cells": [f"Send a list of at most {most} cell ids."]})
    try:
        return list(dict.fromkeys(UUID(each) for each in asked))
    except (ValueError, AttributeError, TypeError):
        raise ValidationError({"cells": ["A cell's id is a UUID."]}) from None


class GalleryOrder(APIView):
    @extend_schema(parameters=_ASKED, responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, study_id: int) -> HttpResponse:
        """The ids of the cells that the parameters ask for, in their order: 16 bytes each."""
        study = study_for(request.user, study_id)
        viewer = _viewer(request)
        query = GalleryQuery.parse(request.query_params, viewer)
        response = HttpResponse(order(study, query, viewer), content_type="application/octet-stream")
        response["Cache-Control"] = "no-store"
        return response


class GalleryCells(APIView):
    @extend_schema(request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, study_id: int) -> Response:
        """What is known of {"cells": [id, ...]}, 200 at most, in their order; cells that are no more are left out."""
        study = study_for(request.user, study_id)
        ids = cells_asked(request.data, gallery_cells.PAGE)
        return Response({"cells": gallery_cells.described(study, ids, _viewer(request))})


class GalleryCrops(APIView):
    @extend_schema(request=OpenApiTypes.OBJECT, responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def post(self, request: Request, study_id: int) -> HttpResponse:
        """The crops of {"cells": [id, ...], "size": 128 | 299}, 60 at most: the length of a JSON list (4 bytes, big
        endian), that list of {id, crop, bytes}, and the JPEG files one after the other."""
        study = study_for(request.user, study_id)
        ids = cells_asked(request.data, gallery_crops.PAGE)
        body: Any = request.data
        size = body.get("size", kept_crops.SMALL)
        if size not in kept_crops.SIZES:
            raise ValidationError({"size": [f"A size is one of {', '.join(map(str, kept_crops.SIZES))}."]})
        found = gallery_crops.crops_of(study, ids, size)
        listed = [{"id": str(key), "crop": name, "bytes": len(picture)} for key, (name, picture) in found.items()]
        head = json.dumps(listed).encode()
        body = b"".join([struct.pack(">I", len(head)), head, *(picture for _, picture in found.values())])
        response = HttpResponse(body, content_type="application/octet-stream")
        response["Cache-Control"] = "no-store"
        return response


class GalleryCounts(APIView):
    @extend_schema(parameters=_ASKED, responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, study_id: int) -> Response:
        """How many of the cells that the parameters ask for, but for label and annotator, have each label."""
        study = study_for(request.user, study_id)
        viewer = _viewer(request)
        return Response(counts(study, GalleryQuery.parse(request.query_params, viewer), viewer))


class GalleryNews(APIView):
    @extend_schema(parameters=[OpenApiParameter("since", str)], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, study_id: int) -> Response:
        """The cells that people changed since a time (`now` of an earlier answer), each with its version by now, how
        far the heads are that learn from labels, of which labels a model speaks, and in `said_by` which one."""
        study = study_for(request.user, study_id)
        now = timezone.now()
        since = parse_datetime(request.query_params.get("since", "")) or now
        # A change may be written a moment after the time that it bears.
        changed = changed_since(study, max(since, now - timedelta(hours=1)) - timedelta(seconds=10))
        versions = {str(key): version for key, version in changed.items()}
        spoken = spoken_of(study)
        return Response(
            {
                "now": now.isoformat(),
                "cells": versions,
                "heads": heads_json(study),
                "modelled": sorted(spoken),
                "said_by": said_by(study, spoken),
            }
        )


class LabelledIn(serializers.Serializer[Any]):
    groups = serializers.ListField(child=serializers.IntegerField(min_value=1), max_length=100)


class GalleryLabelled(APIView):
    @extend_schema(request=LabelledIn, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, study_id: int) -> Response:
        """Ask for heads that learn the labels of {"groups": [id, ...]}: now, and whenever these change."""
        study = study_for(request.user, study_id)
        asked = LabelledIn(data=request.data)
        asked.is_valid(raise_exception=True)
        for group in LabelGroup.objects.filter(study=study, pk__in=asked.validated_data["groups"]):
            begin(group)
        return Response({"heads": heads_json(study)}, status=202)
