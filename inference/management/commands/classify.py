import json
import os
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.models import Study
from inference.classification import (
    Classified,
    ClassifyProblem,
    chosen_classifiers,
    classify,
    names_as_imported,
    rows_of,
)
from inference.classify_jobs import kept_at_once
from inference.told_table import lines_of


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
            for name in kept_at_once(classified, options["bundle"]).result["strange"]:
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
    rows = rows_of(classified.study, classified.cells, classified.labels, names_as_imported(classified.study))
    try:
        with os.fdopen(handle, "w", newline="", encoding="utf-8") as file:
            # The first line names the columns.
            count = sum(1 for line in lines_of(rows) if file.write(line)) - 1
        os.chmod(part, 0o644)
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    return count
