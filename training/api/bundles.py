"""Bundles under /api/v1/: those of a study with the history of promotions, and which of them makes its proposals."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import study_for
from annotation.models import Role
from training.access import bundle_for
from training.models import Bundle, Kind, Promotion
from training.promotions import bundles_of, history_of


def bundle_json(bundle: Bundle) -> dict[str, Any]:
    round_ = bundle.made_by
    return {
        "id": bundle.pk,
        "study": bundle.study_id,
        "kind": bundle.kind,
        "target": bundle.target,
        "round": round_.pk if round_ else None,
        "in_use": bundle.in_use,
        "metrics": bundle.card.get("metrics"),
        "created_at": bundle.created_at,
    }


def promotion_json(promotion: Promotion) -> dict[str, Any]:
    return {
        "at": promotion.at,
        "by": promotion.by.get_username() if promotion.by else None,
        "bundle": promotion.bundle_id,
        "previous": promotion.previous_id,
    }


class StudyBundles(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, study_id: int) -> Response:
        """The detectors of a study, or with ?kind=classifier its classifiers, and the promotions of those in use,
        newest first, 200 of each at most."""
        study = study_for(request.user, study_id)
        kind = request.query_params.get("kind", Kind.DETECTOR)
        return Response(
            {
                "bundles": [bundle_json(bundle) for bundle in bundles_of(study, kind)],
                "promotions": [promotion_json(promotion) for promotion in history_of(study, kind)],
            }
        )


class BundlePromote(APIView):
    @extend_schema(request=None, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, study_id: int, bundle_id: str) -> Response:
        """Make a bundle the one in use: forward, or back to an earlier one."""
        bundle = bundle_for(request.user, study_id, bundle_id, Role.ADMIN)
        bundle.promote(by=request.user)
        return Response(bundle_json(bundle))
