from django.db import models
from django.db.models import Q

from annotation.models import Study
from training.models.job import LIVE, Job


class CellMapJob(Job):
    """The making of a study's map of cells from their stored features (inference/cell_map.py)."""

    task_name = "inference.make_cell_map"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="cell_map_jobs")
    # Empty: what the backbone sees; else the name of a decision, by what MILLIE sees for it.
    space = models.CharField(max_length=200, blank=True)

    class Meta(Job.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(
                fields=["study", "space"], condition=Q(state__in=LIVE), name="one_live_cell_map_job_a_study_and_space"
            )
        ]

    def __str__(self) -> str:
        return f"Map of cells {self.pk} of {self.study_id}"
