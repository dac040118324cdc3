import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.exporting import FORMATS, export
from annotation.exporting_as_of import export_as_of
from annotation.models import Study
from annotation.moments import MomentError, moment_of


class Command(BaseCommand):
    help = "Write a study's borders, labels and states to a file: a VIA project, COCO or a table."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--study", required=True, metavar="NAME")
        parser.add_argument("--format", required=True, choices=FORMATS)
        parser.add_argument("--deleted", action="store_true", help="csv: also the borders that people rejected")
        parser.add_argument(
            "--as-of",
            metavar="WHEN",
            help="as the study was: the number of a round, at whose launch, or a time such as 2026-03-31T18:00",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        # Unlike the commands that fill a study, this one has nothing to do where there is none.
        study = Study.objects.filter(name=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study named {options['study']!r}.")
        if options["deleted"] and options["format"] != "csv":
            raise CommandError("Only the csv format has a place for deleted borders.")
        target: Path = options["file"]
        if target.is_dir():
            raise CommandError(f"{target} is a folder.")
        try:
            moment = moment_of(study, options["as_of"]) if options["as_of"] else None
            if moment is None:
                exported = export(study, options["format"], target, deleted=options["deleted"])
            else:
                exported = export_as_of(study, options["format"], target, moment, deleted=options["deleted"])
        except MomentError as problem:
            raise CommandError(str(problem)) from None
        except OSError as problem:
            raise CommandError(f"{target} cannot be written: {problem.strerror or problem}.") from None
        for note in exported.notes:
            self.stderr.write(note)
        counts = {"images": exported.images, "cells": exported.cells, "ignored": exported.ignored}
        when = {"as_of": moment.at.isoformat()} if moment else {}
        self.stdout.write(json.dumps({**counts, **when, "format": options["format"], "file": str(target)}))
