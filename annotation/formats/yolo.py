"""YOLO labels: one text file an image, a line `class x y width height` a box, in fractions of the image's size.

The box is given by its centre. A line with three or more pairs of coordinates is a polygon (YOLO's segmentation
and oriented boxes). An empty file is an image without cells; an image without a file is not annotated.
"""

from collections.abc import Sequence
from pathlib import Path

from annotation.formats.records import (
    FormatError,
    ImageRecord,
    RecordError,
    Records,
    Region,
    number,
    plain_text,
    read_text,
    shortened,
)

NAME_FILES = ("classes.txt", "obj.names")


def read(path: Path, class_names: Path | Sequence[str] | None = None) -> Records:
    """Labels of a folder (searched in depth) or of one file. Raises FormatError."""
    names, names_file = _class_names(path, class_names)
    records = Records("yolo")
    if names_file:
        records.files.add(names_file.resolve())
        if class_names is None:
            records.notes.append(f"Class names are taken from {names_file.name} beside the labels.")
    folder = path if path.is_dir() else path.parent
    files = sorted(folder.rglob("*.txt")) if path.is_dir() else [path]
    used: set[str] = set()
    for file in files:
        if file.name in NAME_FILES or file.resolve() in records.files or not file.is_file():
            continue
        records.files.add(file.resolve())
        name = file.relative_to(folder).with_suffix("").as_posix()
        record = ImageRecord(name, _aliases(name), stem=True)
        try:
            text = read_text(file)
        except FormatError as fault:
            record.skip("File", str(fault))
            text = ""
        for index, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            try:
                region = _region(line, f"Line {index}", names)
            except RecordError as fault:
                record.skip(f"Line {index}", str(fault))
                continue
            used.update(region.classes)
            record.regions.append(region)
        records.images.append(record)
    if not records.images:
        raise FormatError(f"There is no YOLO label file (.txt) in {path.name}.")
    records.classes = tuple(names) if names else tuple(sorted(used))
    return records


def _aliases(name: str) -> tuple[str, ...]:
    # YOLO's own rule for a tree of both: .../labels/a.txt belongs to .../images/a.jpg.
    parts = name.split("/")
    if "labels" not in parts:
        return ()
    last = len(parts) - 1 - parts[::-1].index("labels")
    return ("/".join([*parts[:last], "images", *parts[last + 1 :]]),)


def _region(line: str, where: str, names: Sequence[str]) -> Region:
    fields = line.split()
    if len(fields) != 5 and (len(fields) < 7 or len(fields) % 2 == 0):
        raise RecordError(f"A box is a class and four numbers, not {len(fields)} fields: {shortened(line.strip())}.")
    index = number(fields[0], "The class")
    if index < 0 or index != int(index):
        raise RecordError(f"The class must be a whole number from 0, not {shortened(fields[0])}.")
    if names and index >= len(names):
        raise RecordError(f"There is no class {int(index)} among the {len(names)} class names.")
    name = names[int(index)] if names else str(int(index))
    values = [number(field, "A coordinate") for field in fields[1:]]
    if len(values) > 4:
        points = [[x, y] for x, y in zip(values[::2], values[1::2], strict=True)]
        return Region(where, {"kind": "polygon", "points": points}, (name,), relative=True)
    x, y, width, height = values
    if width <= 0 or height <= 0:
        raise RecordError("The box has no area.")
    if max(width, height) > 2 or not (-1 <= x <= 2 and -1 <= y <= 2):
        raise RecordError("The box is not in fractions of the image's size.")
    border = {"kind": "rectangle", "x": x - width / 2, "y": y - height / 2, "width": width, "height": height}
    return Region(where, border, (name,), relative=True)


def _class_names(path: Path, given: Path | Sequence[str] | None) -> tuple[list[str], Path | None]:
    if given is not None and not isinstance(given, Path):
        return [plain_text(name) for name in given], None
    file = given
    if file is None:
        folder = (path if path.is_dir() else path.parent).resolve()
        # Beside the labels, or where a tree of train/labels and val/labels keeps its one list.
        places = [folder, folder.parent, folder.parent.parent]
        file = next((place / name for place in places for name in NAME_FILES if (place / name).is_file()), None)
    if file is None:
        return [], None
    lines = [plain_text(line) for line in read_text(file).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise FormatError(f"The file of class names {file.name} is empty.")
    return lines, file
