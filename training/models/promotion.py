from django.conf import settings
from django.db import models

from annotation.models import Study
from training.models.bundle import Bundle, Kind


class Promotion(models.Model):
    """One change of the bundle in use of a study. Rows are only added: together they are the history."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="promotions")
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.DETECTOR)
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, related_name="promotions")
    # The one in use until then; null for the first.
    previous = models.ForeignKey(Bundle, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # Null where it came into use by itself, as the newest.
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.bundle_id} after {self.previous_id or 'nothing'}"
