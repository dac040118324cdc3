"""Work of the queue `training`: a task carries the id of a round, whose row is the truth."""

import multiprocessing
from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down
from django.db import connection

from training import round_folders, rounds, search_jobs, watch
from training.models import Round, SearchHelper

# Its receivers listen in every worker.
__all__ = ["help_search", "recover_rounds", "run_round", "stop_rounds", "watch"]

# Memory that the worker shares with the pool processes it forks: a signal reaches only the worker itself. Without a
# lock, as a pool process that is killed while holding it would block the worker's end.
_stopping = multiprocessing.RawValue("b", 0)


@shared_task(name=Round.task_name)
def run_round(round_id: int) -> None:
    rounds.run(round_id, stopping=lambda: bool(_stopping.value))


@shared_task(name=SearchHelper.task_name)
def help_search(round_id: int) -> None:
    """Beside the round of this id, whose search asks for help; nothing happens where it needs none any more."""
    search_jobs.help_with(round_id, stopping=lambda: bool(_stopping.value))


@worker_shutting_down.connect
def stop_rounds(**_: Any) -> None:
    """A round may take hours: it goes back into the queue rather than hold up a worker that is to stop."""
    _stopping.value = 1


@worker_ready.connect
def recover_rounds(sender: Any = None, **_: Any) -> None:
    """A worker of the training queue that starts finds the rounds that were left behind or whose message was lost, and
    clears away what is kept no longer."""
    queues = getattr(getattr(sender, "app", None), "amqp", None)
    if queues is None or "training" in queues.queues.consume_from:
        Round.recover()
        round_folders.sweep()
        connection.close()
