"""What an open editor asks about once a second: who else is there, and what they have changed."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import image_for
from annotation.api.cells import cell_json
from annotation.api.images import person_json
from annotation.label_choice import NOTHING_SAID
from annotation.presence import news, others_present


class PresenceIn(serializers.Serializer[Any]):
    since = serializers.IntegerField(min_value=0, max_value=2_147_483_647)
    leaving = serializers.BooleanField(required=False, default=False)


class ImagePresence(APIView):
    @extend_schema(request=PresenceIn, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, image_id: int) -> Response:
        """Say that one has the image open (or is leaving it), and hear what changed after the revision `since`:
        cells (deleted ones too) and comments. `reload`: proposals were replaced, read the image anew."""
        asked = PresenceIn(data=request.data)
        asked.is_valid(raise_exception=True)
        image = image_for(request.user, image_id)
        changed = news(image, request.user, asked.validated_data["since"])
        others = others_present(image, request.user, leaving=asked.validated_data["leaving"])
        return Response(
            {
                "revision": image.revision,
                "state": image.state,
                "assignee": person_json(image.assignee),
                "others": [person_json(user) for user in others],
                "cells": [cell_json(cell, changed.choices.get(cell.pk, NOTHING_SAID)) for cell in changed.cells],
                "comments": changed.comments,
                "reload": changed.reload,
            }
        )
