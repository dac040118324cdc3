import hashlib
import json
from typing import Any

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation.models import Patient, SmearImage, Study


class CaseReport(models.Model):
    """A report that somebody has signed: what stood on it then, byte for byte, and who stands for it.

    Its content is never made anew: what is corrected later belongs into another report, after this one has been
    withdrawn with a reason. Of a patient, or of an image that came without one.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="case_reports")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, null=True, blank=True, related_name="case_reports")
    image = models.ForeignKey(SmearImage, on_delete=models.PROTECT, null=True, blank=True, related_name="case_reports")
    # Canonical JSON (see canonical), and its sha256: text, so that no database may write a number otherwise.
    content = models.TextField()
    content_hash = models.CharField(max_length=64)
    signed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    signed_at = models.DateTimeField(auto_now_add=True)
    second_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    second_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["-pk"]
        # The database itself refuses: nothing that was signed is changed or removed, whoever asks.
        triggers = [
            pgtrigger.ReadOnly(
                name="signed_stays_as_it_is",
                fields=["study", "patient", "image", "content", "content_hash", "signed_by", "signed_at"],
            ),
            pgtrigger.Protect(name="signed_is_not_removed", operation=pgtrigger.Delete),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(patient__isnull=False, image__isnull=True) | Q(patient__isnull=True, image__isnull=False),
                name="case_report_of_a_patient_or_an_image",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at__isnull=True) | (Q(withdrawn_by__isnull=False) & ~Q(withdrawn_reason="")),
                name="case_report_withdrawn_with_a_reason",
            ),
            models.UniqueConstraint(
                fields=["patient"], condition=Q(withdrawn_at__isnull=True), name="one_standing_case_report_a_patient"
            ),
            models.UniqueConstraint(
                fields=["image"], condition=Q(withdrawn_at__isnull=True), name="one_standing_case_report_an_image"
            ),
        ]

    def __str__(self) -> str:
        return f"Case report {self.pk}"

    @staticmethod
    def canonical(content: dict[str, Any]) -> str:
        """Content as it is stored and hashed: the same for equal content."""
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    @staticmethod
    def hash_of(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def is_intact(self) -> bool:
        """Whether the content is still the one that was signed."""
        return self.hash_of(self.content) == self.content_hash

    @property
    def read(self) -> dict[str, Any]:
        """The content."""
        found: dict[str, Any] = json.loads(self.content)
        return found
