from django.db import models
from django.db.models import Q

from annotation.models import Study
from training.models import Bundle
from training.models.job import LIVE, Job


class ClassifyJob(Job):
    """A pass over the cells of a study in which classifiers say what each of them is."""

    task_name = "inference.run_classify_job"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="classify_jobs")
    # Null: the classifiers that are in use when it begins.
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # What was said in the end (inference/classified.py); {} until then.
    result = models.JSONField(default=dict, blank=True)

    class Meta(Job.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(fields=["study"], condition=Q(state__in=LIVE), name="one_live_classify_job_a_study")
        ]

    def __str__(self) -> str:
        return f"Classification {self.pk} of {self.study_id}"
