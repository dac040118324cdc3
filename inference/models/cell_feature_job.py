from django.db import models
from django.db.models import Q

from annotation.models import Study
from training.models.job import LIVE, Job


class CellFeatureJob(Job):
    """A pass over the cells of a study that computes the features that are missing or out of date."""

    task_name = "inference.compute_cell_features"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="cell_feature_jobs")

    class Meta(Job.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(
                fields=["study"], condition=Q(state__in=LIVE), name="one_live_cell_feature_job_a_study"
            )
        ]

    def __str__(self) -> str:
        return f"Cell features {self.pk} of {self.study_id}"
