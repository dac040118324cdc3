from django.db import models

from annotation.models.study import Study


class ProposalRun(models.Model):
    """One pass of a detector, or of the method without a model, over images of a study.

    Predictions arrive here as plain rows: `bundle` is a name, so that annotation needs to know of no model.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="proposal_runs")
    bundle = models.CharField(max_length=64)
    # People see the proposals at or above it; those below are kept for measuring.
    score_threshold = models.FloatField()
    images = models.PositiveIntegerField(default=0)
    proposals = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0.0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.bundle} · {self.created_at:%Y-%m-%d %H:%M}"
