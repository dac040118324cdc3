"""Work of the queue `inference`: each task carries an id, and returns cleanly where the row is gone or taken."""

from celery import shared_task

from inference.models import ProposalJob
from inference.proposal_jobs import work


@shared_task(name="inference.run_proposal_job")
def run_proposal_job(job_id: int) -> None:
    job = ProposalJob.objects.select_related("study", "bundle").filter(pk=job_id).first()
    if job is not None:
        work(job)
