import uuid
from typing import Any

from django.db import models
from django.db.models import Q

from training.models.job import HELD, Job
from training.models.round import Round


def _name() -> str:
    return uuid.uuid4().hex


class Search(models.Model):
    """The search for settings of a round, as pages and the API show it; Optuna's own tables hold what it works with."""

    round = models.OneToOneField(Round, on_delete=models.CASCADE, related_name="search", primary_key=True)
    # What its workers know it by. Not the round's number: a database made anew begins those again.
    name = models.CharField(max_length=32, default=_name, unique=True)
    # As training/search_storage.py's rows_of gives them; of kinds other than detectors as training/inner_search.py's
    # search does, each with the "scope" that it belongs to.
    trials = models.JSONField(default=list, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Search of {self.round_id}"

    @property
    def counted(self) -> list[dict[str, Any]]:
        """The trials that count among those asked for: not those that were tried again."""
        retried = {trial.get("retry_of") for trial in self.trials}
        return [trial for trial in self.trials if not (trial["state"] == "failed" and trial["number"] in retried)]


class SearchHelper(Job):
    """A worker that takes trials of a round's search beside the round's own. It is made when a worker is free: help
    that nobody has time for does not wait."""

    task_name = "training.help_search"

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="helpers")

    class Meta(Job.Meta):
        abstract = False
        indexes = [models.Index(fields=["round"], condition=Q(state__in=HELD), name="helpers_at_work")]

    def __str__(self) -> str:
        return f"Helper {self.pk} of round {self.round_id}"
