import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from annotation.measuring import measure_study
from annotation.scheme import study_named


class Command(BaseCommand):
    help = "Measure the cells of a study that were not measured as they are, in the foreground."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--study", required=True, metavar="NAME")

    def handle(self, *_: Any, **options: Any) -> None:
        study = study_named(options["study"])
        begun = time.monotonic()
        made = measure_study(study, self._tell)
        for image in made.missing:
            gone = f"The image {image.sha256[:12]} is gone from the image store; its cells are not measured."
            self.stderr.write(gone)
        seconds = round(time.monotonic() - begun, 1)
        self.stdout.write(json.dumps({"cells": made.cells, "missing": len(made.missing), "seconds": seconds}))

    def _tell(self, done: int, total: int) -> bool:
        if done % 50 == 0 or done == total:
            self.stderr.write(f"{done} of {total} images")
        return True
