import json
import re
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

import pghistory
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.demo import Demo, DemoError, make_demo

_LEAST = 64


class Command(BaseCommand):
    help = "Make a study of synthetic bone marrow smears with full truth. The same arguments again change nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--study", required=True, metavar="NAME")
        parser.add_argument("--patients", type=_count, default=6, metavar="N", help="the three diagnoses take turns")
        parser.add_argument("--images-per-patient", type=_count, default=2, metavar="N")
        parser.add_argument("--size", type=_size, default=(2560, 1920), metavar="WxH", help="pixels of a field")
        parser.add_argument("--seed", type=_seed, default=0, metavar="N")
        parser.add_argument("--annotated", type=_annotated, metavar="N|all", help="images that carry their truth")
        parser.add_argument("--truth", type=Path, metavar="FILE", help="write the truth of all images as a VIA project")

    def handle(self, *_: Any, **options: Any) -> None:
        width, height = options["size"]
        demo = Demo(
            options["patients"], options["images_per_patient"], width, height, options["seed"], options["annotated"]
        )
        if not options["study"].strip() or len(options["study"]) > 200:
            raise CommandError("A study's name has 1 to 200 characters.")
        if width * height > settings.PIXEL_BUDGET:
            raise CommandError(f"A field of {width}×{height} is beyond the budget of {settings.PIXEL_BUDGET:,} pixels.")
        try:
            with pghistory.context(command="make_demo"):
                made = make_demo(options["study"], demo, self.stderr.write, options["truth"])
        except DemoError as problem:
            raise CommandError(str(problem)) from None
        except OSError as problem:
            raise CommandError(f"The study cannot be written: {problem.strerror or problem}.") from None
        self.stdout.write(json.dumps(made))


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"a whole number from 1 is needed, not {text!r}")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError(f"a seed is a whole number from 0, not {text!r}")
    return int(text)


def _annotated(text: str) -> int | None:
    if text == "all":
        return None
    return _seed(text)


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,6})[xX×](\d{1,6})", text)
    if not found or min(map(int, found.groups())) < _LEAST:
        raise ArgumentTypeError(f"a size is WIDTHxHEIGHT of at least {_LEAST} pixels each, not {text!r}")
    return int(found.group(1)), int(found.group(2))
