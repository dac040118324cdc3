"""Which diagnoses a study tells apart: what its rounds learn, its reports show and its list of patients suspects."""

from django.db import transaction

from annotation.models import Study
from training.decisions import Decision, parse_decisions


def decided_by(study: Study) -> tuple[Decision, ...]:
    """In the study's order, with the names that it gives its diagnoses now."""
    return parse_decisions(study.decisions, study.diagnoses)


@transaction.atomic
def decide(study: Study, text: str) -> None:
    """Keep decisions, as training/decisions.py reads them. Raises SettingsError with one sentence."""
    # Under the lock no diagnosis is retired meanwhile.
    diagnoses = Study.objects.select_for_update(no_key=True).get(pk=study.pk).diagnoses
    study.decisions = ", ".join(decision.text for decision in parse_decisions(text, diagnoses))
    study.save(update_fields=["decisions"])
