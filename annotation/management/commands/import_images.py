import json
import math
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

import pghistory
from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.folder_import import FolderImport, Report, import_folder
from annotation.formats.arguments import FormatOptions, add_format_arguments
from annotation.formats.records import FormatError
from annotation.intake import IntakeError
from annotation.scheme import DEFAULT, SCHEMES
from annotation.single_cells import CellsImport, import_cells


class Command(BaseCommand):
    help = (
        "Import a file or folder of images into a study, with annotations and a table of patients; or pictures of "
        "single cells with a table of their classes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, metavar="PATH", help="a file, or a folder searched in depth")
        parser.add_argument("--study", required=True, metavar="NAME")
        parser.add_argument("--annotations", type=Path, metavar="PATH")
        add_format_arguments(parser)
        parser.add_argument("--patients", type=Path, metavar="CSV", help="columns patient, image, diagnosis")
        parser.add_argument(
            "--cells",
            type=Path,
            metavar="CSV",
            help="each image is a picture of one cell: columns file (relative to PATH), patient, cell_class, sample",
        )
        parser.add_argument(
            "--scheme", choices=SCHEMES, default=DEFAULT, help="what labels a study that is new begins with"
        )
        parser.add_argument("--um-per-pixel", type=_positive, metavar="X")
        parser.add_argument("--limit", type=_count, metavar="N", help="only the first N images in name order, or rows")

    def handle(self, *_: Any, **options: Any) -> None:
        if not options["study"].strip() or len(options["study"]) > 200:
            raise CommandError("A study's name has 1 to 200 characters.")
        try:
            with pghistory.context(command="import_images"):
                report = self._import(options)
        except (IntakeError, FormatError) as problem:
            raise CommandError(str(problem)) from None
        except OSError as problem:
            raise CommandError(f"The images cannot be stored: {problem.strerror or problem}.") from None
        for note in report.notes:
            self.stderr.write(note)
        if report.skipped:
            self.stderr.write(f"{len(report.skipped)} files or records were not taken; they are listed below.")
        self.stdout.write(json.dumps(report.as_json()))

    def _import(self, options: dict[str, Any]) -> Report:
        name, path, scheme = options["study"], options["path"], options["scheme"]
        patients, scale, limit = options["patients"], options["um_per_pixel"], options["limit"]
        if options["cells"]:
            if options["annotations"]:
                raise CommandError("Pictures of single cells come with --cells, fields with --annotations: not both.")
            return import_cells(
                name, CellsImport(path, options["cells"], patients, scale, limit, scheme), self.stderr.write
            )
        asked = FolderImport(path, options["annotations"], FormatOptions.of(options), patients, scale, limit, scheme)
        return import_folder(name, asked, self.stderr.write)


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
