"""A bundle that diagnoses on patients of another study, whose diagnoses are known: external validation, over all of
them and cohort by cohort."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from annotation.models import Patient, Study
from inference.cell_feature_jobs import Extractor, default_extractor
from inference.diagnosis import Diagnosed, DiagnosisProblem, diagnose_patients, known_diagnoses
from training.classification_metrics import DRAWS
from training.decisions import Decision
from training.models import Bundle

SHOWN = ("auroc", "auprc", "precision", "recall", "f1", "brier", "promised", "patients", "positives", "reliability")
# Of three or more diagnoses each against the others; what plots are made of; and the table of patients.
_SEVERAL = ("classes", "confusion")
_DRAWN = ("roc", "pr", "bands")
_PATIENTS = ("by_patient",)
_ALL = (*SHOWN, *_SEVERAL, *_DRAWN, *_PATIENTS)


@dataclass
class _Judged:
    """Patients of one decision: rows (n, K) of probabilities, their classes, codes and cohorts; how many of them the
    bundle was taught on."""

    rows: list[list[float]] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    cohorts: list[str] = field(default_factory=list)
    taught_on: int = 0


def validate(
    study: Study,
    bundle: Bundle,
    progress: Callable[[int, int], bool] | None = None,
    extractor: Callable[[str], Extractor] = default_extractor,
    *,
    draws: int = DRAWS,
) -> dict[str, Any]:
    """For JSON, by decision: figures with intervals over the study's patients, or in `left_out` why there are none;
    with `cohorts` those of each cohort that has patients of all diagnoses, and in `cohorts_left_out` the others.

    Patients whom the bundle was taught on are judged by the chain that had not seen them, and counted (`taught_on`).
    Raises DiagnosisProblem where no decision can be judged.
    """
    known = known_diagnoses(study)
    patients = list(Patient.objects.filter(study=study, code__in=known))
    if not patients:
        raise DiagnosisProblem(f"The study {study.name} has no patient whose diagnosis is known.")
    done = diagnose_patients(study, patients, [bundle], progress, extractor)
    cohort_of = {patient.code: patient.cohort for patient in patients}
    decisions: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for stated in bundle.card["architecture"]["decisions"]:
        decision, threshold = Decision.stated(stated), float(stated["threshold"])
        here = [study.diagnoses.meant(key, name) for key, name in zip(decision.classes, decision.names, strict=True)]
        said = _judged(decision, here, done.diagnosed, known, cohort_of)
        missing = _missing(decision, said.targets)
        if missing:
            left_out[decision.name] = f"The study has no patient with cells who has {missing}."
            continue
        decisions[decision.name] = _figures(said, range(len(said.codes)), threshold, draws) | {
            "diagnoses": list(decision.classes),
            "threshold": threshold,
            "taught_on": said.taught_on,
            **_by_cohort(decision, said, threshold, draws),
        }
    if not decisions:
        raise DiagnosisProblem(next(iter(left_out.values())))
    return {
        "study": study.name,
        "bundle": bundle.pk,
        "kind": bundle.kind,
        "taught_by": bundle.card["study"],
        "decisions": decisions,
        "left_out": left_out,
        "without": {each.patient: each.reason for each in done.diagnosed if each.reason},
        "seconds": dict(done.seconds),
    }


def without_curves(found: dict[str, Any]) -> dict[str, Any]:
    """What validate() found without what only plots and the table of patients need."""
    return _without(found, (*_DRAWN, *_PATIENTS))


def without_patients(found: dict[str, Any]) -> dict[str, Any]:
    """What validate() found, of no patient by itself."""
    return _without(found, _PATIENTS) | {"without": len(found["without"])}


def _without(found: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    def kept(figures: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in figures.items() if key not in names}

    return found | {
        "decisions": {
            name: kept(each) | {"cohorts": {cohort: kept(own) for cohort, own in each["cohorts"].items()}}
            for name, each in found["decisions"].items()
        }
    }


def _judged(
    decision: Decision,
    here: Sequence[str],
    diagnosed: Sequence[Diagnosed],
    known: dict[str, str],
    cohort_of: dict[str, str],
) -> _Judged:
    """`here`: the keys that the study has for the decision's diagnoses."""
    found = _Judged()
    for patient in diagnosed:
        diagnosis = known[patient.patient]
        for said in patient.said:
            if said.decision != decision.name or diagnosis not in here:
                continue
            found.rows.append([said.probabilities[each] for each in decision.classes])
            found.targets.append(here.index(diagnosis))
            found.codes.append(patient.patient)
            found.cohorts.append(cohort_of[patient.patient])
            found.taught_on += said.chain != "all"
    return found


def _by_cohort(decision: Decision, said: _Judged, threshold: float, draws: int) -> dict[str, Any]:
    """Empty where all patients are of one cohort, or of none; among others those of none are one of their own."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, cohort in enumerate(said.cohorts):
        places[cohort].append(place)
    if len(places) < 2:
        return {"cohorts": {}, "cohorts_left_out": {}}
    cohorts, left_out = {}, {}
    for name in sorted(places, key=lambda each: (not each, each)):
        own, words = places[name], name or "no cohort"
        missing = _missing(decision, [said.targets[place] for place in own])
        if missing:
            left_out[words] = f"{len(own)} patient{'' if len(own) == 1 else 's'}, none with {missing}."
        else:
            cohorts[words] = _figures(said, own, threshold, draws)
    return {"cohorts": cohorts, "cohorts_left_out": left_out}


def _missing(decision: Decision, targets: Sequence[int]) -> str:
    """The diagnoses that no patient has, in words."""
    return " or ".join(name for place, name in enumerate(decision.names) if place not in targets)


def _figures(said: _Judged, own: Sequence[int], threshold: float, draws: int) -> dict[str, Any]:
    # Imported here: what calibrates scores takes the web process a while to load.
    from training.diagnosis_judging import judge

    found = judge(
        np.array([said.rows[place] for place in own]),
        np.array([said.targets[place] for place in own]),
        None,
        threshold=threshold,
        draws=draws,
        seed=0,
        names=[said.codes[place] for place in own],
    )
    return {name: found[name] for name in _ALL if name in found}
