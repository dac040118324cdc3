"""Proposing on the worker, for the button: asked for once, followed by its row, cancelled between two images."""

from typing import Any

from django.db import IntegrityError, transaction

from annotation.models import SmearImage, Study
from inference.models import ProposalJob
from inference.proposals import ProposalProblem, chosen_bundle, propose, proposer_of
from training.heartbeat import heard


class AlreadyProposing(Exception):
    """Proposals are being made for this study already."""


def ask(study: Study, user: Any, bundle_id: str | None = None) -> ProposalJob:
    """Queue a pass over the images that nobody has annotated.

    Raises AlreadyProposing while another one of the study is queued or running, and ProposalProblem where the
    bundle does not exist or there is no image to propose on.
    """
    ProposalJob.bury_dead()
    bundle = chosen_bundle(study, bundle_id)
    if not SmearImage.objects.filter(study=study).unannotated().exists():
        raise ProposalProblem("There is no image that nobody has annotated.")
    try:
        with transaction.atomic():
            job = ProposalJob.objects.create(study=study, bundle=bundle, requested_by=user)
            job.enqueue()
    except IntegrityError:
        raise AlreadyProposing("Proposals are being made for this study already.") from None
    return job


def work(job: ProposalJob) -> None:
    """Claim and do one job; returns at once where another worker has it."""
    if not job.claim():
        return
    images = SmearImage.objects.filter(study=job.study).unannotated().prefetch_related("names")
    try:
        with heard(job):
            proposer = proposer_of(job.bundle)

        def progress(done: int, total: int) -> bool:
            return job.beat(progress={"done": done, "total": total}) and job.state == "running"

        made = propose(job.study, proposer, images, progress)
    except (ProposalProblem, ValueError, OSError) as problem:
        job.fail(str(problem))
        return
    except Exception as error:
        job.fail(f"Proposing failed: {type(error).__name__}: {error}")
        raise
    for name in made.missing:
        job.beat(log=f"{name}: its file is gone from the image store.\n")
    job.give_up() or job.succeed(run=made.run)
