"""Judging a bundle on another study's patients by a job: asked for on the bundle's page, and what came of it kept."""

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet

from annotation.diagnoses import UNKNOWN
from annotation.models import Role, Study
from inference.cell_feature_jobs import Extractor, default_extractor
from inference.diagnosis import DiagnosisProblem
from inference.models import ValidationJob
from inference.validation import validate
from training.heartbeat import heard
from training.models import Bundle, JobState, Kind

KNOWN = Count("patients", filter=~Q(patients__diagnosis=UNKNOWN))


class AlreadyValidating(Exception):
    """The bundle is being judged on that study already."""


def judging_studies(bundle: Bundle, user: Any) -> list[Study]:
    """The studies on whose patients somebody may have a bundle judged: others, where they review, with patients of whom
    a diagnosis is `known`. One query, and one a study."""
    others = Study.objects.visible_to(user).exclude(pk=bundle.study_id).annotate(known=KNOWN)
    roles = ((study, study.role_of(user)) for study in others.filter(known__gt=0).order_by("name"))
    return [study for study, role in roles if role is not None and role.includes(Role.REVIEWER)]


def ask(bundle: Bundle, study: Study, user: Any = None) -> ValidationJob:
    """Queue it. Raises AlreadyValidating while another one is queued or running, DiagnosisProblem for a bundle that
    diagnoses nobody, and where no patient's diagnosis is known."""
    ValidationJob.bury_dead()
    if not Kind(bundle.kind).diagnoses:
        raise DiagnosisProblem(f"The bundle {bundle.pk} is a {bundle.kind}, which diagnoses nobody.")
    if not study.patients.exclude(diagnosis=UNKNOWN).exists():
        raise DiagnosisProblem(f"The study {study.name} has no patient whose diagnosis is known.")
    try:
        with transaction.atomic():
            job = ValidationJob.objects.create(bundle=bundle, study=study, requested_by=user)
            job.enqueue()
    except IntegrityError:
        raise AlreadyValidating(f"The bundle is being judged on {study.name} already.") from None
    return job


def last_of(bundle: Bundle, user: Any) -> list[tuple[ValidationJob, ValidationJob | None]]:
    """Of each study that somebody may see, by name, the last job and the last that succeeded. Results of studies that
    are hidden from them stay hidden. One query."""
    last: dict[int, ValidationJob] = {}
    done: dict[int, ValidationJob] = {}
    for job in _visible(user).filter(bundle=bundle):
        last.setdefault(job.study_id, job)
        if job.state == JobState.SUCCEEDED:
            done.setdefault(job.study_id, job)
    return [(job, done.get(key)) for key, job in sorted(last.items(), key=lambda pair: pair[1].study.name)]


def on_patients_of(study: Study, user: Any) -> list[ValidationJob]:
    """The bundles judged on a study's patients, of studies that somebody may see: the last one of each. One query."""
    of_bundle: dict[str, ValidationJob] = {}
    jobs = _visible(user).filter(study=study, state=JobState.SUCCEEDED)
    for job in jobs.filter(bundle__study__in=Study.objects.visible_to(user)):
        of_bundle.setdefault(job.bundle_id, job)
    return list(of_bundle.values())


def _visible(user: Any) -> "QuerySet[ValidationJob]":
    jobs = ValidationJob.objects.filter(study__in=Study.objects.visible_to(user)).defer("log")
    return jobs.select_related("study", "bundle__study", "requested_by").order_by("-pk")


def work(
    job: ValidationJob,
    extractor: Callable[[str], Extractor] = default_extractor,
    stopping: Callable[[], bool] = lambda: False,
) -> bool:
    """Claim and do one job; whether there are figures. A worker that is `stopping` puts it back into the queue, and the
    features that are computed by then stay."""
    if not job.claim():
        return False
    progress = job.teller(stopping)
    try:
        # Nothing is heard of it while networks are loaded, nor while intervals are drawn.
        with heard(job):
            found = validate(job.study, job.bundle, progress, extractor)
    except (DiagnosisProblem, ValueError, OSError) as problem:
        return not job.fail(str(problem))
    except Exception as error:
        job.fail(f"Judging failed: {type(error).__name__}: {error}")
        raise
    job.beat()
    if job.state == JobState.RUNNING and stopping() and job.release():
        # Judged by cells some of which were not seen would be half the truth.
        job.send()
        return False
    return not job.give_up() and job.succeed(result=found)
