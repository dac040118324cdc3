"""Which parts of an image speak for a diagnosis, under /api/v1/: what was asked, asking, a map, ending it."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import image_for, require
from annotation.blind_reading import hidden_cells
from annotation.models import Role, SmearImage
from inference.diagnosis import DiagnosisProblem
from inference.field_why_jobs import BLOCKS, MOST, RESOLUTIONS, ask, bundles_that_explain, hash_of_cells
from inference.models import FieldWhyJob
from training.models import JobState, Kind

BLIND = "You read cells of this image without being told what models say."


class FieldWhyIn(serializers.Serializer[Any]):
    bundle = serializers.CharField(max_length=12)
    decision = serializers.CharField(max_length=200)
    columns = serializers.ChoiceField(RESOLUTIONS)
    overlap = serializers.FloatField()

    def validate_overlap(self, value: float) -> float:
        """1 and 1.0 are the same block."""
        if value not in BLOCKS:
            raise serializers.ValidationError(f"A block is {', '.join(f'{each:g}' for each in BLOCKS)} parts wide.")
        return value


def image_to_explain(user: Any, image_id: int) -> SmearImage:
    """Raises Http404 to an outsider, PermissionDenied to whoever reads cells of it blind."""
    image = image_for(user, image_id)
    if hidden_cells(user.pk, model=True).filter(cell__image=image).exists():
        raise PermissionDenied(BLIND)
    return image


def stand_json(image: SmearImage) -> dict[str, Any]:
    """maps: those that are made, the newest first; job: the last one asked for, where it is under way or came to
    nothing. Four queries."""
    FieldWhyJob.bury_dead()
    now = hash_of_cells(image)
    jobs = FieldWhyJob.objects.filter(image=image).select_related("bundle").defer("log")
    made = jobs.filter(state=JobState.SUCCEEDED)[:MOST]
    last = jobs.first()
    return {
        "maps": [_told(job, now) for job in made],
        "job": None if last is None or last.state == JobState.SUCCEEDED else _told(last, now),
    }


def _told(job: FieldWhyJob, cells_hash: str) -> dict[str, Any]:
    return {
        "id": job.pk,
        "state": job.state,
        "reason": job.reason,
        "progress": job.progress,
        "bundle": job.bundle_id,
        "model": str(Kind(job.bundle.kind).label),
        "decision": job.decision,
        "columns": job.columns,
        "rows": job.rows,
        "overlap": job.overlap,
        "made_at": job.finished_at,
        # Cells were added, taken away or moved since; who looks at the whole image does not see that.
        "old": job.bundle.kind != Kind.IMAGE and job.cells_hash != cells_hash,
        "probability": job.result.get("probability"),
        "of": job.result.get("of"),
    }


def choices_json(image: SmearImage) -> list[dict[str, Any]]:
    """The decisions that can be asked for: {bundle, decision, words}."""
    return [
        {
            "bundle": bundle.pk,
            "decision": each["name"],
            "words": f"{each['name']}: {Kind(bundle.kind).label}"
            + (f" of round {bundle.made_by.number}" if bundle.made_by else f" {bundle.pk}")
            + (", in use" if bundle.in_use else ""),
        }
        for bundle in bundles_that_explain(image.study)
        for each in (bundle.card.get("architecture") or {}).get("decisions") or ()
    ]


@extend_schema(request=FieldWhyIn, responses=OpenApiTypes.OBJECT)
class FieldWhy(APIView):
    """GET: {choices, maps, job}. POST: have a map made; what is under way for the image is answered instead."""

    def get(self, request: Request, image_id: int) -> Response:
        image = image_to_explain(request.user, image_id)
        return Response(stand_json(image) | {"choices": choices_json(image)})

    def post(self, request: Request, image_id: int) -> Response:
        image = image_to_explain(request.user, image_id)
        given = FieldWhyIn(data=request.data)
        given.is_valid(raise_exception=True)
        asked = given.validated_data
        bundle = next((each for each in bundles_that_explain(image.study) if each.pk == asked["bundle"]), None)
        if bundle is None:
            return Response({"detail": "The study has no such bundle that diagnoses."}, status=400)
        try:
            ask(image, bundle, asked["decision"], asked["columns"], asked["overlap"], request.user)
        except DiagnosisProblem as problem:
            return Response({"detail": str(problem)}, status=400)
        return Response(stand_json(image), status=202)


def _job(request: Request, image: SmearImage, job_id: int) -> FieldWhyJob:
    job = FieldWhyJob.objects.filter(image=image, pk=job_id).select_related("bundle").first()
    if job is None:
        raise Http404("There is no such map of this image.")
    return job


@extend_schema(responses=OpenApiTypes.OBJECT)
class FieldWhyMap(APIView):
    def get(self, request: Request, image_id: int, job_id: int) -> Response:
        """A map: `changes`, rows of by how much the probability falls when each part is covered, `colours` for drawing
        (inference/field_why_jobs.py), `cells` (0 of a whole image), `chain`, `seconds`. 404 of one that is not made."""
        image = image_to_explain(request.user, image_id)
        job = _job(request, image, job_id)
        if job.state != JobState.SUCCEEDED:
            raise Http404("This map is not made.")
        return Response(_told(job, hash_of_cells(image)) | job.result)


@extend_schema(request=None, responses=OpenApiTypes.OBJECT)
class FieldWhyCancel(APIView):
    def post(self, request: Request, image_id: int, job_id: int) -> Response:
        """Ask for the end of what is under way: of one's own, or as a reviewer."""
        image = image_to_explain(request.user, image_id)
        job = _job(request, image, job_id)
        if job.requested_by_id != request.user.pk:
            require(request.user, image.study, Role.REVIEWER)
        job.cancel(request.user.get_username())
        return Response(stand_json(image))
