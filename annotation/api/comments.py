"""Comments on an image, a cell or a place, and whether their threads are resolved."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import image_for
from annotation.comments import CommentRefused, add_comment, comment_json, resolve
from annotation.models import Comment


class CommentIn(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    # The length and what else a text is not are the domain's to say.
    text = serializers.CharField(allow_blank=True, trim_whitespace=False)
    cell = serializers.UUIDField(required=False, allow_null=True)
    x = serializers.FloatField(required=False, allow_null=True)
    y = serializers.FloatField(required=False, allow_null=True)
    answers = serializers.UUIDField(required=False, allow_null=True)


class Resolution(serializers.Serializer[Any]):
    resolved = serializers.BooleanField()


class ImageComments(APIView):
    @extend_schema(request=CommentIn, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, image_id: int) -> Response:
        """Comment on an image, or answer a comment. The id is the client's: the same comment sent again is answered
        as it is kept."""
        image = image_for(request.user, image_id)
        asked = CommentIn(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            comment = add_comment(image, request.user, **asked.validated_data)
        except CommentRefused as refused:
            return Response({"detail": str(refused)}, status=400)
        return Response(comment_json(comment), status=201)


class CommentResolution(APIView):
    @extend_schema(request=Resolution, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, comment_id: UUID) -> Response:
        """Resolve the thread of a comment, or open it again; its first comment."""
        comment = Comment.objects.filter(pk=comment_id).first()
        if comment is None:
            raise Http404("There is no such comment.")
        image_for(request.user, comment.image_id)
        asked = Resolution(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(comment_json(resolve(comment, request.user, asked.validated_data["resolved"])))
