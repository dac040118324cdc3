"""Which format an annotation source is in, by its content, and its records."""

from collections.abc import Sequence
from pathlib import Path

from annotation.formats import coco, csv, mask, via, voc, yolo
from annotation.formats.records import FormatError, Records, read_json, read_text


def read_records(
    path: Path,
    format: str = "auto",
    class_names: Path | Sequence[str] | None = None,
    class_attribute: str | None = None,
) -> Records:
    """Everything that a source says. `format` is auto, yolo, voc, coco, via or mask. Raises FormatError."""
    if not path.exists():
        raise FormatError(f"There is no annotation source {path}.")
    if format == "auto":
        format = detect(path)
    if format == "yolo":
        return yolo.read(path, class_names)
    if format == "voc":
        return voc.read(path)
    if format == "mask":
        # Never by content: pictures beside images may be images.
        return mask.read(path)
    if format not in ("coco", "via", "csv"):
        raise FormatError(f"The format {format!r} is not one of auto, yolo, voc, coco, via, mask.")
    path = _one_file(path)
    if format == "csv":
        return csv.read(read_text(path), path)
    if format == "via" and not _is_json(path):
        return via.read_csv(read_text(path), path, class_attribute)
    document = read_json(path)
    return coco.read(document, path) if format == "coco" else via.read_json(document, path, class_attribute)


def detect(path: Path) -> str:
    """yolo, voc, coco, via or csv (our own table). Raises FormatError where it is none of them."""
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*")) if file.is_file()]
        if any(file.suffix.lower() == ".json" for file in files) and not _labels(files):
            return detect(_one_file(path))
        labels = _labels(files)
        if len(labels) == 1:
            return labels.pop()
        if labels:
            raise FormatError(f"{path.name} holds both YOLO (.txt) and VOC (.xml) files; name one with --format.")
        return detect(_one_file(path))
    head = _head(path)
    if head.startswith("<"):
        return "voc"
    if head.startswith(("{", "[")):
        document = read_json(path)
        if coco.is_coco(document):
            return "coco"
        if via.is_project(document) or via.is_annotations(document):
            return "via"
        raise FormatError(f"{path.name} is neither COCO nor VIA.")
    if via.is_csv(head):
        return "via"
    if csv.is_table(head):
        return "csv"
    first = head.split("\n", 1)[0].split()
    if path.suffix.lower() == ".txt" and (not first or all(_is_number(field) for field in first)):
        return "yolo"
    raise FormatError(f"The format of {path.name} cannot be told by its content; name it with --format.")


def _labels(files: Sequence[Path]) -> set[str]:
    suffixes = {file.suffix.lower() for file in files if file.name not in yolo.NAME_FILES}
    return {format for format, suffix in (("yolo", ".txt"), ("voc", ".xml")) if suffix in suffixes}


def _one_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    files = [file for file in sorted(path.iterdir()) if file.is_file() and file.suffix.lower() in (".json", ".csv")]
    if len(files) != 1:
        raise FormatError(f"{path.name} holds {len(files)} annotation files (.json, .csv); name one of them.")
    return files[0]


def _is_json(path: Path) -> bool:
    return _head(path).startswith(("{", "["))


def _head(path: Path) -> str:
    # All of it is read again by the reader; files are a few megabytes.
    return read_text(path).lstrip()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
