"""Our own table: one row a cell (a row without a cell for an image that has none), for spreadsheets and statistics.

A cell of the table that a spreadsheet would take for a formula is written with a leading apostrophe, as
spreadsheets do themselves; the reader takes it off again.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from annotation.borders import area, is_point
from annotation.formats.records import (
    PERSONAL,
    FormatError,
    ImageRecord,
    LabelGroupRecord,
    RecordError,
    Records,
    Region,
    number,
    plain_text,
)
from annotation.formats.rows import CellRow, Group, ImageRow

COLUMNS = (
    "image",
    "state",
    "patient",
    "diagnosis",
    "image_width",
    "image_height",
    "um_per_pixel",
    "cell",
    "status",
    "origin",
    "correction",
    "ignored",
    "ignored_class",
    "kind",
    "x0",
    "y0",
    "x1",
    "y1",
    "area_px",
    "area_um2",
    "border",
)
ONE, MANY = "label: ", "labels: "
SURE, TEXT = "confidence: ", "text: "
# What was measured: the unit of lengths, whose square and cube areas and volumes are in, and a column a measure.
UNIT, MEASURE = "unit of measures", "measure: "
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def is_table(text: str) -> bool:
    return text.startswith(",".join(COLUMNS))


def write(
    stream: TextIO,
    groups: Sequence[Group],
    images: Iterable[ImageRow],
    texts: Sequence[str] = (),
    measures: Sequence[str] = (),
) -> None:
    """Write rows as CSV, an image at a time. Sizes in pixels and, where the image's scale is known, in µm²; a point
    has none. Confidences stand in the order of the labels beside them. `texts` are the study's text attributes,
    `measures` the names of what was measured.
    """
    writer = csv.writer(stream)
    more = [(MANY if group.multiple else ONE) + group.name for group in groups]
    more += [*(SURE + group.name for group in groups), *(TEXT + name for name in texts)]
    more += [UNIT, *(MEASURE + name for name in measures)] if measures else []
    writer.writerow([*COLUMNS, *more])
    for row in images:
        image = [
            safe_text(row.name),
            row.state,
            safe_text(row.patient or ""),
            row.diagnosis or "",
            row.width,
            row.height,
            "" if row.um_per_pixel is None else row.um_per_pixel,
        ]
        for cell in row.cells:
            said = [safe_text(cell.texts.get(name, "")) for name in texts]
            labels = [*_labels(cell, groups), *_confidences(cell, groups)]
            writer.writerow([*image, *_cell(cell, row.um_per_pixel), *labels, *said, *_measures(cell, measures)])
        if not row.cells:
            writer.writerow([*image, *[""] * (len(COLUMNS) - len(image) + len(more))])


def _cell(cell: CellRow, um_per_pixel: float | None) -> list[Any]:
    pixels = None if is_point(cell.border) else area(cell.border)
    return [
        cell.id,
        cell.status,
        cell.origin,
        cell.correction,
        int(cell.ignored),
        safe_text(cell.ignored_class),
        cell.border["kind"],
        *cell.bounds,
        "" if pixels is None else round(pixels, 2),
        "" if um_per_pixel is None or pixels is None else round(pixels * um_per_pixel**2, 4),
        json.dumps(cell.border),
    ]


def _measures(cell: CellRow, measures: Sequence[str]) -> list[Any]:
    if not measures:
        return []
    if cell.measured is None:
        return [""] * (1 + len(measures))
    values = (cell.measured.values.get(name) for name in measures)
    return [cell.measured.unit, *("" if value is None else float(f"{value:.6g}") for value in values)]


def _labels(cell: CellRow, groups: Sequence[Group]) -> list[str]:
    names = {choice.group: choice.names for choice in cell.choices}
    return [safe_text(_joined(names.get(group.name, ()), group.multiple)) for group in groups]


def _confidences(cell: CellRow, groups: Sequence[Group]) -> list[str]:
    found = {choice.group: choice for choice in cell.choices if choice.sure}
    return [
        "; ".join(f"{choice.sure[name]:g}" if name in choice.sure else "" for name in choice.names)
        if (choice := found.get(group.name))
        else ""
        for group in groups
    ]


def _joined(names: Sequence[str], multiple: bool) -> str:
    if multiple and any(";" in name or name.startswith("[") for name in names):
        return json.dumps(list(names), ensure_ascii=False)
    return "; ".join(names)


def _split(text: str, multiple: bool) -> list[str]:
    if not multiple:
        return [text] if text else []
    if text.startswith("["):
        try:
            return [str(name) for name in json.loads(text)]
        except ValueError:
            raise RecordError("Its labels are not readable.") from None
    return [name.strip() for name in text.split(";") if name.strip()]


def safe_text(text: str) -> str:
    """A text as a cell of a table that no spreadsheet takes for a formula."""
    return "'" + text if text.startswith(_FORMULA) else text


def _plain(text: str | None) -> str:
    text = text or ""
    return plain_text(text[1:] if text.startswith("'") else text)


def read(text: str, path: Path) -> Records:
    """Our own table again. Rows of deleted cells are passed over. Raises FormatError."""
    if not is_table(text):
        raise FormatError(f"{path.name} is not a table exported from Marrowloop.")
    csv.field_size_limit(64 * 1024 * 1024)
    records = Records("csv", files={path.resolve()})
    images: dict[str, ImageRecord] = {}
    reader = csv.DictReader(io.StringIO(text))
    columns = [name for name in reader.fieldnames or [] if name.startswith((ONE, MANY))]
    groups = {name: (name.split(": ", 1)[1], name.startswith(MANY)) for name in columns}
    said = [name for name in reader.fieldnames or [] if name.startswith((SURE, TEXT))]
    personal = False
    classes: set[str] = set()
    for index, row in enumerate(reader, start=2):
        name = _plain(row["image"])
        record = images.get(name)
        if record is None:
            record = images[name] = _image(name, row)
            records.images.append(record)
        if not row["cell"] or row["status"] == "deleted":
            continue
        personal = personal or any(row[column] for column in said)
        try:
            region = _region(row, f"Row {index}", groups)
        except RecordError as fault:
            record.skip(f"Row {index}", str(fault))
            continue
        classes.update(region.classes)
        record.regions.append(region)
    if personal:
        records.notes.append(PERSONAL)
    records.groups = [LabelGroupRecord(name, multiple, own=True) for name, multiple in groups.values()]
    records.classes = tuple(sorted(classes))
    return records


def _image(name: str, row: dict[str, str]) -> ImageRecord:
    record = ImageRecord(name, state=row["state"] or None)
    record.patient, record.diagnosis = _plain(row["patient"]) or None, row["diagnosis"] or None
    try:
        record.size = (int(row["image_width"]), int(row["image_height"]))
        record.um_per_pixel = number(row["um_per_pixel"], "um_per_pixel") if row["um_per_pixel"] else None
    except (ValueError, TypeError) as fault:
        record.skip("Image", f"Its size is not readable: {fault}")
    return record


def _region(row: dict[str, str], where: str, groups: dict[str, tuple[str, bool]]) -> Region:
    try:
        border = json.loads(row["border"] or "null")
    except ValueError:
        border = None
    if not isinstance(border, dict):
        raise RecordError("Its border is not readable.")
    labels = [
        (group, name) for column, (group, multiple) in groups.items() for name in _split(_plain(row[column]), multiple)
    ]
    ignored = row["ignored"] == "1"
    if ignored:
        classes: tuple[str, ...] = tuple(filter(None, [_plain(row["ignored_class"])]))
    else:
        # As COCO has it: the first single choice is the class.
        single = [name for group, name in labels if (group, False) in groups.values()]
        classes = tuple(single[:1])
    return Region(where, border, classes, ignored, tuple(labels))
