"""Who annotates an image: taking it, giving it back, handing it to a member."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import image_for
from annotation.assignment import AssignmentRefused, NoSuchMember, assign, member


class AssigneeIn(serializers.Serializer[Any]):
    user = serializers.IntegerField(min_value=1, max_value=2**31 - 1, allow_null=True)


class ImageAssignment(APIView):
    @extend_schema(request=AssigneeIn, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, image_id: int) -> Response:
        """Assign the image to a member, or with null to nobody. Everybody may take an image that is nobody's and give
        back their own; reviewers and admins assign any image to anyone. 409 where it is somebody else's."""
        image = image_for(request.user, image_id)
        asked = AssigneeIn(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            chosen = asked.validated_data["user"]
            assignee = member(image.study, chosen) if chosen is not None else None
            assign(image.study, request.user, [image.pk], assignee)
        except NoSuchMember as refused:
            raise ValidationError({"user": [str(refused)]}) from None
        except AssignmentRefused as refused:
            return Response({"detail": str(refused)}, status=409)
        return Response({"assignee": {"id": assignee.pk, "name": assignee.get_username()} if assignee else None})
