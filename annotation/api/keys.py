"""The keys of the editor that somebody has chosen for themselves; they follow the person, not the machine."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.key_bindings import KeysRefused, keep_keys, keys_of


class MyKeys(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Keys by command, where they differ from the editor's own."""
        return Response({"keys": keys_of(request.user)})

    @extend_schema(request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT)
    def put(self, request: Request) -> Response:
        """Replace all of them: {"keys": {command: [key, ...]}}."""
        try:
            kept = keep_keys(request.user, request.data.get("keys") if isinstance(request.data, dict) else None)
        except KeysRefused as refused:
            raise ValidationError({"keys": [str(refused)]}) from None
        return Response({"keys": kept})
