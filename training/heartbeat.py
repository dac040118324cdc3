"""Being heard of while at work that says nothing itself: loading networks, or writing a million rows."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from training.models.job import HELD, Job


@contextmanager
def heard(job: Job) -> Iterator[None]:
    """Within it a thread beats for a job that this process has claimed, as long as it is still this worker's."""
    over = threading.Event()
    mine = type(job)._default_manager.filter(pk=job.pk, worker=job.worker, state__in=HELD)

    def beat() -> None:
        while not over.wait(settings.JOB_SILENCE_SECONDS / 4):
            try:
                mine.update(heartbeat_at=Now())
            except DatabaseError:
                # Whoever does the work meets the same database.
                connection.close()
        connection.close()

    thread = threading.Thread(target=beat, name=f"heartbeat of {job}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
