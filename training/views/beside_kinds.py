"""The kinds of models that diagnose beside each other, each by its newest round: those of cells, and the baseline."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.models import JobState, Kind, Round
from training.views.classifier_page import Figure

# As many as fit beside each other. The last is the mean squared distance of probabilities from the truth.
FIGURES = {"auroc": "AUROC", "auprc": "AUPRC", "precision": "Precision", "recall": "Recall", "brier": "Brier score"}


@dataclass(frozen=True)
class KindBeside:
    """The newest round of a kind that succeeded, None before the first, and its figures of one decision, none where it
    was not asked for that."""

    kind: Kind
    round: Round | None
    patients: int
    figures: list[Figure]


def beside_kinds(round_: Round, decision: str) -> list[KindBeside]:
    """The kinds that diagnose, the round itself standing for its own. One query."""
    own = Kind(round_.kind)
    others = [kind for kind in Kind if kind.diagnoses and kind != own]
    newest = (
        Round.objects.filter(study=round_.study_id, kind__in=others, state=JobState.SUCCEEDED)
        .order_by("kind", "-number")
        .distinct("kind")
        .only("pk", "kind", "number", "metrics", "study")
    )
    found = {Kind(each.kind): each for each in newest} | {own: round_}
    return [_beside(kind, found.get(kind), decision) for kind in Kind if kind.diagnoses]


def figures_of(stated: Mapping[str, Any]) -> list[Figure]:
    return [Figure.of(name, stated.get(key)) for key, name in FIGURES.items()]


def _beside(kind: Kind, round_: Round | None, decision: str) -> KindBeside:
    stated = ((round_.metrics or {}).get("decisions") or {}).get(decision) if round_ else None
    return KindBeside(kind, round_, stated["patients"] if stated else 0, figures_of(stated) if stated else [])
