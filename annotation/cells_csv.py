"""The table that says what is on pictures of single cells: columns file, patient, cell_class, sample.

`file` is a path relative to the folder that is imported. The others may be absent or empty: without a class the cell
waits for a person, without a sample nobody knows how it was chosen.
"""

import csv
import io
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from annotation.formats.records import FormatError, Skipped, plain_text, read_text
from annotation.models import SmearImage

COLUMNS = ("file", "patient", "cell_class", "sample")
_LONGEST = {"patient": 200, "cell_class": 100}


@dataclass(frozen=True)
class CellRow:
    """One picture. `name` is its path relative to the folder, with slashes; `row` its line in the table."""

    row: int
    name: str
    patient: str
    cell_class: str
    sample: str


@dataclass
class CellTable:
    rows: list[CellRow] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_cells(path: Path) -> CellTable:
    """Raises FormatError where the table cannot be used at all; single rows end in `skipped`."""
    text = read_text(path)
    table = CellTable()
    header = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=header.count))
    try:
        names = [plain_text(name).casefold() for name in next(reader, [])]
        _check(names, path, table)
        for values in reader:
            if any(value.strip() for value in values):
                _row(table, reader.line_num, names, [plain_text(value) for value in values])
    except csv.Error as fault:
        raise FormatError(f"{path.name} is not CSV: {fault}.") from None
    return table


def _check(names: list[str], path: Path, table: CellTable) -> None:
    if "file" not in names:
        raise FormatError(f"{path.name} has no column named file.")
    twice = [name for name, count in Counter(names).items() if count > 1 and name in COLUMNS]
    if twice:
        raise FormatError(f"{path.name} has two columns named {twice[0]}.")
    unknown = [name or "(without a name)" for name in names if name not in COLUMNS]
    if unknown:
        noun = "column is" if len(unknown) == 1 else "columns are"
        table.notes.append(f"{path.name}: {len(unknown)} {noun} not known and not read: {', '.join(unknown)}.")


def _row(table: CellTable, number: int, names: list[str], values: list[str]) -> None:
    said = dict(zip(names, values, strict=False))
    file = said.get("file", "")

    def skip(reason: str) -> None:
        table.skipped.append(Skipped(file or f"row {number}", f"Row {number}: {reason}"))

    if len(values) != len(names):
        return skip(f"It has {len(values)} values for {len(names)} columns.")
    if not file:
        return skip("It names no file.")
    path = PurePosixPath(file.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or path.parts[0].endswith(":"):
        return skip("The file's path must be relative to the folder, and stay in it.")
    for column, longest in _LONGEST.items():
        if len(said.get(column, "")) > longest:
            return skip(f"Its {column} is longer than {longest} characters.")
    sample = said.get("sample", "").casefold()
    if sample not in SmearImage.Sample.values:
        known = " or ".join(value for value in SmearImage.Sample.values if value)
        return skip(f"Its sample is {said['sample']!r}, which is neither {known} nor empty.")
    table.rows.append(CellRow(number, path.as_posix(), said.get("patient", ""), said.get("cell_class", ""), sample))
