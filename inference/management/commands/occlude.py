import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inference.diagnosis import DiagnosisProblem
from inference.field_why import explain_file
from inference.occlusion import COLUMNS, ROWS


class Command(BaseCommand):
    help = (
        "Show what a suspected diagnosis of an image rests on: its parts are covered in turn, and the change of the"
        " probability is what each is worth. Prints one line of JSON."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("image", type=Path, metavar="IMAGE")
        parser.add_argument(
            "--bundle", action="extend", nargs="+", required=True, metavar="ID", help="that diagnoses; also a detector"
        )
        parser.add_argument("--decision", metavar="NAME", help="default: the first that the bundles make")
        parser.add_argument("--um-per-pixel", type=float, metavar="X")
        parser.add_argument("--columns", type=int, default=COLUMNS, metavar="N", help="parts across")
        parser.add_argument("--rows", type=int, default=ROWS, metavar="N", help="parts down")
        parser.add_argument(
            "--overlap", type=float, default=1.0, metavar="X", help="how many times as wide a block is as a part"
        )
        parser.add_argument("--out", type=Path, metavar="FILE.png", help="the image with the map over it")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            found = explain_file(
                options["image"],
                options["bundle"],
                options["decision"],
                options["um_per_pixel"],
                columns=options["columns"],
                rows=options["rows"],
                overlap=options["overlap"],
                out=options["out"],
                progress=self._tell,
            )
        except (DiagnosisProblem, ValueError) as problem:
            raise CommandError(str(problem)) from None
        except OSError as problem:
            raise CommandError(f"A file cannot be used: {problem.strerror or problem}.") from None
        self.stdout.write(json.dumps(found | {"notice": "For research only, not a medical device."}))

    def _tell(self, done: int, total: int) -> bool:
        if done % 48 == 0 or done == total:
            self.stderr.write(f"{done} of {total} parts covered")
        return True
