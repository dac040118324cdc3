"""Proposals under /api/v1/: asking for them, and how the last pass went."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import study_for
from annotation.models import Role
from inference.models import ProposalJob
from inference.proposal_jobs import AlreadyProposing, ask
from inference.proposals import ProposalProblem


def job_json(job: ProposalJob) -> dict[str, Any]:
    run = job.run
    return {
        "id": job.pk,
        "study": job.study_id,
        "state": job.state,
        "reason": job.reason,
        "bundle": job.bundle_id,
        "progress": job.progress,
        "images": run.images if run else None,
        "proposals": run.proposals if run else None,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
    }


@extend_schema(request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT)
class StudyProposals(APIView):
    """GET: the last pass (404 before the first). POST {"bundle"?}: ask for one; 409 while one is under way."""

    def get(self, request: Request, study_id: int) -> Response:
        study = study_for(request.user, study_id)
        ProposalJob.bury_dead()
        job = ProposalJob.objects.filter(study=study).select_related("run").first()
        if job is None:
            return Response({"detail": "Nothing has been proposed by the button yet."}, status=404)
        return Response(job_json(job))

    def post(self, request: Request, study_id: int) -> Response:
        study = study_for(request.user, study_id, Role.ADMIN)
        bundle = request.data.get("bundle") if isinstance(request.data, dict) else None
        try:
            job = ask(study, request.user, str(bundle) if bundle else None)
        except AlreadyProposing as problem:
            return Response({"detail": str(problem)}, status=409)
        except ProposalProblem as problem:
            return Response({"detail": str(problem)}, status=400)
        return Response(job_json(job), status=201)
