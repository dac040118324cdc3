"""What an annotation file says, in one form for all formats: images, regions, and the records that cannot be read.

Knows neither rows nor pixels. A reader fills ImageRecord and Region as the source has them; `place` then turns the
regions of one image into cleaned borders once the image's size is known.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotation.borders import Border, BorderError, clean

# A note on what our own exports hold and no import brings back.
PERSONAL = "Texts and confidences are left out: they belong to the person who gave them."


class FormatError(ValueError):
    """An annotation source that cannot be used at all; the message says why in one sentence."""


class RecordError(ValueError):
    """One record that cannot be read; the rest of the source stands."""


@dataclass(frozen=True)
class Skipped:
    """One file or record that was not taken, under the name that the source gives it."""

    name: str
    reason: str

    def as_json(self) -> dict[str, str]:
        return {"name": self.name, "reason": self.reason}


@dataclass(frozen=True)
class Region:
    """One region as its source has it: raw border, classes, and what its attributes say about labels.

    `where` finds it in its source ("Region 3"). `relative` borders are rectangles or polygons in fractions of the
    image's width and height (YOLO). `labels` are (group, label) pairs as the source spells them.
    """

    where: str
    border: Border
    classes: tuple[str, ...] = ()
    ignored: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    relative: bool = False


@dataclass
class ImageRecord:
    """What a source says about one image. An image with no regions and no skipped ones is a negative.

    `aliases` are further names to look for; `stem` says that the names carry no file extension (YOLO). `size` is
    the width and height that the source states, in pixels. The fields from `state` on are known only from
    Marrowloop's own exports.
    """

    name: str
    aliases: tuple[str, ...] = ()
    stem: bool = False
    size: tuple[int, int] | None = None
    regions: list[Region] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    state: str | None = None
    patient: str | None = None
    diagnosis: str | None = None
    um_per_pixel: float | None = None

    def skip(self, where: str, reason: str) -> None:
        self.skipped.append(Skipped(self.name, f"{where}: {reason}"))


@dataclass(frozen=True)
class LabelGroupRecord:
    """A group of labels that the source defines: `complete` where it lists them all, `own` in our own exports."""

    name: str
    multiple: bool
    labels: tuple[str, ...] = ()
    own: bool = False


@dataclass
class Records:
    """A whole annotation source. `classes` are the names it defines or uses; None where it has no classes."""

    format: str
    images: list[ImageRecord] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    classes: tuple[str, ...] | None = None
    groups: list[LabelGroupRecord] = field(default_factory=list)
    # The files that were read: where they lie among the images they are no images that failed.
    files: set[Path] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    # Why `classes` is None, and what the person can do about it.
    class_hint: str = "it has no classes"


@dataclass(frozen=True)
class Selection:
    """Which classes are cells (`classes`; None: all), and which are kept as ignored regions (`ignore`)."""

    classes: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()

    def role(self, region: Region) -> str:
        """One of "cell", "ignored" and "other" (in neither list, though `classes` is given: left out).

        Raises RecordError where `classes` is given and the region names no class at all.
        """
        names = {name.casefold() for name in region.classes}
        picked = self.classes is None or any(name.casefold() in names for name in self.classes)
        ignored = any(name.casefold() in names for name in self.ignore)
        if region.ignored:
            return "ignored" if picked or ignored or not names else "other"
        if ignored:
            return "ignored"
        if picked:
            return "cell"
        if not names:
            raise RecordError("It names no class, so nobody can say whether it is a cell.")
        return "other"

    def check(self, records: Records) -> list[str]:
        """One note for each class asked for that the source does not have.

        Raises FormatError where it has none of `classes`: then every cell would be left out by a misspelling.
        """
        if records.classes is None:
            if (self.classes or self.ignore) and any(record.regions for record in records.images):
                raise FormatError(f"The source cannot be picked from by class: {records.class_hint}.")
            return []
        known = {name.casefold() for name in records.classes}
        missing = [name for name in self.classes or () if name.casefold() not in known]
        if self.classes and len(missing) == len(self.classes) and any(record.regions for record in records.images):
            found = ", ".join(sorted(records.classes)[:20]) or "no classes"
            raise FormatError(f"The source has none of the classes {', '.join(missing)}; it has {found}.")
        missing += [name for name in self.ignore if name.casefold() not in known]
        return [f"The source has no class {name}." for name in missing]


@dataclass(frozen=True)
class PlacedRegion:
    """A region with its cleaned border in the pixels of its image."""

    border: Border
    ignored: bool
    class_name: str
    region: Region


@dataclass
class Placed:
    """The regions of one image: those with a place, those without, and how many of other classes were left out."""

    regions: list[PlacedRegion] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    left_out: int = 0


def place(record: ImageRecord, width: int, height: int, selection: Selection) -> Placed:
    """The record's regions as borders of an image of width × height pixels. Raises nothing: faults are reported."""
    placed = Placed()
    if record.size and record.size != (width, height):
        stated = f"{record.size[0]}×{record.size[1]}"
        reason = f"The source was drawn on an image of {stated} pixels, this one has {width}×{height}."
        placed.skipped.append(Skipped(record.name, reason))
        return placed
    placed.skipped.extend(record.skipped)
    seen: set[str] = set()
    for region in record.regions:
        try:
            role = selection.role(region)
            if role == "other":
                placed.left_out += 1
                continue
            raw = _in_pixels(region.border, width, height) if region.relative else region.border
            border = clean(raw, width, height)
        except (RecordError, BorderError) as fault:
            placed.skipped.append(Skipped(record.name, f"{region.where}: {fault}"))
            continue
        key = border_key(border, role == "ignored")
        if key in seen:
            placed.skipped.append(Skipped(record.name, f"{region.where}: The same border is there already."))
            continue
        seen.add(key)
        class_name = _class_of(region, selection, role)
        placed.regions.append(PlacedRegion(border, role == "ignored", class_name, region))
    return placed


def border_key(border: Mapping[str, Any], ignored: bool) -> str:
    """One text for one border: what tells whether it has been imported before."""
    return json.dumps([border, ignored], sort_keys=True)


def _class_of(region: Region, selection: Selection, role: str) -> str:
    wanted = {name.casefold() for name in (selection.ignore if role == "ignored" else selection.classes or ())}
    for name in region.classes:
        if name.casefold() in wanted:
            return name
    return region.classes[0] if region.classes else ""


def _in_pixels(border: Border, width: int, height: int) -> Border:
    if border["kind"] == "polygon":
        return {"kind": "polygon", "points": [[x * width, y * height] for x, y in border["points"]]}
    across, down = border["width"] * width, border["height"] * height
    return {"kind": "rectangle", "x": border["x"] * width, "y": border["y"] * height, "width": across, "height": down}


def number(value: Any, what: str) -> float:
    """A finite number, also where the source writes it as text. Raises RecordError."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise RecordError(f"{what} must be a number, not {shortened(value)}.")
    try:
        result = float(value)
    except (ValueError, OverflowError):
        raise RecordError(f"{what} must be a number, not {shortened(value)}.") from None
    if not math.isfinite(result):
        raise RecordError(f"{what} must be a finite number, not {shortened(value)}.")
    return result


def numbers(values: Any, what: str) -> list[float]:
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise RecordError(f"{what} must be a list of numbers, not {shortened(values)}.")
    return [number(value, what) for value in values]


def shortened(value: Any) -> str:
    """A value as one short piece of text, for a message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def plain_text(value: Any) -> str:
    """A name or value as the database can hold it: no NUL, no halves of surrogate pairs, no blanks around."""
    return str(value).replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()


def read_text(path: Path) -> str:
    """A text file as UTF-8, with or without a mark. Raises FormatError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise FormatError(f"{path.name} is not a text file in UTF-8.") from None
    except OSError as fault:
        raise FormatError(f"{path.name} cannot be read: {fault.strerror or fault}.") from None


def read_json(path: Path) -> Any:
    """Raises FormatError."""
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as fault:
        if isinstance(fault, FormatError):
            raise
        raise FormatError(f"{path.name} is not JSON: {shortened(str(fault))}.") from None
