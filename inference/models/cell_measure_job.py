from django.db import models
from django.db.models import Q

from annotation.models import Study
from training.models.job import LIVE, Job


class CellMeasureJob(Job):
    """A pass over the cells of a study that measures those that were not measured as they are."""

    task_name = "inference.measure_cells"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="cell_measure_jobs")

    class Meta(Job.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(
                fields=["study"], condition=Q(state__in=LIVE), name="one_live_cell_measure_job_a_study"
            )
        ]

    def __str__(self) -> str:
        return f"Cell measures {self.pk} of {self.study_id}"
