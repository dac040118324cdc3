"""Changing the diagnoses that a study knows: adding, renaming, and retiring those that nothing needs."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Count

from annotation.diagnoses import Diagnoses, DiagnosesError
from annotation.models import Study
from training.study_decisions import decided_by


@transaction.atomic
def add(study: Study, name: str, key: str = "", spellings: Sequence[str] = ()) -> str:
    """The key of a new diagnosis, made of its name where none is given. Raises DiagnosesError with one sentence."""
    locked = _locked(study)
    diagnoses = locked.diagnoses.added(name, key, spellings)
    _keep(study, diagnoses)
    return diagnoses.rows[-1].key


@transaction.atomic
def change(study: Study, key: str, name: str, spellings: Sequence[str]) -> None:
    """Give a diagnosis another name or other spellings; its key stays. Raises DiagnosesError with one sentence."""
    _keep(study, _locked(study).diagnoses.changed(key, name, spellings))


@transaction.atomic
def retire(study: Study, key: str) -> None:
    """Take a diagnosis out of the list. Raises DiagnosesError with one sentence where a patient has it, or a decision
    names it."""
    locked = _locked(study)
    diagnoses = locked.diagnoses.without(key)
    name = locked.diagnoses[key].title
    patients = study.patients.filter(diagnosis=key).count()
    if patients:
        raise DiagnosesError(f"{name} stays: {patients:,} patient{' has' if patients == 1 else 's have'} it.")
    told = [decision.name for decision in decided_by(locked) if key in decision.classes]
    if told:
        raise DiagnosesError(f"{name} stays while the study tells apart {' and '.join(told)}.")
    _keep(study, diagnoses)


def patients_by_diagnosis(study: Study) -> dict[str, int]:
    """How many patients have which, by key. One query."""
    rows = study.patients.order_by().values_list("diagnosis").annotate(Count("pk"))
    return dict(rows)


def _locked(study: Study) -> Study:
    """As it is now: nobody else changes its diagnoses or decisions, and no patient arrives, until this is done."""
    return Study.objects.select_for_update(no_key=True).get(pk=study.pk)


def _keep(study: Study, diagnoses: Diagnoses) -> None:
    study.diagnosis_rows = diagnoses.as_json()
    study.save(update_fields=["diagnosis_rows"])
