"""COCO: one JSON file of images, annotations and categories; boxes as x, y, width, height, polygons as flat lists.

Our own export keeps what COCO has no place for under the key "marrowloop" of each image and annotation; a reader
that knows nothing of it sees plain COCO.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from annotation.borders import Border, area, outline
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
from annotation.formats.rows import CellRow, ImageRow, Measured

CELL_CATEGORY = "cell"
IGNORED_CATEGORY = "ignored"


def is_coco(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("images"), list) and "annotations" in document


def read(document: Any, path: Path) -> Records:
    """A parsed COCO document. Raises FormatError."""
    if not is_coco(document):
        raise FormatError(f"{path.name} is not COCO: it lacks images or annotations.")
    records = Records("coco", files={path.resolve()})
    categories = _categories(document.get("categories"))
    by_id: dict[str, ImageRecord] = {}
    for index, entry in enumerate(document["images"]):
        name = plain_text(entry.get("file_name") or "") if isinstance(entry, dict) else ""
        if not name or "id" not in entry:
            records.skipped.append(Skipped(name or f"images[{index}]", "The image entry has no file_name or no id."))
            continue
        if str(entry["id"]) in by_id:
            records.skipped.append(Skipped(name, f"Another image entry has the id {shortened(entry['id'])}."))
            continue
        record = _image(name, entry)
        by_id[str(entry["id"])] = record
        records.images.append(record)
    groups: dict[str, LabelGroupRecord] = {}
    annotations = document["annotations"]
    if any(_personal(entry) for entry in annotations or () if isinstance(entry, dict)):
        records.notes.append(PERSONAL)
    for index, entry in enumerate(annotations if isinstance(annotations, list) else []):
        where = f"Annotation {shortened(entry.get('id', index))}" if isinstance(entry, dict) else f"Annotation {index}"
        owner = by_id.get(str(entry.get("image_id"))) if isinstance(entry, dict) else None
        if owner is None:
            records.skipped.append(Skipped(where, "It belongs to no image entry."))
            continue
        try:
            owner.regions.append(_region(entry, where, categories, groups))
        except RecordError as fault:
            owner.skip(where, str(fault))
    used = {name for record in records.images for region in record.regions for name in region.classes}
    records.classes = tuple(dict.fromkeys([*categories.values(), *sorted(used)]))
    records.groups = list(groups.values())
    return records


def _categories(entries: Any) -> dict[str, str]:
    found = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and "id" in entry and entry.get("name") is not None:
            found[str(entry["id"])] = plain_text(entry["name"])
    return found


def _image(name: str, entry: Mapping[str, Any]) -> ImageRecord:
    record = ImageRecord(name)
    try:
        width, height = number(entry.get("width"), "width"), number(entry.get("height"), "height")
        if width > 0 and height > 0:
            record.size = (int(width), int(height))
    except RecordError:
        pass  # COCO asks for a size; a file without one can still be placed.
    own = entry.get("marrowloop")
    if isinstance(own, dict):
        record.state = plain_text(own.get("state") or "") or None
        record.patient = plain_text(own.get("patient") or "") or None
        record.diagnosis = plain_text(own.get("diagnosis") or "") or None
        try:
            size = own.get("um_per_pixel")
            record.um_per_pixel = None if size is None else number(size, "um_per_pixel")
        except RecordError as fault:
            record.skip("Image", str(fault))
    return record


def _region(
    entry: Mapping[str, Any], where: str, categories: Mapping[str, str], groups: dict[str, LabelGroupRecord]
) -> Region:
    crowd = entry.get("iscrowd") in (1, True, "1")
    category = entry.get("category_id")
    classes: tuple[str, ...] = ()
    if category is not None:
        if categories and str(category) not in categories:
            raise RecordError(f"There is no category {shortened(category)}.")
        classes = (categories.get(str(category), str(category)),)
    border = _border(entry, crowd)
    own = entry.get("marrowloop")
    labels: list[tuple[str, str]] = []
    if isinstance(own, dict):
        original = own.get("border")
        # Another tool may have moved the outline and kept our key: the outline is what counts then.
        if isinstance(original, dict) and _same_outline(original, border):
            border = original
        groups_of_cell = own.get("labels")
        for group, content in groups_of_cell.items() if isinstance(groups_of_cell, dict) else ():
            if not isinstance(content, dict) or not isinstance(content.get("names"), list):
                raise RecordError(f"Its labels of {shortened(group)} are not readable.")
            names = tuple(plain_text(name) for name in content["names"])
            labels.extend((group, name) for name in names)
            groups.setdefault(group, LabelGroupRecord(group, bool(content.get("multiple")), own=True))
        if crowd:
            classes = (plain_text(own["ignored_class"]),) if own.get("ignored_class") else ()
    return Region(where, border, classes, ignored=crowd, labels=tuple(labels))


def _personal(entry: Mapping[str, Any]) -> bool:
    own = entry.get("marrowloop")
    if not isinstance(own, dict):
        return False
    groups = own.get("labels")
    said = isinstance(groups, dict) and any(isinstance(g, dict) and g.get("confidence") for g in groups.values())
    return bool(own.get("texts")) or said


def _border(entry: Mapping[str, Any], crowd: bool) -> Border:
    segmentation = entry.get("segmentation")
    if isinstance(segmentation, dict):
        # A crowd's mask only says where not to look: its box says the same.
        if not (crowd and entry.get("bbox")):
            raise RecordError("Its segmentation is a run-length mask, which is not read.")
        segmentation = None
    if segmentation:
        # Old VIA writes one flat list instead of a list of parts.
        parts = segmentation if isinstance(segmentation[0], list | tuple) else [segmentation]
        polygons = [_polygon(part) for part in parts]
        return max(polygons, key=lambda polygon: _shoelace(polygon["points"]))
    if entry.get("bbox") is None:
        raise RecordError("It has neither a segmentation nor a bbox.")
    box = numbers(entry["bbox"], "Its bbox")
    if len(box) != 4:
        raise RecordError(f"Its bbox has {len(box)} numbers instead of 4.")
    if box[2] <= 0 or box[3] <= 0:
        raise RecordError("Its bbox has no area.")
    return {"kind": "rectangle", "x": box[0], "y": box[1], "width": box[2], "height": box[3]}


def _polygon(part: Any) -> Border:
    values = numbers(part, "Its segmentation")
    if len(values) % 2:
        raise RecordError("Its segmentation has an odd number of coordinates.")
    return {"kind": "polygon", "points": [[x, y] for x, y in zip(values[::2], values[1::2], strict=True)]}


def _shoelace(points: list[list[float]]) -> float:
    following = points[1:] + points[:1]
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, following, strict=True))) / 2


def _same_outline(original: Mapping[str, Any], border: Border) -> bool:
    try:
        return border["kind"] == "polygon" and outline(original) == border["points"]
    except (KeyError, TypeError, ValueError):
        return False


def write(stream: TextIO, study: str, categories: Iterable[str], images: Iterable[ImageRow]) -> None:
    """Write rows as one COCO document, an image at a time. `images` is iterated twice, and holds no points: COCO
    has no place for a cell without a border.

    `categories` are the names of cell types and ignored classes in use; "cell" and "ignored" are added.
    """
    names = list(dict.fromkeys([CELL_CATEGORY, *categories, IGNORED_CATEGORY]))
    ids = {name: index for index, name in enumerate(names, start=1)}
    info = {"description": f"{study}: cell borders from Marrowloop", "version": "1"}
    head = {
        "info": info,
        "licenses": [],
        "categories": [{"id": i, "name": n, "supercategory": ""} for n, i in ids.items()],
    }
    stream.write(json.dumps(head)[:-1] + ',\n"images": [')
    listed: set[int] = set()
    for row in images:
        stream.write((",\n" if listed else "\n") + json.dumps(_image_entry(row)))
        listed.add(row.id)
    stream.write('\n],\n"annotations": [')
    count = 0
    for row in images:
        # An image that arrived since the first pass has no entry to belong to.
        for cell in row.cells if row.id in listed else ():
            stream.write(",\n" if count else "\n")
            count += 1
            stream.write(json.dumps(_annotation(count, row.id, cell, ids)))
    stream.write("\n]}\n")


def _image_entry(row: ImageRow) -> dict[str, Any]:
    own = {"state": row.state, "patient": row.patient, "diagnosis": row.diagnosis, "um_per_pixel": row.um_per_pixel}
    return {"id": row.id, "file_name": row.name, "width": row.width, "height": row.height, "marrowloop": own}


def _annotation(index: int, image: int, cell: CellRow, ids: Mapping[str, int]) -> dict[str, Any]:
    x0, y0, x1, y1 = cell.bounds
    return {
        "id": index,
        "image_id": image,
        "category_id": ids.get(category_of(cell), ids[CELL_CATEGORY]),
        "segmentation": [list(_flat(outline(cell.border)))],
        "bbox": [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)],
        "area": round(area(cell.border), 2),
        "iscrowd": int(cell.ignored),
        "marrowloop": {
            "border": cell.border,
            "ignored_class": cell.ignored_class,
            "labels": {
                choice.group: {
                    "multiple": choice.multiple,
                    "names": list(choice.names),
                    **({"confidence": choice.sure} if choice.sure else {}),
                }
                for choice in cell.choices
            },
            **({"texts": dict(cell.texts)} if cell.texts else {}),
            **({"measures": _measures(cell.measured)} if cell.measured else {}),
        },
    }


def _measures(measured: Measured) -> dict[str, Any]:
    """The unit of lengths, and what could be said."""
    values = {name: float(f"{value:.6g}") for name, value in measured.values.items() if value is not None}
    return {"unit": measured.unit, **values}


def category_of(cell: CellRow) -> str:
    """The one category that COCO allows: the ignored class, else the first single choice (the cell type)."""
    if cell.ignored:
        return cell.ignored_class or IGNORED_CATEGORY
    return next((choice.names[0] for choice in cell.choices if not choice.multiple and choice.names), CELL_CATEGORY)


def _flat(points: Iterable[Iterable[float]]) -> Iterator[float]:
    for point in points:
        yield from point
