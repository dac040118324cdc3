"""Cells on which readers differ, and what reviewers decide, under /api/v1/."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import study_for
from annotation.adjudication import Decision, Dispute, cell_for, decide, decisions_on, disputes
from annotation.models import LabelGroup, Reading, Role
from annotation.operations import REFUSED, STALE

# So many cells are told at a time.
PAGE = 200


class StudyDisputes(APIView):
    @extend_schema(
        parameters=[
            OpenApiParameter("group", int, required=True),
            OpenApiParameter("reading", int),
            OpenApiParameter("decided", bool),
        ],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request, study_id: int) -> Response:
        """The cells on which readers differ in a label group and nobody has decided, for reviewers, 200 at most; with
        decided=1 those on which somebody has."""
        study = study_for(request.user, study_id, Role.REVIEWER)
        asked = request.query_params
        group = _found(LabelGroup.objects.filter(study=study), asked.get("group", ""), "label group")
        reading = (
            _found(Reading.objects.filter(study=study), asked["reading"], "reading") if "reading" in asked else None
        )
        viewer: Any = request.user.pk
        found = disputes(group, viewer, reading, decided=asked.get("decided") in ("1", "true"))
        return Response({"count": len(found), "cells": [dispute_json(each) for each in found[:PAGE]]})


class AdjudicationIn(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="Made by the client; sending it again changes nothing.")
    version = serializers.IntegerField(min_value=0, max_value=2_000_000_000)
    group = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    labels = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1),
        max_length=200,
        allow_null=True,
        help_text="Empty: none applies. Null takes back what was decided.",
    )
    note = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")


class CellAdjudication(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, cell_id: UUID) -> Response:
        """All that reviewers ever decided on a cell and took back, the last first, for reviewers."""
        cell = cell_for(request.user, cell_id)
        return Response(
            {"version": cell.version, "decisions": [_decision_json(each) for each in decisions_on(cell.pk)]}
        )

    @extend_schema(request=AdjudicationIn, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, cell_id: UUID) -> Response:
        """Decide which labels of a group count for a cell, or take that back, for reviewers. 412 where somebody has
        changed the cell since that version, 409 where it cannot be."""
        cell = cell_for(request.user, cell_id)
        asked = AdjudicationIn(data=request.data)
        asked.is_valid(raise_exception=True)
        result = decide(cell, request.user, **asked.validated_data)
        answer = {
            "id": str(result.id),
            "status": result.status,
            "version": result.cell.version if result.cell else None,
        }
        if result.reason:
            answer["detail"] = result.reason
        return Response(answer, status={STALE: 412, REFUSED: 409}.get(result.status, 200))


def dispute_json(dispute: Dispute) -> dict[str, Any]:
    return {
        "cell": str(dispute.cell),
        "version": dispute.version,
        "image": dispute.image,
        "patient": dispute.patient,
        "waiting": dispute.waiting,
        "said": [
            {
                "by": word.reader,
                "labels": list(word.labels),
                "confidence": {str(label): value for label, value in word.confidence.items()},
            }
            for word in dispute.words
        ],
        "decision": _decision_json(dispute.decision) if dispute.decision else None,
    }


def _decision_json(decision: Decision) -> dict[str, Any]:
    return {
        "group": decision.group,
        "labels": decision.labels,
        "by": decision.by,
        "at": decision.at.isoformat(),
        "note": decision.note,
    }


def _found(rows: Any, asked: str, what: str) -> Any:
    known = asked.isascii() and asked.isdecimal() and len(asked) < 18
    found = rows.filter(pk=int(asked)).first() if known else None
    if found is None:
        raise Http404(f"There is no such {what} in this study.")
    return found
