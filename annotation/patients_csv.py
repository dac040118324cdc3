"""The table that says which image is of which patient: columns patient, image, diagnosis, cohort.

`cohort` (or `site`, or `batch`) says where or when a patient's smears were made. `image` is a file name; where the
column or its value is absent, the patient's images lie in a folder of the patient's name.
"""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from annotation.diagnoses import UNKNOWN, Diagnoses, DiagnosesError
from annotation.formats.matching import ImageNames, normal
from annotation.formats.records import FormatError, Skipped, plain_text, read_text

_LONGEST_CODE = 200
_LONGEST_COHORT = 100
_COHORT = ("cohort", "site", "batch")


@dataclass(frozen=True)
class PatientRow:
    row: int
    patient: str
    image: str


@dataclass
class PatientTable:
    rows: list[PatientRow] = field(default_factory=list)
    diagnoses: dict[str, str] = field(default_factory=dict)
    cohorts: dict[str, str] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)

    def by_image(self, names: list[str], folder: str = "") -> dict[str, str]:
        """Image name to patient; what cannot be told goes to `skipped`.

        folder: the name of the folder that was imported, for a table about that folder's parent.
        """
        found: dict[str, str] = {}
        images = ImageNames(names)
        folders: dict[str, list[str]] = {}
        for name in names:
            for part in {normal(folder), *PurePosixPath(normal(name)).parts[:-1]}:
                folders.setdefault(part, []).append(name)
        for row in self.rows:
            if row.image:
                matches, _ = images.find(row.image)
                reason = f"{len(matches)} images have this file name." if matches else "No image has this name."
                if len(matches) != 1:
                    self.skipped.append(Skipped(row.image, f"Patient {row.patient}: {reason}"))
                    continue
            else:
                matches = set(folders.get(normal(row.patient), ()))
                if not matches:
                    self.skipped.append(Skipped(row.patient, "No image lies in a folder of this patient's name."))
            for name in matches:
                if found.setdefault(name, row.patient) != row.patient:
                    reason = f"The table gives it to {found[name]} and to {row.patient}; the first stands."
                    self.skipped.append(Skipped(name, reason))
        return found


def read_patients(path: Path, accepted: Diagnoses) -> PatientTable:
    """Of a study that has such diagnoses. Raises FormatError where the table cannot be used at all; single rows end in
    `skipped`.

    A diagnosis that cannot be understood counts as unknown: the row still says whose images belong together.
    """
    text = read_text(path)
    table = PatientTable()
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    columns = {(name or "").strip().casefold(): name for name in reader.fieldnames or []}
    if "patient" not in columns:
        raise FormatError(f"{path.name} has no column named patient.")
    try:
        for index, values in enumerate(reader, start=2):
            _row(table, accepted, index, {key: plain_text(values.get(name) or "") for key, name in columns.items()})
    except csv.Error as fault:
        raise FormatError(f"{path.name} is not CSV: {fault}.") from None
    return table


def _row(table: PatientTable, accepted: Diagnoses, index: int, values: dict[str, str]) -> None:
    patient, image, diagnosis = values["patient"], values.get("image", ""), values.get("diagnosis", "")
    if not any(values.values()):
        return
    if not patient or len(patient) > _LONGEST_CODE:
        what = "is longer than 200 characters" if patient else "is empty"
        table.skipped.append(Skipped(image or f"row {index}", f"Row {index}: The patient {what}."))
        return
    table.rows.append(PatientRow(index, patient, image))
    cohort = next((values[name] for name in _COHORT if values.get(name)), "")[:_LONGEST_COHORT]
    if cohort and table.cohorts.setdefault(patient, cohort) != cohort:
        reason = f"Row {index}: The cohort was {table.cohorts[patient]} before; that stands."
        table.skipped.append(Skipped(patient, reason))
    try:
        said = accepted.read(diagnosis)
    except DiagnosesError as fault:
        table.skipped.append(Skipped(patient, f"Row {index}: {fault} It counts as unknown."))
        said = UNKNOWN
    known = table.diagnoses.get(patient, UNKNOWN)
    if UNKNOWN not in (known, said) and known != said:
        before = accepted.title(known)
        table.skipped.append(Skipped(patient, f"Row {index}: The diagnosis was {before} before; that stands."))
        return
    table.diagnoses[patient] = said if known == UNKNOWN else known
