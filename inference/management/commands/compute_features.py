import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.scheme import study_named
from inference.cell_feature_jobs import compute, default_extractor
from inference.interactive import features_changed


class Command(BaseCommand):
    help = "Compute the features of a study's cells that are missing or out of date, in the foreground."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--study", required=True, metavar="NAME")

    def handle(self, *_: Any, **options: Any) -> None:
        study = study_named(options["study"])
        begun = time.monotonic()
        try:
            extractor = default_extractor()
            made = compute(study, extractor, self._tell)
        except (ValueError, OSError) as problem:
            raise CommandError(str(problem)) from None
        for sha256 in made.missing:
            self.stderr.write(f"The image {sha256[:12]} is gone from the image store; its cells have no features.")
        if made.cells:
            features_changed(study)
        seconds = round(time.monotonic() - begun, 1)
        self.stdout.write(json.dumps({"cells": made.cells, "backbone": extractor.name, "seconds": seconds}))

    def _tell(self, done: int, total: int) -> bool:
        if done % 320 == 0 or done == total:
            self.stderr.write(f"{done} of {total} cells")
        return True
