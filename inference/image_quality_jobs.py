"""Which images of a study can be trusted, judged when they arrive: what nobody has judged yet, by a job of its own."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Now
from PIL import Image

from annotation.cell_crops import cells_to_classify, typical_px
from annotation.label_choice import choices_of
from annotation.models import ImageQuality, Label, SmearImage, Study
from annotation.store import ImageStore
from inference.image_quality import (
    METHOD,
    SMUDGE,
    Finding,
    Quality,
    SeenCell,
    Verdict,
    field_view,
    is_smudge,
    judge_cells,
    judge_pixels,
)
from inference.models import ImageQualityJob
from inference.region_selection import Regions, regions_of
from training.models import JobState
from training.models.job import LIVE

# Images whose cells changed are judged by those once more, no sooner than this after the last time, so many at a time.
AGAIN_AFTER, AGAIN_AT_ONCE = timedelta(seconds=60), 50
# A pass that failed or was cancelled is not asked for by itself again for so long.
AFTER_FAILURE = timedelta(minutes=10)
# After so long a pass lets what else waits for its worker go first.
TURN_SECONDS = 20.0
# By this process's clock: when cells that changed are looked for again.
_look_again_at = 0.0


def launch(study: Study, user: Any = None) -> ImageQualityJob:
    """Queue the job of a study; the one that is queued or running already where there is one."""
    ImageQualityJob.bury_dead()
    try:
        with transaction.atomic():
            job = ImageQualityJob.objects.create(study=study, requested_by=user)
            job.enqueue()
    except IntegrityError:
        return ImageQualityJob.objects.filter(study=study).order_by("-pk")[0]
    return job


def look() -> None:
    """Have judged what has arrived; whoever looks after jobs calls it every few seconds. Two small queries."""
    jobs = ImageQualityJob.objects.filter(study=OuterRef("pk"))
    ended_badly = jobs.filter(state__in=(JobState.FAILED, JobState.CANCELLED), created_at__gt=Now() - AFTER_FAILURE)
    for study in Study.objects.filter(
        Exists(unjudged().filter(study=OuterRef("pk"))), ~Exists(jobs.filter(state__in=LIVE)), ~Exists(ended_badly)
    ):
        launch(study)
    global _look_again_at
    if time.monotonic() >= _look_again_at:
        _look_again_at = time.monotonic() + AGAIN_AFTER.total_seconds()
        look_again()


def unjudged() -> QuerySet[SmearImage]:
    """Images that no pass of the present method has judged."""
    judged = ImageQuality.objects.filter(image=OuterRef("pk"), method=METHOD)
    return SmearImage.objects.filter(~Exists(judged))


def look_again() -> None:
    """Count smudge cells anew on images whose cells have changed since they were judged."""
    rows = ImageQuality.objects.filter(method=METHOD).exclude(revision=F("image__revision"))
    rows = rows.filter(judged_at__lt=Now() - AGAIN_AFTER).select_related("image")
    for row in rows[:AGAIN_AT_ONCE]:
        judge_again(row)


def work(job: ImageQualityJob, stopping: Callable[[], bool] = lambda: False) -> int:
    """Claim and do one job; how many images it judged, 0 where another worker has it. A worker that is `stopping`, or
    has done it for TURN_SECONDS, puts it back into the queue: what is judged by then stays."""
    if not job.claim():
        return 0
    began = time.monotonic()

    def progress(done: int, total: int) -> bool:
        mine = job.beat(progress={"done": done, "total": total})
        mine = mine and job.state == JobState.RUNNING
        return mine and not stopping() and time.monotonic() - began < TURN_SECONDS

    try:
        judged = judge_study(job.study, progress)
    except Exception as error:
        job.fail(f"Judging the images failed: {type(error).__name__}: {error}")
        raise
    if job.state == JobState.RUNNING and unjudged().filter(study=job.study).exists() and job.release():
        # Behind whatever else waits for this worker: proposals, say, that somebody asked for.
        job.send()
    else:
        job.give_up() or job.succeed()
    return judged


def judge_study(study: Study, progress: Callable[[int, int], bool] | None = None) -> int:
    """Judge the images of a study that nobody has judged by the present method; how many.

    `progress` is told how many of how many are done, before the first and after each, and ends the pass by returning
    False.
    """
    waiting = list(unjudged().filter(study=study).order_by("pk"))
    typical = typical_px(study)
    if progress is not None and not progress(0, len(waiting)):
        return 0
    for done, image in enumerate(waiting, start=1):
        keep(image, judge(image, typical))
        if progress is not None and not progress(done, len(waiting)):
            return done
    return len(waiting)


@dataclass(frozen=True)
class Judged:
    """regions: None where there is nothing to choose between: a picture of one cell, or one that cannot be read."""

    quality: Quality
    regions: Regions | None


def judge(image: SmearImage, typical: float | None) -> Judged:
    """Judge one image by its pixels and by the labels of its cells. `typical` is typical_px of its study."""
    try:
        with Image.open(ImageStore(Path(settings.IMAGE_STORE)).pixels(image.sha256)) as file:
            pixels = np.asarray(file.convert("RGB"))
        view = field_view(pixels, image.um_per_pixel, typical)
    except OSError:
        return _unread("The image is gone from the image store.")
    except ValueError:
        return _unread("The image is too small to be judged.")
    findings = judge_pixels(pixels, view)
    if image.single_cell:
        # Cut around one cell: how much lies beside it says nothing of the smear.
        return Judged(Quality(tuple(each for each in findings if each.criterion != "density")), None)
    regions = regions_of(view)
    share = [] if regions.finding is None else [regions.finding]
    return Judged(Quality((*findings, *share, *judge_cells(seen_cells(image)))), regions)


def _unread(sentence: str) -> Judged:
    return Judged(Quality((Finding("file", None, "", Verdict.BAD, sentence),)), None)


def seen_cells(image: SmearImage) -> list[SeenCell]:
    """The image's cells with the type that holds for each. Four queries."""
    names = dict(Label.objects.filter(group__study=image.study_id, group__multiple=False).values_list("pk", "name"))
    cells = list(cells_to_classify(image.study).filter(image=image).values_list("pk", flat=True))
    chosen = choices_of(cells, None)
    seen = [
        SeenCell(next((names[label] for label in chosen[cell].labels if label in names), "") if cell in chosen else "")
        for cell in cells
    ]
    # Those that an import brought as regions to leave out.
    ignored = image.cells.confirmed().filter(ignored=True).values_list("ignored_class", flat=True)
    return [*seen, *(SeenCell(name) for name in ignored if is_smudge(name))]


def keep(image: SmearImage, judged: Judged) -> None:
    """Store what was judged, in place of what was before."""
    quality, regions = judged.quality, judged.regions
    ImageQuality.objects.update_or_create(
        image=image,
        defaults={
            "method": METHOD,
            "revision": image.revision,
            "verdict": str(quality.verdict),
            "reason": quality.reason,
            "findings": quality.to_json(),
            "tiles": regions.to_json() if regions else [],
            "good_share": regions.good_share if regions else None,
        },
    )


def judge_again(row: ImageQuality) -> None:
    """Judge by the labels of its cells alone, without opening the image."""
    image = row.image
    kept = [finding for finding in Quality.from_json(row.findings).findings if finding.criterion != SMUDGE]
    quality = Quality((*kept, *([] if image.single_cell else judge_cells(seen_cells(image)))))
    row.verdict, row.reason = str(quality.verdict), quality.reason
    row.findings, row.revision = quality.to_json(), image.revision
    row.save()
