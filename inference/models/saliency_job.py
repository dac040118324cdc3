from django.db import models
from django.db.models import Q

from annotation.models import Cell, Label
from training.models.job import LIVE, Job


class SaliencyJob(Job):
    """Somebody asks why a model gives a cell a label: a map of what it looks at (inference/saliency_jobs.py)."""

    task_name = "inference.explain_cell"

    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, related_name="saliency_jobs")
    label = models.ForeignKey(Label, on_delete=models.CASCADE, related_name="+")
    # The id of a classifier's bundle, or INTERACTIVE.
    bundle = models.CharField(max_length=64)
    # One of inference.saliency_jobs.METHODS.
    method = models.CharField(max_length=16)

    class Meta(Job.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(
                fields=["cell", "label", "bundle", "method"],
                condition=Q(state__in=LIVE),
                name="one_live_saliency_job_a_question",
            )
        ]

    def __str__(self) -> str:
        return f"Why {self.bundle} sees {self.label_id} in {self.cell_id}"
