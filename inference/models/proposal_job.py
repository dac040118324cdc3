from django.db import models
from django.db.models import Q

from annotation.models import ProposalRun, Study
from training.models import Bundle
from training.models.job import LIVE, Job


class ProposalJob(Job):
    """A pass over the images of a study that somebody asked for with the button."""

    task_name = "inference.run_proposal_job"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="proposal_jobs")
    # Null: the first proposals, made without a model.
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    run = models.ForeignKey(ProposalRun, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta(Job.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(fields=["study"], condition=Q(state__in=LIVE), name="one_live_proposal_job_a_study")
        ]

    def __str__(self) -> str:
        return f"Proposals {self.pk} for {self.study_id}"
