"""What the pages of a study's effort show of its curve."""

import csv
from collections.abc import Sequence
from typing import TextIO

from django.contrib.auth.models import User

from annotation.formats.csv import safe_text
from annotation.models import SmearImage, Study
from training.effort import Curve, Share, Stage
from training.views.plot import Plot, step_plot
from training.views.round_page import duration

COLUMNS = (
    "round",
    "bundle",
    "image",
    "patient",
    "annotator",
    "cells",
    "accepted",
    "moved",
    "deleted",
    "added",
    "seconds",
)


def timed(shares: Sequence[Share]) -> list[tuple[Share, str]]:
    """Each with its time as people say it."""
    return [(share, duration(share.effort.seconds) if share.effort.seconds else "") for share in shares]


def plots(rounds: Sequence[Stage]) -> list[Plot]:
    """Corrections per cell with their intervals, of which kind they are, and seconds per cell, over the rounds."""
    names = ["first" if stage.number == 0 else str(stage.number) for stage in rounds]
    kinds = {
        kind: [getattr(stage.effort, kind) / stage.effort.cells if stage.effort.cells else None for stage in rounds]
        for kind in ("moved", "deleted", "added")
    }
    rates = {"corrections": [stage.effort.corrections_per_cell for stage in rounds]}
    # Where no two actions lie close together no time is known, which is not the same as none.
    seconds = {"seconds": [stage.effort.seconds_per_cell if stage.effort.seconds else None for stage in rounds]}
    made = [
        step_plot(
            "Corrections per cell", names, rates, x_label="round", intervals=[stage.interval for stage in rounds]
        ),
        step_plot("Of which kind, per cell", names, kinds, x_label="round"),
        step_plot("Seconds of work per cell", names, seconds, x_label="round", unit=" s"),
    ]
    return [plot for plot in made if plot]


def write_table(stream: TextIO, study: Study, curve: Curve) -> None:
    """The work as CSV: a row for each round, image and annotator. Two queries and those of names."""
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    users = dict(
        User.objects.filter(pk__in={work.user_id for work in curve.works if work.user_id}).values_list("pk", "username")
    )
    images = {
        image.pk: (safe_text(image.name), safe_text(image.patient.code if image.patient else ""))
        for image in SmearImage.objects.filter(study=study).select_related("patient").prefetch_related("names")
    }
    for stage in curve.stages:
        for work in stage.works:
            name, patient = images[work.image_id]
            writer.writerow(
                [
                    "" if stage.number is None else stage.number,
                    safe_text(work.bundle),
                    name,
                    patient,
                    safe_text(users.get(work.user_id or 0, "")),
                    work.accepted + work.moved + work.added,
                    work.accepted,
                    work.moved,
                    work.deleted,
                    work.added,
                    round(work.seconds, 1),
                ]
            )
