"""The search of a round under /api/v1/: its trials and what it found."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from training.access import round_for
from training.models import Round
from training.search_jobs import helpers_at_work
from training.views.search_page import settings_to_copy, trials_shown


class RoundSearch(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, round_id: int) -> Response:
        """The trials of a round's search in the order in which they began, what it found (null before its end), and
        the settings to launch the next round with. 404 where the round made none."""
        Round.bury_dead()
        round_ = round_for(request.user, round_id)
        if not round_.trials:
            return Response({"detail": "This round did not search for settings."}, status=404)
        return Response(
            {
                "round": round_.pk,
                "wanted": round_.trials,
                "helpers": helpers_at_work(round_),
                "trials": trials_shown(round_),
                "found": round_.searched,
                "settings": settings_to_copy(round_),
            }
        )
