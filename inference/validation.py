"""A bundle that diagnoses on patients of another study, whose diagnoses are known: external validation."""

from collections.abc import Callable
from typing import Any

import numpy as np

from annotation.models import Patient, Study
from inference.cell_feature_jobs import Extractor, default_extractor
from inference.diagnosis import DiagnosisProblem, diagnose_patients, known_diagnoses
from training.classification_metrics import DRAWS
from training.decisions import NAMES, Decision
from training.diagnosis_judging import judge
from training.models import Bundle

SHOWN = ("auroc", "auprc", "precision", "recall", "f1", "brier", "promised", "patients", "positives", "reliability")


def validate(
    study: Study,
    bundle: Bundle,
    progress: Callable[[int, int], bool] | None = None,
    extractor: Callable[[str], Extractor] = default_extractor,
    *,
    draws: int = DRAWS,
) -> dict[str, Any]:
    """For JSON, by decision: figures with intervals over the study's patients, or in `left_out` why there are none.

    Patients whom the bundle was taught on are judged by the chain that had not seen them, and counted (`taught_on`).
    Raises DiagnosisProblem where no decision can be judged.
    """
    known = known_diagnoses(study)
    patients = list(Patient.objects.filter(study=study, code__in=known))
    if not patients:
        raise DiagnosisProblem(f"The study {study.name} has no patient whose diagnosis is known.")
    done = diagnose_patients(study, patients, [bundle], progress, extractor)
    without = {each.patient: each.reason for each in done.diagnosed if each.reason}
    decisions: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for stated in bundle.card["architecture"]["decisions"]:
        decision = Decision(tuple(stated["classes"]))
        rows, targets, taught_on = [], [], 0
        for patient in done.diagnosed:
            diagnosis = known[patient.patient]
            for said in patient.said:
                if said.decision == decision.name and diagnosis in decision.classes:
                    rows.append([said.probabilities[each] for each in decision.classes])
                    targets.append(decision.classes.index(diagnosis))
                    taught_on += said.chain != "all"
        missing = [NAMES[each] for place, each in enumerate(decision.classes) if place not in targets]
        if missing:
            left_out[decision.name] = f"The study has no patient with cells who has {' or '.join(missing)}."
            continue
        figures = judge(
            np.array(rows),
            np.array(targets),
            None,
            threshold=float(stated["threshold"]),
            draws=draws,
            seed=0,
        )
        decisions[decision.name] = {name: figures[name] for name in SHOWN} | {"taught_on": taught_on}
    if not decisions:
        raise DiagnosisProblem(next(iter(left_out.values())))
    return {
        "study": study.name,
        "bundle": bundle.pk,
        "kind": bundle.kind,
        "taught_by": bundle.card["study"],
        "decisions": decisions,
        "left_out": left_out,
        "without": without,
        "seconds": dict(done.seconds),
    }
