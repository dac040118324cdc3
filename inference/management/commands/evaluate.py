import json
from pathlib import Path
from statistics import fmean, median
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.formats.arguments import FormatOptions, add_format_arguments
from annotation.formats.records import FormatError
from annotation.scheme import study_named
from inference.evaluation import evaluate, study_truth


class Command(BaseCommand):
    help = "Compare the present proposals of a study with a truth, matching images by file name."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--study", required=True, metavar="NAME")
        parser.add_argument("--truth", required=True, type=Path, metavar="PATH")
        add_format_arguments(parser)

    def handle(self, *_: Any, **options: Any) -> None:
        study = study_named(options["study"])
        try:
            by_image, truth = study_truth(study, options["truth"], FormatOptions.of(options))
        except FormatError as problem:
            raise CommandError(str(problem)) from None
        for skipped in truth.skipped:
            self.stderr.write(f"{skipped.name}: {skipped.reason}")
        if not by_image:
            raise CommandError("No image of the truth is in the study; images are matched by file name.")
        found = evaluate(by_image)
        if not found.images:
            raise CommandError("No image of the truth has been proposed on; run propose first.")
        if found.images < len(by_image):
            self.stderr.write(f"{len(by_image) - found.images} images of the truth were never proposed on: left out.")
        line = {"images": found.images, **found.scores, "precision": found.precision, "recall": found.recall}
        if options["format"] == "mask":
            # Masks say where the edge runs: how well it is followed is what they are for.
            overlaps = found.best_ious
            line["mean_iou"] = fmean(overlaps) if overlaps else None
            line["median_iou"] = median(overlaps) if overlaps else None
        self.stdout.write(json.dumps(line))
