"""Rounds under /api/v1/: those of a study, launching one, watching it, cancelling and resuming it."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import study_for
from annotation.models import Role, Study
from training.access import round_for
from training.classifier_target import TargetError
from training.freeze import RoundRefused
from training.judged_curves import curves_in
from training.launching import launch, launch_classifier, launch_diagnosis, resume
from training.models import JobState, Kind, Round
from training.parent_choice import AUTO
from training.selection import Selection, SelectionError
from training.settings import SettingsError
from training.target_choice import find_target
from training.unchanged import RoundUnchanged

# The newest rounds of a study; older ones are asked for by their id.
LISTED = 200


def round_json(round_: Round, *, whole: bool = False) -> dict[str, Any]:
    """A round as the API gives it; `whole` adds the log, the curve of the loss, those it was judged by and the place
    in the queue (one query)."""
    body: dict[str, Any] = {
        "id": round_.pk,
        "study": round_.study_id,
        "number": round_.number,
        "kind": round_.kind,
        "target": round_.target,
        "state": round_.state,
        "reason": round_.reason,
        "requested_by": round_.requested_by.get_username() if round_.requested_by else None,
        "created_at": round_.created_at,
        "started_at": round_.started_at,
        "finished_at": round_.finished_at,
        "settings": round_.settings,
        "seed": round_.seed,
        "selection": round_.selection,
        "trials": round_.trials,
        "searched": round_.searched,
        "snapshot": round_.snapshot,
        "counts": round_.counts,
        "parent": round_.parent_id,
        "bundle": round_.bundle_id,
        "in_use": bool(round_.bundle and round_.bundle.in_use),
        "progress": round_.progress,
        "metrics": round_.metrics,
        "comparison": round_.comparison,
        "seconds": round_.seconds,
        "peak_memory": round_.peak_memory,
    }
    if whole:
        body |= {
            "folds": round_.folds,
            "data_changes": round_.data_changes,
            "versions": round_.versions,
            "queued_before": round_.queued_before() if round_.state == JobState.QUEUED else None,
            "curve": round_.curve,
            "curves": curves_in(round_.bundle.card) if round_.bundle else {},
            "log": round_.log,
        }
    return body


class LaunchIn(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=Kind.choices, required=False, default=Kind.DETECTOR)
    # Of a classifier: what it tells apart, a group of labels or one label; names in whatever spelling.
    group = serializers.CharField(required=False, max_length=100)
    # As `parent` below, it hides nothing.
    label = serializers.CharField(required=False, max_length=100)  # type: ignore[assignment]
    settings = serializers.DictField(required=False)
    seed = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1, default=0)
    # Declared fields leave the class again, so it hides none of Field's own `parent`; mypy does not know that.
    parent = serializers.CharField(  # type: ignore[assignment]
        required=False, allow_null=True, default=AUTO, max_length=12
    )

    # {"state": "finished", "reviewed" or "annotated", "patients": [codes], "labels": [names]}, each of them optional.
    selection = serializers.DictField(required=False)
    trials = serializers.IntegerField(required=False, min_value=0, max_value=100_000, default=0)
    # Train also what an earlier round has learned already.
    again = serializers.BooleanField(required=False, default=False)


class StudyRounds(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, study_id: int) -> Response:
        """The rounds of a study, newest first, 200 at most; of one kind with ?kind= and its name."""
        study = study_for(request.user, study_id)
        kind = request.query_params.get("kind")
        Round.bury_dead()
        rounds = (
            Round.objects.filter(study=study)
            .select_related("requested_by", "bundle")
            .defer("log", "curve", "bundle__card")
            .order_by("-number")
        )
        if kind is not None:
            rounds = rounds.filter(kind=kind)
        return Response({"rounds": [round_json(round_) for round_ in rounds[:LISTED]]})

    @extend_schema(request=LaunchIn, responses={201: OpenApiTypes.OBJECT})
    def post(self, request: Request, study_id: int) -> Response:
        """Launch a round. 400 for settings or a selection that make no sense, 409 where none can be trained on the
        study now, with `unchanged_since`, a round's number, where there is nothing new to learn since then."""
        study = study_for(request.user, study_id, Role.ADMIN)
        asked = LaunchIn(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        try:
            if data["kind"] == Kind.CLASSIFIER:
                made = _launch_classifier(study, request.user, data)
            elif Kind(data["kind"]).diagnoses:
                made = _launch_diagnosis(study, request.user, data)
            else:
                made = launch(
                    study,
                    request.user,
                    data.get("settings"),
                    seed=data["seed"],
                    parent=data["parent"],
                    selection=Selection.of(data.get("selection")),
                    trials=data["trials"],
                    again=data["again"],
                )
        except (SettingsError, SelectionError, TargetError) as error:
            return Response({"detail": str(error)}, status=400)
        except RoundUnchanged as unchanged:
            return Response({"detail": str(unchanged), "unchanged_since": unchanged.round.number}, status=409)
        except RoundRefused as refused:
            return Response({"detail": str(refused)}, status=409)
        return Response(round_json(made, whole=True), status=201)


def _launch_classifier(study: Study, user: Any, data: dict[str, Any]) -> Round:
    if data["parent"] != AUTO:
        raise SettingsError("A classifier starts from its backbone.")
    return launch_classifier(
        study,
        find_target(study, group=data.get("group"), label=data.get("label")),
        user,
        data.get("settings"),
        seed=data["seed"],
        selection=Selection.of(data.get("selection")),
        trials=data["trials"],
        again=data["again"],
    )


def _launch_diagnosis(study: Study, user: Any, data: dict[str, Any]) -> Round:
    if data["parent"] != AUTO:
        raise SettingsError("A model that diagnoses starts from its backbone.")
    return launch_diagnosis(
        study,
        Kind(data["kind"]),
        user,
        data.get("settings"),
        seed=data["seed"],
        selection=Selection.of(data.get("selection")),
        trials=data["trials"],
        again=data["again"],
    )


class RoundDetail(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, round_id: int) -> Response:
        """One round with its progress, log and curve."""
        Round.bury_dead()
        return Response(round_json(round_for(request.user, round_id), whole=True))


class RoundCancel(APIView):
    @extend_schema(request=None, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, round_id: int) -> Response:
        """Ask for a round's end. 409 where it has ended, or is ending, already."""
        round_ = round_for(request.user, round_id, Role.ADMIN)
        done = round_.cancel(by=request.user.get_username())
        round_.refresh_from_db()
        if not done:
            return Response({"detail": f"The round is {round_.state} already."}, status=409)
        return Response(round_json(round_, whole=True))


class RoundResume(APIView):
    @extend_schema(request=None, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, round_id: int) -> Response:
        """Let a round that failed or was cancelled go on from its last checkpoint. 409 where it cannot."""
        round_ = round_for(request.user, round_id, Role.ADMIN)
        try:
            resume(round_, request.user.get_username())
        except RoundRefused as refused:
            return Response({"detail": str(refused)}, status=409)
        return Response(round_json(round_.reload(), whole=True))
