import json
import math
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

import pghistory
from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.folder_import import FolderImport, import_folder
from annotation.formats.arguments import FormatOptions, add_format_arguments
from annotation.formats.records import FormatError
from annotation.intake import IntakeError


class Command(BaseCommand):
    help = "Import a file or folder of images into a study, with annotations and a table of patients."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, metavar="PATH", help="a file, or a folder searched in depth")
        parser.add_argument("--study", required=True, metavar="NAME")
        parser.add_argument("--annotations", type=Path, metavar="PATH")
        add_format_arguments(parser)
        parser.add_argument("--patients", type=Path, metavar="CSV", help="columns patient, image, diagnosis")
        parser.add_argument("--um-per-pixel", type=_positive, metavar="X")
        parser.add_argument("--limit", type=_count, metavar="N", help="only the first N images in name order")

    def handle(self, *_: Any, **options: Any) -> None:
        asked = FolderImport(
            options["path"],
            options["annotations"],
            FormatOptions.of(options),
            options["patients"],
            options["um_per_pixel"],
            options["limit"],
        )
        if not options["study"].strip() or len(options["study"]) > 200:
            raise CommandError("A study's name has 1 to 200 characters.")
        try:
            with pghistory.context(command="import_images"):
                report = import_folder(options["study"], asked, self.stderr.write)
        except (IntakeError, FormatError) as problem:
            raise CommandError(str(problem)) from None
        except OSError as problem:
            raise CommandError(f"The images cannot be stored: {problem.strerror or problem}.") from None
        for note in report.notes:
            self.stderr.write(note)
        if report.skipped:
            self.stderr.write(f"{len(report.skipped)} files or records were not taken; they are listed below.")
        self.stdout.write(json.dumps(report.as_json()))


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ArgumentTypeError(f"µm per pixel must be a number above 0, not {text!r}")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"the limit must be a whole number from 1, not {text!r}")
    return int(text)
