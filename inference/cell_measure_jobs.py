"""Measures of a study's cells as a job: on demand for all cells, by themselves for images that somebody finished."""

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction

from annotation.measuring import cells_due, images_due, measurable, measure_study, settle
from annotation.models import Study
from inference.models import CellMeasureJob
from training.models import JobState


def launch(study: Study, user: Any = None) -> CellMeasureJob:
    """Queue the job of a study; the one that is queued or running already where there is one. It looks for itself what
    is due, and is done at once where nothing is."""
    CellMeasureJob.bury_dead()
    try:
        with transaction.atomic():
            job = CellMeasureJob.objects.create(study=study, requested_by=user)
            job.enqueue()
    except IntegrityError:
        return CellMeasureJob.objects.filter(study=study).order_by("-pk")[0]
    return job


def work(job: CellMeasureJob, stopping: Callable[[], bool] = lambda: False) -> int:
    """Claim and do one job; how many cells were measured, 0 where another worker has the job. A worker that is
    `stopping` puts it back into the queue: what is measured by then stays."""
    if not job.claim():
        return 0
    progress = job.teller(stopping)
    try:
        made = measure_study(job.study, progress)
    except Exception as error:
        job.fail(f"Measuring cells failed: {type(error).__name__}: {error}")
        raise
    gone = "".join(
        f"The image {image.sha256[:12]} is gone from the image store; its cells are not measured.\n"
        for image in made.missing
    )
    job.beat(log=gone, progress=job.progress | {"missing": [image.pk for image in made.missing]})
    if job.state == JobState.RUNNING and stopping() and job.release():
        job.send()
    else:
        job.give_up() or job.succeed()
    return made.cells


def launch_due() -> None:
    """Launch a job for each study that has finished images with cells that were not measured as they are. Called every
    few seconds: one query where nothing is due, a few where something is.

    Not for images that the last job missed, nor after one that failed: who looks at the page of measures can.
    """
    due = images_due().finished()
    for study in Study.objects.filter(pk__in=due.values("study")):
        last = CellMeasureJob.objects.filter(study=study).order_by("-pk").first()
        if last is not None and last.state != JobState.SUCCEEDED:
            continue
        images = list(due.filter(study=study).exclude(pk__in=last.progress.get("missing", []) if last else []))
        with_cells = set(cells_due(measurable().filter(image__in=images)).values_list("image_id", flat=True))
        # A label or a comment changes an image and leaves its borders as they are.
        settle([image for image in images if image.pk not in with_cells])
        if with_cells:
            launch(study)
