"""A study's effort under /api/v1/: what each round cost to correct, by whom and on whose cells."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import study_for
from annotation.effort import PAUSE_SECONDS, Effort, count_effort
from training.access import sees_others
from training.effort import LEVEL, Gain, Share, Stage, by_annotator, by_patient, effort_curve


class EffortOut(serializers.Serializer[Any]):
    images = serializers.IntegerField()
    cells = serializers.IntegerField(help_text="accepted, moved and added")
    accepted = serializers.IntegerField()
    moved = serializers.IntegerField()
    deleted = serializers.IntegerField()
    added = serializers.IntegerField()
    corrections_per_cell = serializers.FloatField(allow_null=True)
    seconds = serializers.FloatField(help_text="of work on borders, pauses left out")
    seconds_per_cell = serializers.FloatField(allow_null=True)


class GainOut(serializers.Serializer[Any]):
    verdict = serializers.ChoiceField(choices=["gains", "converged", "worse", "unclear", "few", "none"])
    sentence = serializers.CharField()
    saved = serializers.FloatField(allow_null=True)
    interval = serializers.ListField(child=serializers.FloatField(), allow_null=True, help_text="of saved")
    difference = serializers.ListField(
        child=serializers.FloatField(), allow_null=True, help_text="of the corrections per cell, new less old"
    )


class StageOut(EffortOut):
    number = serializers.IntegerField(allow_null=True, help_text="0: first proposals; null: no round of this study")
    round = serializers.IntegerField(allow_null=True, help_text="the round's id")
    bundle = serializers.CharField(allow_blank=True)
    name = serializers.CharField()
    interval = serializers.ListField(
        child=serializers.FloatField(), allow_null=True, help_text="of the corrections per cell"
    )
    gain = GainOut(allow_null=True)


class ShareOut(EffortOut):
    id = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()


class CurveOut(serializers.Serializer[Any]):
    statement = GainOut()
    rounds = StageOut(many=True)
    by_annotator = ShareOut(many=True, help_text="an annotator's own alone, for one")
    by_patient = ShareOut(many=True)
    level = serializers.FloatField(help_text="of the intervals")
    pause_seconds = serializers.IntegerField(help_text="longer gaps between two actions are no work")


def effort_json(effort: Effort) -> dict[str, Any]:
    return {
        "images": effort.images,
        "cells": effort.cells,
        "accepted": effort.accepted,
        "moved": effort.moved,
        "deleted": effort.deleted,
        "added": effort.added,
        "corrections_per_cell": effort.corrections_per_cell,
        "seconds": effort.seconds,
        "seconds_per_cell": effort.seconds_per_cell,
    }


def gain_json(gain: Gain) -> dict[str, Any]:
    return asdict(gain)


def stage_json(stage: Stage) -> dict[str, Any]:
    return {
        "number": stage.number,
        "round": stage.round_id,
        "bundle": stage.bundle,
        "name": stage.name,
        **effort_json(stage.effort),
        "interval": stage.interval,
        "gain": gain_json(stage.gain) if stage.gain else None,
    }


def share_json(share: Share) -> dict[str, Any]:
    return {"id": share.key, "name": share.name, **effort_json(share.effort)}


class StudyEffort(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("round", int, description="annotators and patients of this round alone")],
        responses=CurveOut,
    )
    def get(self, request: Request, study_id: int) -> Response:
        """The effort curve of a study, and whether its last round still gained. The first time takes seconds in a
        large study."""
        study = study_for(request.user, study_id)
        count_effort(study)
        curve = effort_curve(study)
        asked = request.query_params.get("round")
        chosen = curve.round(asked)
        if asked is not None and chosen is None:
            return Response({"detail": f"No finished image had proposals of round {asked}."}, status=404)
        works = chosen.works if chosen else curve.works
        only = None if sees_others(study.role_of(request.user)) else request.user.pk
        return Response(
            {
                "statement": gain_json(curve.statement),
                "rounds": [stage_json(stage) for stage in curve.stages],
                "by_annotator": [share_json(share) for share in by_annotator(works, only)],
                "by_patient": [share_json(share) for share in by_patient(study, works)],
                "level": LEVEL,
                "pause_seconds": PAUSE_SECONDS,
            }
        )
