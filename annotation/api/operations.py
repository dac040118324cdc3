"""Where the editor saves: a batch of operations on the cells of one image."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import image_for
from annotation.api.batches import BATCH_SCHEMA, changes_of
from annotation.api.cells import cell_json
from annotation.label_choice import NOTHING_SAID
from annotation.operations import apply


class ImageOperations(APIView):
    @extend_schema(request=BATCH_SCHEMA, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, image_id: int) -> Response:
        """Apply operations in order. Each gets a result: applied, replayed, stale or refused, and the cell as it
        is. 412 when one is stale; the others stand."""
        image = image_for(request.user, image_id)
        outcome = apply(image.pk, request.user, changes_of(request.data))
        results = []
        for result in outcome.results:
            body: dict[str, Any] = {"id": str(result.id), "status": result.status}
            if result.reason:
                body["reason"] = result.reason
            cell = result.cell
            body["cell"] = cell_json(cell, outcome.choices.get(cell.pk, NOTHING_SAID)) if cell else None
            results.append(body)
        answer = {"results": results, "image_state": outcome.image_state, "revision": outcome.revision}
        return Response(answer, status=412 if outcome.stale else 200)
