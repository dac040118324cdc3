from django.db import models
from django.db.models import Q

from annotation.models import Study
from training.models import Bundle
from training.models.job import LIVE, Job


class ValidationJob(Job):
    """A bundle that diagnoses is judged on the patients of another study, whose diagnoses are known. The last one that
    succeeded stays, with what came of it."""

    task_name = "inference.validate_bundle"

    bundle = models.ForeignKey(Bundle, on_delete=models.CASCADE, related_name="validations")
    # Whose patients judge it.
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="validation_jobs")
    # What came of it in the end (inference/validation.py); {} until then.
    result = models.JSONField(default=dict, blank=True)

    class Meta(Job.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(
                fields=["bundle", "study"], condition=Q(state__in=LIVE), name="one_live_validation_a_bundle_and_study"
            )
        ]

    def __str__(self) -> str:
        return f"Validation {self.pk} of {self.bundle_id} on {self.study_id}"
