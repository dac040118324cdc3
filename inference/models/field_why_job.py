from django.db import models
from django.db.models import Q

from annotation.models import SmearImage
from training.models import Bundle
from training.models.job import LIVE, Job


class FieldWhyJob(Job):
    """Somebody asks what in a field speaks for a diagnosis: parts are covered in turn (inference/field_why_jobs.py)."""

    task_name = "inference.explain_field"

    image = models.ForeignKey(SmearImage, on_delete=models.CASCADE, related_name="why_jobs")
    bundle = models.ForeignKey(Bundle, on_delete=models.CASCADE, related_name="+")
    # By its name: "APL vs non-APL AML".
    decision = models.CharField(max_length=200)
    columns = models.PositiveSmallIntegerField()
    rows = models.PositiveSmallIntegerField()
    # How many times as wide as the step to the next one a block is.
    overlap = models.FloatField()
    # Names the cells as they were seen; others by now make the map an old one.
    cells_hash = models.CharField(max_length=64, blank=True)
    # The map in the end; {} until then.
    result = models.JSONField(default=dict, blank=True)

    class Meta(Job.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(
                fields=["image"], condition=Q(state__in=LIVE), name="one_live_field_why_job_an_image"
            )
        ]

    def __str__(self) -> str:
        return f"Why {self.bundle_id} suspects {self.decision} in {self.image_id}"
