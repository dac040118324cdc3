"""How far cells speak for a diagnosis, under /api/v1/: asking MILLIE, and how its last pass went."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import study_for
from annotation.models import Study
from inference.cell_evidence import AlreadyScoring, ask, decisions_kept
from inference.diagnosis import DiagnosisProblem
from inference.models import EvidenceJob
from training.models import JobState


def stand_json(study: Study) -> dict[str, Any]:
    """decisions: for which cells are scored, as the gallery's order takes them with sort=speaks-for; scored_at: when
    that was last."""
    EvidenceJob.bury_dead()
    jobs = EvidenceJob.objects.filter(study=study).defer("log")
    job, scored = jobs.first(), jobs.filter(state=JobState.SUCCEEDED).first()
    return {
        "decisions": decisions_kept(study),
        "scored_at": scored.finished_at if scored else None,
        "job": None
        if job is None
        else {"state": job.state, "reason": job.reason, "progress": job.progress, "bundle": job.bundle_id},
    }


@extend_schema(request=None, responses=OpenApiTypes.OBJECT)
class StudyEvidence(APIView):
    """GET: the decisions for which cells are scored, and the last job. POST: have the MILLIE in use score all cells;
    409 while that is under way."""

    def get(self, request: Request, study_id: int) -> Response:
        return Response(stand_json(study_for(request.user, study_id)))

    def post(self, request: Request, study_id: int) -> Response:
        study = study_for(request.user, study_id)
        try:
            ask(study, request.user)
        except AlreadyScoring as problem:
            return Response({"detail": str(problem)}, status=409)
        except DiagnosisProblem as problem:
            return Response({"detail": str(problem)}, status=400)
        return Response(stand_json(study), status=201)
