"""The command line options that say how to read an annotation source: the same for every command that reads one."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotation.formats.records import Selection

FORMATS = ("auto", "yolo", "voc", "coco", "via", "mask")


@dataclass(frozen=True)
class FormatOptions:
    """How to read an annotation source, and which of its classes are cells."""

    format: str = "auto"
    class_names: Path | None = None
    class_attribute: str | None = None
    classes: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()

    @property
    def selection(self) -> Selection:
        return Selection(self.classes, self.ignore)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "FormatOptions":
        """From the options of a management command whose parser went through add_format_arguments."""
        return cls(
            options["format"],
            options["class_names"],
            options["class_attribute"],
            options["classes"],
            options["ignore"] or (),
        )


def add_format_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--format", choices=FORMATS, default="auto", help="default: by content")
    parser.add_argument("--class-names", type=Path, metavar="FILE", help="YOLO: class names, one a line")
    parser.add_argument("--class-attribute", metavar="NAME", help="VIA: the region attribute of the class")
    parser.add_argument("--classes", type=_listing, metavar="A,B", help="the classes that are cells (default: all)")
    parser.add_argument("--ignore", type=_listing, metavar="C,D", help="classes kept as ignored regions")


def _listing(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names:
        raise ArgumentTypeError("a list of class names, separated by commas, is needed")
    return names
