"""Classification under /api/v1/: asking for it, and how the last pass went."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import study_for
from annotation.models import Role
from inference.classification import ClassifyProblem
from inference.classify_jobs import AlreadyClassifying, ask
from inference.models import ClassifyJob


def job_json(job: ClassifyJob) -> dict[str, Any]:
    return {
        "id": job.pk,
        "study": job.study_id,
        "state": job.state,
        "reason": job.reason,
        "bundle": job.bundle_id,
        "progress": job.progress,
        "result": job.result,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
    }


@extend_schema(request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT)
class StudyClassification(APIView):
    """GET: the last pass (404 before the first). POST {"bundle"?}: ask for one; 409 while one is under way."""

    def get(self, request: Request, study_id: int) -> Response:
        study = study_for(request.user, study_id)
        ClassifyJob.bury_dead()
        job = ClassifyJob.objects.filter(study=study).first()
        if job is None:
            return Response({"detail": "No classifier has looked at all cells of this study yet."}, status=404)
        return Response(job_json(job))

    def post(self, request: Request, study_id: int) -> Response:
        study = study_for(request.user, study_id, Role.ADMIN)
        bundle = request.data.get("bundle") if isinstance(request.data, dict) else None
        try:
            job = ask(study, request.user, str(bundle) if bundle else None)
        except AlreadyClassifying as problem:
            return Response({"detail": str(problem)}, status=409)
        except ClassifyProblem as problem:
            return Response({"detail": str(problem)}, status=400)
        return Response(job_json(job), status=201)
