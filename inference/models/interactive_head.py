from django.db import models

from annotation.models import LabelGroup


class InteractiveHead(models.Model):
    """The heads of a label group that are retrained while people label: what they have learned, and what waits."""

    group = models.OneToOneField(
        LabelGroup, on_delete=models.CASCADE, primary_key=True, related_name="interactive_head"
    )
    # Grows with each change of labels that is to be learned; what the heads have learned of it. Equal: nothing waits.
    asked = models.PositiveIntegerField(default=0)
    learned = models.PositiveIntegerField(default=0)
    # When a worker was told of it that has not begun: it needs no second message. Null where none is under way.
    told_at = models.DateTimeField(null=True, blank=True)
    # Of the last retraining; started after finished: one is going on.
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # Cells that it learned from, and cells that it gave probabilities.
    labelled = models.PositiveIntegerField(default=0)
    cells = models.PositiveIntegerField(default=0)
    # Why there are no probabilities, in one sentence for people; empty where there are.
    reason = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"Heads of {self.group_id}"
