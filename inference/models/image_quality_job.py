from django.db import models
from django.db.models import Q

from annotation.models import Study
from training.models.job import LIVE, Job


class ImageQualityJob(Job):
    """A pass over the images of a study that judges those whose quality nobody knows."""

    task_name = "inference.judge_image_quality"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="image_quality_jobs")

    class Meta(Job.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(
                fields=["study"], condition=Q(state__in=LIVE), name="one_live_image_quality_job_a_study"
            )
        ]

    def __str__(self) -> str:
        return f"Image quality {self.pk} of {self.study_id}"
