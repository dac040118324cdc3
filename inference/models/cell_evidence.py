from django.db import models
from django.db.models import Q

from annotation.models import Cell, Study
from training.models import Bundle
from training.models.job import LIVE, Job


class CellEvidence(models.Model):
    """What MILLIE would say of a patient who had this one cell: how far the cell alone speaks for a diagnosis, in a
    study where perhaps no cell has a label."""

    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, related_name="evidence", db_index=False)
    # By its name: "APL vs non-APL AML".
    decision = models.CharField(max_length=200)
    # Of the first diagnosis of the decision. Not calibrated: a cell is no patient.
    probability = models.FloatField()
    bundle = models.CharField(max_length=64)

    class Meta:
        verbose_name_plural = "cell evidence"
        constraints = [
            models.UniqueConstraint(fields=["cell", "decision"], name="one_evidence_a_cell_and_decision"),
            models.CheckConstraint(condition=Q(probability__gte=0, probability__lte=1), name="evidence_from_0_to_1"),
        ]

    def __str__(self) -> str:
        return f"{self.cell_id} · {self.decision}: {self.probability:.2f}"


class EvidenceJob(Job):
    """A pass over the cells of a study in which its MILLIE scores each of them alone (inference/cell_evidence.py)."""

    task_name = "inference.score_cells_alone"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="evidence_jobs")
    # Null: the one in use when it begins.
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta(Job.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(fields=["study"], condition=Q(state__in=LIVE), name="one_live_evidence_job_a_study")
        ]

    def __str__(self) -> str:
        return f"Evidence {self.pk} of {self.study_id}"
