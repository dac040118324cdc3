"""What the page of a round that diagnoses shows: figures with intervals, curves, calibration, each patient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotation.diagnoses import UNKNOWN
from annotation.models import Cell, Patient, SmearImage, Study
from training.decisions import names_in
from training.models import Kind, Round
from training.views.beside_kinds import FIGURES, beside_kinds, figures_of
from training.views.diagnosis_judged import judged_context


@dataclass(frozen=True)
class Diagnosed:
    """What models that diagnose can learn from now: patients with cells or images by diagnosis, in words."""

    patients: int
    by_diagnosis: Sequence[tuple[str, int]]


def diagnosed_by_now(study: Study, kind: Kind = Kind.MIL) -> Diagnosed:
    """Costs one query."""
    if kind == Kind.IMAGE:
        has: dict[str, Any] = {"images__in": SmearImage.objects.filter(study=study).representative()}
    else:
        has = {"images__cells__in": Cell.objects.filter(image__study=study, ignored=False).shown()}
    known = Patient.objects.filter(study=study, **has).exclude(diagnosis=UNKNOWN)
    rows = list(known.distinct().values_list("pk", "diagnosis"))
    counts = [(each.name, sum(found == each.key for _, found in rows)) for each in study.diagnoses]
    return Diagnosed(len(rows), [pair for pair in counts if pair[1]])


def diagnosis_context(round_: Round, wanted: str = "") -> dict[str, Any]:
    """Everything of templates/training/diagnosis_round.html beside what all rounds have; `wanted` is the decision whose
    curves are shown."""
    metrics = (round_.metrics or {}).get("decisions") or {}
    card: Mapping[str, Any] = round_.bundle.card if round_.bundle else {}
    judged: Mapping[str, Any] = card.get("judged") or {}
    chosen = wanted if wanted in judged else next(iter(judged), "")
    context: dict[str, Any] = {
        "decisions": [
            {
                "name": name,
                "patients": each["patients"],
                "positives": each["positives"],
                "figures": figures_of(each),
                "logistic": figures_of(each["logistic"]) if "logistic" in each else None,
            }
            for name, each in metrics.items()
        ],
        "figure_names": list(FIGURES.values()),
        "beside_kinds": beside_kinds(round_, chosen),
        "left_out": sorted((card.get("left_out") or {}).items()),
        "notes": card.get("notes") or [],
        "fold_counts": None,
        "diagnoses": True,
        "chosen": chosen,
    }
    if not chosen:
        return context
    each = judged[chosen]
    threshold = next(one["threshold"] for one in card["architecture"]["decisions"] if one["name"] == chosen)
    return context | judged_context(each, names_in(chosen), threshold) | {"judged_folds": each.get("folds", [])}
