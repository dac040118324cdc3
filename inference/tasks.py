"""Work of the queue `inference`: each task carries an id, and returns cleanly where the row is gone or taken."""

from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from django.db import connection

from inference.models import ProposalJob
from inference.proposal_jobs import work


@shared_task(name=ProposalJob.task_name)
def run_proposal_job(job_id: int) -> None:
    job = ProposalJob.objects.select_related("study", "bundle").filter(pk=job_id).first()
    if job is not None:
        work(job)


@worker_ready.connect
def recover_proposal_jobs(sender: Any = None, **_: Any) -> None:
    """A worker of this queue that starts finds the jobs that were left behind or whose message was lost."""
    queues = getattr(getattr(sender, "app", None), "amqp", None)
    if queues is None or "inference" in queues.queues.consume_from:
        ProposalJob.recover()
        connection.close()
