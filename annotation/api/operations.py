"""Where the editor saves: a batch of operations on the cells of one image."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import image_for
from annotation.api.cells import cell_json
from annotation.models import Cell, Operation
from annotation.operations import Change, apply

MAX_OPERATIONS = 1_000


class OperationIn(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=Operation.Kind.choices)
    cell = serializers.UUIDField()
    version = serializers.IntegerField(min_value=0, max_value=2_000_000_000)
    border = serializers.JSONField(required=False, allow_null=True)
    labels = serializers.ListField(child=serializers.IntegerField(), required=False, allow_null=True, max_length=200)
    status = serializers.ChoiceField(choices=Cell.Status.choices, required=False, allow_null=True)


class BatchIn(serializers.Serializer[Any]):
    operations = serializers.ListField(child=OperationIn(), allow_empty=False, max_length=MAX_OPERATIONS)


class ImageOperations(APIView):
    @extend_schema(request=BatchIn, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, image_id: int) -> Response:
        """Apply operations in order. Each gets a result: applied, replayed, stale or refused, and the cell as it
        is. 412 when one is stale; the others stand."""
        image = image_for(request.user, image_id)
        batch = BatchIn(data=request.data)
        batch.is_valid(raise_exception=True)
        outcome = apply(image.pk, request.user, [Change(**asked) for asked in batch.validated_data["operations"]])
        results = []
        for result in outcome.results:
            body: dict[str, Any] = {"id": str(result.id), "status": result.status}
            if result.reason:
                body["reason"] = result.reason
            labels = outcome.labels.get(result.cell.pk, []) if result.cell else []
            body["cell"] = cell_json(result.cell, labels) if result.cell else None
            results.append(body)
        return Response({"results": results, "image_state": outcome.image_state}, status=412 if outcome.stale else 200)
