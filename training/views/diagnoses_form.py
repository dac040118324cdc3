"""The table in which admins change the diagnoses of a study: a row each, and an empty one for another."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from annotation.diagnoses import LONGEST, DiagnosesError, Diagnosis
from annotation.models import Study
from training.study_decisions import decided_by
from training.study_diagnoses import add, change, patients_by_diagnosis, retire


@dataclass(frozen=True)
class Row:
    """As the table shows it: `name` and `spellings` may be what somebody typed."""

    key: str
    name: str
    spellings: str
    patients: int
    is_decided: bool


class DiagnosesForm:
    """What POST says of them; without, what the study has."""

    longest = LONGEST

    def __init__(self, study: Study, data: Mapping[str, str] | None = None) -> None:
        self.study, self.error = study, ""
        self.data: Mapping[str, str] = data or {}
        self.patients = patients_by_diagnosis(study)
        self.seen = _fingerprint(study)

    @property
    def rows(self) -> list[Row]:
        decided = {key for decision in decided_by(self.study) for key in decision.classes}
        return [
            Row(row.key, *self._typed(row), self.patients.get(row.key, 0), row.key in decided)
            for row in self.study.diagnoses
        ]

    @property
    def new(self) -> dict[str, str]:
        return {name: self.data.get(f"new-{name}", "").strip() for name in ("name", "key", "spellings")}

    def _typed(self, row: Diagnosis) -> tuple[str, str]:
        spelled = ", ".join(row.spellings)
        return self.data.get(f"name-{row.key}", row.name), self.data.get(f"spellings-{row.key}", spelled)

    def save(self) -> bool:
        """Whether all of it could be kept; else none of it was, and `error` says why in a sentence."""
        if self.data.get("seen") != self.seen:
            self.error = "Somebody else has changed the diagnoses meanwhile: look at them again."
            self.data = {}
            return False
        try:
            with transaction.atomic():
                self._save()
        except DiagnosesError as error:
            self.error = str(error)
            self.study.refresh_from_db()
            return False
        return True

    def _save(self) -> None:
        retired = self.data.get("retire", "")
        for row in self.rows:
            own, spellings = self.study.diagnoses[row.key], tuple(_parted(row.spellings))
            if row.key != retired and (row.name, spellings) != (own.name, own.spellings):
                change(self.study, row.key, row.name, spellings)
        if retired:
            retire(self.study, retired)
        if self.new["name"]:
            add(self.study, self.new["name"], self.new["key"], _parted(self.new["spellings"]))


def _parted(text: str) -> list[str]:
    return [part for part in (each.strip() for each in text.split(",")) if part]


def _fingerprint(study: Study) -> str:
    return hashlib.sha256(json.dumps(study.diagnoses.as_json()).encode()).hexdigest()[:16]
