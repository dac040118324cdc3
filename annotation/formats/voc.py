"""Pascal VOC: one XML file an image, boxes by their corners in pixels."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from annotation.formats.records import FormatError, ImageRecord, RecordError, Records, Region, number, plain_text


def read(path: Path) -> Records:
    """Annotations of a folder (searched in depth) or of one file. Raises FormatError."""
    folder = path if path.is_dir() else path.parent
    files = sorted(file for file in folder.rglob("*.xml") if file.is_file()) if path.is_dir() else [path]
    if not files:
        raise FormatError(f"There is no VOC file (.xml) in {path.name}.")
    records = Records("voc")
    used: set[str] = set()
    for file in files:
        records.files.add(file.resolve())
        relative = file.relative_to(folder).with_suffix("").as_posix()
        try:
            record = _record(file, relative)
        except RecordError as fault:
            # The image is found by the file's own name, so that the report stands beside it, and it is no negative.
            record = ImageRecord(relative, stem=True)
            record.skip("File", str(fault))
        used.update(name for region in record.regions for name in region.classes)
        records.images.append(record)
    records.classes = tuple(sorted(used))
    return records


def _record(file: Path, relative: str) -> ImageRecord:
    try:
        data = file.read_bytes()
    except OSError as fault:
        raise RecordError(f"It cannot be read: {fault.strerror or fault}.") from None
    # No VOC file needs one, and entities can swell to any size.
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise RecordError("It declares a document type, which is not accepted.")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as fault:
        raise RecordError(f"It is not XML: {fault}.") from None
    if root.tag != "annotation":
        raise RecordError(f"Its root is <{root.tag}>, not <annotation>.")
    # Tools write names with a wrong or no extension, and rename images later: the file's own stem is the other clue.
    named = plain_text(root.findtext("filename") or "")
    record = ImageRecord(relative, stem=True)
    record.aliases = (str(Path(named).with_suffix("")),) if Path(named).name else ()
    record.size = _size(root)
    for index, item in enumerate(root.findall("object"), start=1):
        where = f"Object {index}"
        try:
            record.regions.append(_region(item, where))
        except RecordError as fault:
            record.skip(where, str(fault))
    return record


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    try:
        width = number(root.findtext("size/width"), "width")
        height = number(root.findtext("size/height"), "height")
    except RecordError:
        return None
    # Some tools write 0 where they do not know.
    return (int(width), int(height)) if width > 0 and height > 0 else None


def _region(item: ElementTree.Element, where: str) -> Region:
    box = item.find("bndbox")
    if box is None:
        raise RecordError("It has no bndbox.")
    x0, y0, x1, y1 = (number(box.findtext(tag), f"Its {tag}") for tag in ("xmin", "ymin", "xmax", "ymax"))
    if x1 <= x0 or y1 <= y0:
        raise RecordError("Its box has no area.")
    name = plain_text(item.findtext("name") or "")
    border = {"kind": "rectangle", "x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}
    return Region(where, border, (name,) if name else ())
