"""Classifying on the worker, for the button: asked for once, followed by its row, cancelled between two batches."""

from collections.abc import Callable
from typing import Any

import numpy as np
from django.db import IntegrityError, transaction
from django.utils import timezone

from annotation.models import SmearImage, Study
from inference.cell_feature_jobs import Extractor, default_extractor
from inference.classification import (
    Classified,
    ClassifyProblem,
    cells_of,
    chosen_classifiers,
    classify,
    keep,
    known_labels,
)
from inference.models import ClassifyJob
from inference.told_table import keep_table
from training.heartbeat import heard
from training.models import Bundle, JobState, Kind

# A label that is at least so probable is what a cell is taken for.
TAKEN = 0.5


class AlreadyClassifying(Exception):
    """The cells of this study are being classified already."""


def bundles_for(study: Study, user: Any) -> list[Bundle]:
    """The classifiers that somebody may have classify the study's cells: its own, those in use first, and those in use
    of other studies that they are a member of. Two queries."""
    classifiers = Bundle.objects.filter(kind=Kind.CLASSIFIER).select_related("study").defer("card")
    own = classifiers.filter(study=study).order_by("-in_use", "-created_at")
    others = classifiers.filter(study__in=Study.objects.visible_to(user).exclude(pk=study.pk), in_use=True)
    return [*own, *others.order_by("study__name", "-promoted_at")]


def ask(study: Study, user: Any, bundle_id: str | None = None) -> ClassifyJob:
    """Queue a pass over the cells of a study, by the bundle named or by the classifiers in use.

    Raises AlreadyClassifying while another one is queued or running, and ClassifyProblem where there is no such bundle
    that the user may know of, no classifier in use, or no cell.
    """
    ClassifyJob.bury_dead()
    if bundle_id is None:
        chosen_classifiers(study, None)
        bundle = None
    else:
        bundle = next((each for each in bundles_for(study, user) if each.pk == bundle_id), None)
        if bundle is None:
            raise ClassifyProblem(f"There is no classifier {bundle_id!r}.")
    if not cells_of(study).exists():
        raise ClassifyProblem("There is no cell to classify: nobody has drawn or accepted a border.")
    try:
        with transaction.atomic():
            job = ClassifyJob.objects.create(study=study, bundle=bundle, requested_by=user)
            job.enqueue()
    except IntegrityError:
        raise AlreadyClassifying("The cells of this study are being classified already.") from None
    return job


def work(
    job: ClassifyJob,
    extractor: Callable[[str], Extractor] = default_extractor,
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Claim and do one job; returns at once where another worker has it. Nothing is stored of one that is cancelled but
    the features that were computed; a worker that is `stopping` puts it back into the queue."""
    if not job.claim():
        return

    progress = job.teller(stopping)

    try:
        # Nothing is heard of it while what sees cells is loaded, nor while probabilities are written.
        with heard(job):
            bundles = [job.bundle] if job.bundle else chosen_classifiers(job.study, None)
            classified = classify(job.study, bundles, progress, extractor)
            if not job.beat():
                return
            if job.state == JobState.RUNNING and stopping() and job.release():
                job.send()
            elif not job.give_up():
                job.succeed(result=finish(job, classified))
    except (ClassifyProblem, ValueError, OSError) as problem:
        job.fail(str(problem))
    except Exception as error:
        job.fail(f"Classifying failed: {type(error).__name__}: {error}")
        raise


def kept_at_once(classified: Classified, bundle_id: str | None) -> ClassifyJob:
    """A job that is done, for what the command line classified and keeps."""
    now = timezone.now()
    job = ClassifyJob.objects.create(
        study=classified.study, bundle_id=bundle_id, state=JobState.SUCCEEDED, started_at=now, finished_at=now
    )
    job.result = finish(job, classified)
    job.save(update_fields=["result"])
    return job


def finish(job: ClassifyJob, classified: Classified) -> dict[str, Any]:
    """Store what was said of each cell, and sum it up: ClassifyJob.result."""
    keep_table(job, classified)
    strange = keep(classified)
    return {
        "bundles": [bundle.pk for bundle, _ in classified.by_bundle],
        "cells": len(classified.cells),
        "new_features": classified.made.cells,
        "missing": len(classified.made.missing),
        "strange": strange,
        **_counts(classified),
    }


def _counts(classified: Classified) -> dict[str, Any]:
    """labels: of each {name, label: its id or None, cells: how many are taken for it, share: of the counted cells of
    its group, None where the group was not told apart}. counted: cells that these shares are of. unsure: cells that are
    taken for nothing. A share is told of fields and random draws alone."""
    told, study = classified.labels, classified.study
    known = known_labels(study, told)
    whole = {name for bundle, names in classified.by_bundle if "label" not in bundle.target for name in names}
    whole = {name for name in whole if name in known and not known[name].group.multiple}
    images = SmearImage.objects.filter(study=study).representative()
    drawn = set(cells_of(study).filter(image__in=images).order_by().values_list("pk", flat=True))
    may_share = np.array([cell in drawn for cell in classified.cells], dtype=bool)
    taken = {name: values >= TAKEN for name, values in told.items()}
    nobody = np.zeros(len(classified.cells), dtype=bool)
    counted = nobody.copy()
    for name in whole:
        if known[name].counted:
            counted |= taken[name] & may_share
    unsure = ~np.any([taken[name] for name in whole], axis=0) if whole else nobody
    labels = []
    for name, values in taken.items():
        row: dict[str, Any] = {"name": name, "label": known[name].pk if name in known else None}
        row |= {"cells": int(values.sum()), "share": None}
        if name in whole and known[name].counted and counted.any():
            row["share"] = round(float((values & counted).sum() / counted.sum()), 5)
        labels.append(row)
    return {"labels": labels, "counted": int(counted.sum()), "unsure": int(unsure.sum()) if whole else None}
