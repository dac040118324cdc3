from django.db import models
from django.db.models import Q

from annotation.models import Study
from training.models.job import LIVE, Job


class CellMapJob(Job):
    """The making of a study's map of cells from their stored features (inference/cell_map.py)."""

    task_name = "inference.make_cell_map"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="cell_map_jobs")

    class Meta(Job.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(fields=["study"], condition=Q(state__in=LIVE), name="one_live_cell_map_job_a_study")
        ]

    def __str__(self) -> str:
        return f"Map of cells {self.pk} of {self.study_id}"
