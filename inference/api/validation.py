"""Bundles judged on the patients of other studies, under /api/v1/."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import study_for
from annotation.models import Role
from inference.diagnosis import DiagnosisProblem
from inference.models import ValidationJob
from inference.validation import without_patients
from inference.validation_jobs import AlreadyValidating, ask, last_of
from training.access import bundle_for


def job_json(job: ValidationJob, done: ValidationJob | None = None) -> dict[str, Any]:
    return {
        "study": job.study_id,
        "state": job.state,
        "reason": job.reason,
        "progress": job.progress,
        "created_at": job.created_at,
        "finished_at": done.finished_at if done else None,
        # The codes of patients stand on the page, where those are left out that somebody reads blind.
        "result": without_patients(done.result) if done else None,
    }


@extend_schema(request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT)
class BundleValidations(APIView):
    """GET: of each study that you are a member of how the last job stands, and in `result` the figures of the last that
    succeeded, with curves and their bands. POST {"study": id}: have the bundle judged there, for its reviewers; 409
    while that is under way."""

    def get(self, request: Request, study_id: int, bundle_id: str) -> Response:
        bundle = bundle_for(request.user, study_id, bundle_id)
        ValidationJob.bury_dead()
        return Response({"validations": [job_json(job, done) for job, done in last_of(bundle, request.user)]})

    def post(self, request: Request, study_id: int, bundle_id: str) -> Response:
        bundle = bundle_for(request.user, study_id, bundle_id)
        key = request.data.get("study") if isinstance(request.data, dict) else None
        if not isinstance(key, int) or isinstance(key, bool):
            return Response({"detail": "Name a study by its id."}, status=400)
        study = study_for(request.user, key, Role.REVIEWER)
        try:
            job = ask(bundle, study, request.user)
        except AlreadyValidating as problem:
            return Response({"detail": str(problem)}, status=409)
        except DiagnosisProblem as problem:
            return Response({"detail": str(problem)}, status=400)
        return Response(job_json(job), status=201)
