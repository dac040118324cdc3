"""Which diagnoses a study tells apart: what its rounds learn, its reports show and its list of patients suspects."""

from annotation.models import Study
from training.decisions import parse_decisions


def decide(study: Study, text: str) -> None:
    """Keep decisions, as training/decisions.py reads them. Raises SettingsError with one sentence."""
    study.decisions = ", ".join("/".join(decision.classes) for decision in parse_decisions(text))
    study.save(update_fields=["decisions"])
