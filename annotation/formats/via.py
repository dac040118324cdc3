"""VGG Image Annotator, read: projects and annotation exports of VIA 1.x and 2.x, JSON and CSV.

Recognised by keys, never by a file's name. A region's class is the value of one region attribute; attributes named
like a label group of the study carry labels (annotation/formats/via_project.py writes them so).
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotation.borders import Border
from annotation.formats.records import (
    PERSONAL,
    FormatError,
    ImageRecord,
    LabelGroupRecord,
    RecordError,
    Records,
    Region,
    Skipped,
    number,
    numbers,
    plain_text,
    shortened,
)

# The attributes of our own export that are no label groups.
OWN = "marrowloop_"
IGNORED = "marrowloop_ignored"
IGNORED_CLASS = "marrowloop_ignored_class"
STATE = "marrowloop_state"
PATIENT = "marrowloop_patient"
DIAGNOSIS = "marrowloop_diagnosis"
UM_PER_PIXEL = "marrowloop_um_per_pixel"
CONFIDENCE = "marrowloop_confidence"
# What somebody wrote about a cell, with the normal id of the text attribute behind it.
TEXT = "marrowloop_text_"
# The beginning of the description that marks an attribute as one of our label groups.
OWN_GROUP = "Marrowloop label group: "
CSV_COLUMNS = (
    "filename",
    "file_size",
    "file_attributes",
    "region_count",
    "region_id",
    "region_shape_attributes",
    "region_attributes",
)


@dataclass(frozen=True)
class Attribute:
    """A region attribute as _via_attributes defines it; `options` are None where any text may stand."""

    id: str
    kind: str
    description: str
    options: Mapping[str, str] | None

    @property
    def group(self) -> str:
        own = self.description.startswith(OWN_GROUP)
        return self.description.removeprefix(OWN_GROUP) if own else self.id

    def label(self, value: str) -> str:
        return (self.options or {}).get(value) or value


@dataclass
class Attributes:
    """The region attributes that a file defines, and the one that holds the class."""

    defined: dict[str, Attribute] = field(default_factory=dict)
    class_attribute: str | None = None

    def classes(self, attributes: Mapping[str, Any]) -> tuple[str, ...]:
        """Values of the class attribute, as stored and as labelled: `--classes` may name either."""
        if self.class_attribute is None:
            return ()
        definition = self.defined.get(self.class_attribute)
        found: list[str] = []
        for value in _values(attributes.get(self.class_attribute)):
            found.append(value)
            if definition and definition.kind != "image" and definition.label(value) != value:
                found.append(definition.label(value))
        return tuple(found)

    def labels(self, attributes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for id_, value in attributes.items():
            if id_.startswith(OWN):
                continue
            definition = self.defined.get(id_)
            for one in _values(value):
                yield (definition.group, definition.label(one)) if definition else (id_, one)


def is_project(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("_via_img_metadata"), dict)


def is_annotations(document: Any) -> bool:
    """An annotation export: _via_img_metadata alone."""
    if not isinstance(document, dict) or not document:
        return False
    return any(isinstance(entry, dict) and "filename" in entry and "regions" in entry for entry in document.values())


def is_csv(text: str) -> bool:
    header = text.split("\n", 1)[0].lstrip("#")
    return header.startswith("filename,") and "region_shape_attributes" in header


def read_json(document: Any, path: Path, class_attribute: str | None = None) -> Records:
    """A parsed project or annotation export. Raises FormatError."""
    records = Records("via", files={path.resolve()})
    definitions: Any = {}
    order: Any = None
    if is_project(document):
        entries = document["_via_img_metadata"]
        definitions = document.get("_via_attributes")
        order = document.get("_via_image_id_list")
    elif is_annotations(document):
        entries = document
    else:
        raise FormatError(f"{path.name} is neither a VIA project nor a VIA annotation export.")
    keys = list(entries)
    if isinstance(order, list):
        listed = [key for key in dict.fromkeys(map(str, order)) if key in entries]
        missing = [str(key) for key in order if str(key) not in entries]
        records.skipped.extend(Skipped(key, "It is in the list of images, but has no entry.") for key in missing)
        keys = listed + [key for key in keys if key not in set(listed)]
    attributes = Attributes(_definitions(definitions))
    raw: list[tuple[ImageRecord, list[tuple[str, Any]]]] = []
    for key in keys:
        try:
            raw.append(_entry(entries[key]))
        except RecordError as fault:
            records.skipped.append(Skipped(str(key), str(fault)))
    _fill(records, raw, attributes, class_attribute)
    return records


def read_csv(text: str, path: Path, class_attribute: str | None = None) -> Records:
    """An annotation export as CSV. Raises FormatError."""
    if not is_csv(text):
        raise FormatError(f"{path.name} is not a CSV export of VIA.")
    records = Records("via", files={path.resolve()})
    csv.field_size_limit(64 * 1024 * 1024)
    images: dict[tuple[str, str], tuple[ImageRecord, list[tuple[str, Any]]]] = {}
    reader = csv.reader(io.StringIO(text))
    header = next(reader)
    count = len(CSV_COLUMNS)
    if [column.lstrip("#").strip() for column in header] != list(CSV_COLUMNS):
        raise FormatError(f"{path.name} has other columns than a CSV export of VIA.")
    try:
        for index, row in enumerate(reader, start=2):
            if not row:
                continue
            if len(row) < count:
                records.skipped.append(
                    Skipped(row[0] or f"row {index}", f"Row {index} has {len(row)} columns of {count}.")
                )
                continue
            # VIA does not quote file names: one with a comma spreads over several columns.
            name, values = ",".join(row[: len(row) - count + 1]), row[len(row) - count + 1 :]
            key = (name, values[0])
            if key not in images:
                images[key] = (ImageRecord(plain_text(name)), [])
                _file_attributes(images[key][0], _json_cell(values[1]))
            record, regions = images[key]
            shape, attributes = _json_cell(values[4]), _json_cell(values[5])
            if shape == {} and values[2].strip() == "0":
                continue
            if not isinstance(shape, dict) or not isinstance(attributes, dict):
                record.skip(f"Row {index}", "Its attributes are not JSON.")
                continue
            regions.append((f"Row {index}", {"shape_attributes": shape, "region_attributes": attributes}))
    except csv.Error as fault:
        raise FormatError(f"{path.name} is not CSV: {fault}.") from None
    _fill(records, list(images.values()), Attributes(), class_attribute)
    return records


def _json_cell(text: str) -> Any:
    try:
        return json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        return None


def _definitions(document: Any) -> dict[str, Attribute]:
    region = document.get("region") if isinstance(document, dict) else None
    found: dict[str, Attribute] = {}
    for id_, definition in (region if isinstance(region, dict) else {}).items():
        if not isinstance(definition, dict):
            continue
        options = definition.get("options")
        texts = {str(key): plain_text(value) for key, value in options.items()} if isinstance(options, dict) else None
        kind, description = str(definition.get("type", "text")), plain_text(definition.get("description") or "")
        found[str(id_)] = Attribute(str(id_), kind, description, texts)
    return found


def _entry(entry: Any) -> tuple[ImageRecord, list[tuple[str, Any]]]:
    if not isinstance(entry, dict):
        raise RecordError(f"The image's entry is {shortened(entry)}.")
    name = plain_text(entry.get("filename") or "")
    if not name:
        raise RecordError("The image's entry has no filename.")
    regions = entry.get("regions")
    record = ImageRecord(name)
    _file_attributes(record, entry.get("file_attributes"))
    if isinstance(regions, dict):  # VIA 1.x
        return record, [(f"Region {key}", region) for key, region in regions.items()]
    if isinstance(regions, list):
        return record, [(f"Region {index}", region) for index, region in enumerate(regions)]
    record.skip("Entry", "It has no list of regions.")
    return record, []


def _file_attributes(record: ImageRecord, attributes: Any) -> None:
    if not isinstance(attributes, dict):
        return
    record.state = plain_text(attributes.get(STATE) or "") or None
    record.patient = plain_text(attributes.get(PATIENT) or "") or None
    record.diagnosis = plain_text(attributes.get(DIAGNOSIS) or "") or None
    try:
        record.um_per_pixel = number(attributes[UM_PER_PIXEL], UM_PER_PIXEL) if attributes.get(UM_PER_PIXEL) else None
    except RecordError as fault:
        record.skip("File attributes", str(fault))


def _fill(
    records: Records,
    raw: list[tuple[ImageRecord, list[tuple[str, Any]]]],
    attributes: Attributes,
    class_attribute: str | None,
) -> None:
    """Turn raw regions into Regions, once the attribute that holds the class is known."""
    said = {
        str(key)
        for _, regions in raw
        for _, region in regions
        if isinstance(region, dict) and isinstance(region.get("region_attributes"), dict)
        for key, value in region["region_attributes"].items()
        if value and (str(key) == CONFIDENCE or str(key).startswith(TEXT))
    }
    if said:
        records.notes.append(PERSONAL)
    used = {
        str(key)
        for _, regions in raw
        for _, region in regions
        if isinstance(region, dict) and isinstance(region.get("region_attributes"), dict)
        for key in region["region_attributes"]
    }
    ids = sorted(key for key in used | set(attributes.defined) if not key.startswith(OWN))
    if class_attribute is not None and class_attribute not in ids:
        raise FormatError(f"There is no region attribute {class_attribute!r}; the file has {', '.join(ids) or 'none'}.")
    attributes.class_attribute = class_attribute or (ids[0] if len(ids) == 1 else None)
    classes: dict[str, None] = {}
    definition = attributes.defined.get(attributes.class_attribute or "")
    for id_, label in (definition.options or {}).items() if definition and definition.kind != "image" else ():
        classes.update({id_: None, label: None})
    for record, regions in raw:
        for where, region in regions:
            try:
                made = _region(region, where, attributes)
            except RecordError as fault:
                record.skip(where, str(fault))
                continue
            record.regions.append(made)
            classes.update(dict.fromkeys(made.classes))
        records.images.append(record)
    if attributes.class_attribute is not None:
        records.classes = tuple(classes)
    elif ids:
        records.class_hint = f"it has several region attributes ({', '.join(ids)}): name one with --class-attribute"
    for attribute in attributes.defined.values():
        if attribute.options is not None and not attribute.id.startswith(OWN) and attribute.kind != "image":
            own = attribute.description.startswith(OWN_GROUP)
            labels = tuple(attribute.options.values())
            records.groups.append(LabelGroupRecord(attribute.group, attribute.kind == "checkbox", labels, own))


def _region(region: Any, where: str, attributes: Attributes) -> Region:
    if not isinstance(region, dict):
        raise RecordError("The region is null." if region is None else f"The region is {shortened(region)}.")
    values = region.get("region_attributes")
    values = {str(key): value for key, value in values.items()} if isinstance(values, dict) else {}
    border = _border(region.get("shape_attributes"))
    ignored = bool(_values(values.get(IGNORED)))
    classes = attributes.classes(values)
    if ignored:
        own = plain_text(values.get(IGNORED_CLASS) or "")
        classes = (own,) if own else ()
    return Region(where, border, classes, ignored, tuple(attributes.labels(values)))


def _border(shape: Any) -> Border:
    if not isinstance(shape, dict) or "name" not in shape:
        raise RecordError("The region has no shape.")
    name = shape["name"]
    if name == "rect":
        return {
            "kind": "rectangle",
            **{key: number(shape.get(key), f"Its {key}") for key in ("x", "y", "width", "height")},
        }
    if name == "circle":
        return {"kind": "circle", **{key: number(shape.get(key), f"Its {key}") for key in ("cx", "cy", "r")}}
    if name == "ellipse":
        values = {key: number(shape.get(key), f"Its {key}") for key in ("cx", "cy", "rx", "ry")}
        return {"kind": "ellipse", **values, "theta": number(shape.get("theta") or 0, "Its theta")}
    if name in ("polygon", "polyline"):
        xs, ys = (
            numbers(shape.get("all_points_x"), "Its all_points_x"),
            numbers(shape.get("all_points_y"), "Its all_points_y"),
        )
        if len(xs) != len(ys):
            raise RecordError(f"It has {len(xs)} x and {len(ys)} y coordinates.")
        points = [[x, y] for x, y in zip(xs, ys, strict=True)]
        # A line that returns to its start encloses something; any other says nothing of a cell's border.
        if name == "polyline" and (len(points) < 4 or points[0] != points[-1]):
            raise RecordError("An open line is not a border.")
        return {"kind": "polygon", "points": points}
    if name == "point":
        return {"kind": "point", **{key: number(shape.get(key), f"Its {key}") for key in ("cx", "cy")}}
    raise RecordError(f"The shape {shortened(name)} is not known.")


def _values(value: Any) -> list[str]:
    """The value of an attribute as texts: radio and dropdown store an option's id, checkbox {id: true}."""
    if value is None or value == "":
        return []
    if isinstance(value, dict):
        return [plain_text(key) for key, on in value.items() if on in (True, 1, "true")]
    text = plain_text(value)
    return [text] if text else []


def normal_id(name: str) -> str:
    """A name as an id that VIA can handle: letters, digits and single underscores (two separate parts in VIA)."""
    parts = "".join(c if c.isalnum() else " " for c in name.casefold()).split()
    return "_".join(parts) or "unnamed"
