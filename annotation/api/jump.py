"""Far steps through the worklist: Home, End, PgUp and PgDn in the editor."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import image_for
from annotation.neighbours import JUMPS, jump
from annotation.worklist_query import PARAMETERS


class ImageJump(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("to", str, enum=JUMPS), *(OpenApiParameter(name, str) for name in PARAMETERS)],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request, image_id: int) -> Response:
        """{"image": id} of the first or last image of the worklist that the parameters ask for, or of one several
        places on or back."""
        image = image_for(request.user, image_id)
        to = next((each for each in JUMPS if each == request.query_params.get("to")), None)
        if to is None:
            raise ValidationError({"to": [f"A jump is one of {', '.join(JUMPS)}."]})
        return Response({"image": jump(image, request.query_params, to, request.user.pk)})
