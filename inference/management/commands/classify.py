import csv
import json
import os
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.formats.csv import safe_text
from annotation.models import Study
from inference.classification import Classified, ClassifyProblem, chosen_classifiers, classify, keep, rows_of

COLUMNS = ("image", "cell", "x", "y", "label", "probability")


class Command(BaseCommand):
    help = "Say how probable each label is for every cell of a study, labelled or not, as a table (CSV)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--study", required=True, metavar="NAME")
        parser.add_argument(
            "--bundle", metavar="ID", help="of whatever study; default: the classifiers in use in this one"
        )
        parser.add_argument("--out", required=True, type=Path, metavar="FILE.csv")
        parser.add_argument("--keep", action="store_true", help="also store the probabilities, for the gallery")

    def handle(self, *_: Any, **options: Any) -> None:
        study = Study.objects.filter(name=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['study']!r}.")
        try:
            bundles = chosen_classifiers(study, options["bundle"])
            classified = classify(study, bundles, self._tell)
            rows = _write(options["out"], classified)
        except (ClassifyProblem, ValueError) as problem:
            raise CommandError(str(problem)) from None
        except OSError as problem:
            raise CommandError(f"{options['out']} cannot be written: {problem.strerror or problem}.") from None
        for sha256 in classified.made.missing:
            self.stderr.write(f"The image {sha256[:12]} is gone from the image store; its cells are left out.")
        if options["keep"]:
            for name in keep(classified):
                self.stderr.write(f"The study has no label {name}; its probabilities are in the table alone.")
        self.stdout.write(
            json.dumps(
                {
                    "cells": len(classified.cells),
                    "labels": list(classified.labels),
                    "bundles": [bundle.pk for bundle in bundles],
                    "rows": rows,
                    "out": str(options["out"]),
                }
            )
        )

    def _tell(self, done: int, total: int) -> bool:
        if total and (done % 320 == 0 or done == total):
            self.stderr.write(f"{done} of {total} cells seen")
        return True


def _write(path: Path, classified: Classified) -> int:
    """The table, whole or not at all; how many rows."""
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    count = 0
    try:
        with os.fdopen(handle, "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            for image, cell, x, y, label, probability in rows_of(classified):
                table.writerow([safe_text(image), cell, f"{x:.1f}", f"{y:.1f}", safe_text(label), f"{probability:.6f}"])
                count += 1
        os.chmod(part, 0o644)
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    return count
