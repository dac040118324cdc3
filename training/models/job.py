"""Long work as a row: the row is the truth, the message queue carries only its id (DESIGN.md, decision 5)."""

import os
import socket
import uuid
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat, Now, Right
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

# Characters of log that a row keeps, the newest.
LOG_LENGTH = 200_000


class JobState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    CANCELLING = "cancelling", "Cancelling"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


# Somebody works on it, or will.
LIVE = (JobState.QUEUED, JobState.RUNNING, JobState.CANCELLING)
# In the hands of a worker, which must be heard of.
HELD = (JobState.RUNNING, JobState.CANCELLING)
# Nobody works on it; left again only where somebody resumes a job that failed or was cancelled.
ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class Job(models.Model):
    """One piece of long work, from the request to its end. Every kind is a table of its own.

        queued ──claim──► running ──succeed──► succeeded
          │  ▲               │ │
          │  └───release─────┘ ├──fail, bury_dead──► failed ◄──fail──┐
          │                    │                                     │
          │                    └──cancel──► cancelling ──give_up, bury_dead──► cancelled
          └──cancel──────────────────────────────────────────────────────┘

    failed and cancelled ──reopen──► queued

    Every arrow is one conditional UPDATE, so that of two workers one claims, and a job that ended elsewhere (was
    cancelled, or buried while its worker was cut off) is not revived. Each returns whether it took place, and then
    the instance carries the new values. `claim` gives the row a `worker` that no other claim has; what a worker
    does to its job later (beat, succeed, fail, give_up, release) counts only while that name still stands there.
    """

    # The Celery task that takes the id; each kind of job names its own.
    task_name: ClassVar[str]

    state = models.CharField(max_length=16, choices=JobState.choices, default=JobState.QUEUED)
    # Null where it was asked for on the command line.
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=200, blank=True)
    celery_id = models.CharField(max_length=64, blank=True)
    progress = models.JSONField(default=dict, blank=True)
    log = models.TextField(blank=True)
    # Why it ended as it did, in one sentence for people.
    reason = models.TextField(blank=True)

    class Meta:
        abstract = True
        ordering = ["-pk"]

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def is_ended(self) -> bool:
        return self.state in ENDED

    @property
    def seconds_taken(self) -> float | None:
        """From the claim to the end, or until now; None where no worker has claimed it."""
        if self.started_at is None:
            return None
        return ((self.finished_at or timezone.now()) - self.started_at).total_seconds()

    def queued_before(self) -> int:
        """How many jobs of this kind wait in front of it. Costs one query."""
        return type(self)._default_manager.filter(state=JobState.QUEUED, pk__lt=self.pk).count()

    # --- asking ---

    def enqueue(self) -> None:
        """Tell a worker of this saved, queued job once the transaction that made it is committed."""
        transaction.on_commit(self.send)

    def send(self) -> None:
        """Put the id into the message queue. Sent twice it still runs once: claim() sees to that.

        Where the queue cannot be reached the job fails and says so, rather than wait for nobody.
        """
        from config.celery import app

        celery_id = str(uuid.uuid4())
        self._change([JobState.QUEUED], celery_id=celery_id)
        try:
            app.send_task(
                self.task_name,
                args=[self.pk],
                task_id=celery_id,
                retry=True,
                retry_policy={"max_retries": 2, "interval_start": 0.1, "interval_step": 0.3},
            )
        except BrokerError:
            self._end([JobState.QUEUED], JobState.FAILED, "The message queue cannot be reached, so no worker was told.")

    def cancel(self, by: str = "") -> bool:
        """Ask for its end: at once where it waits, else its worker ends it within seconds."""
        who = f" by {by}" if by else ""
        if self._end([JobState.QUEUED], JobState.CANCELLED, f"Cancelled{who} before it started."):
            return True
        return self._change([JobState.RUNNING], state=JobState.CANCELLING, reason=f"Cancelled{who}.")

    # --- working ---

    def claim(self) -> bool:
        """Take it on; False where another worker has, or it is no longer queued."""
        claimed = self._change(
            [JobState.QUEUED],
            state=JobState.RUNNING,
            worker=f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}",
            started_at=timezone.now(),
            heartbeat_at=Now(),
            progress={},
            reason="",
        )
        if claimed:
            self.refresh_from_db(fields=["heartbeat_at"])
        return claimed

    def beat(self, log: str = "", **fields: Any) -> bool:
        """Say that its worker lives, append to the log, and set fields (progress, ...).

        Afterwards `state` is the present one, which is how a worker learns that it should give up. False where the
        job is no longer this worker's. Costs two queries.
        """
        alive = self._change(HELD, own=True, log_more=log, heartbeat_at=Now(), **fields)
        self.refresh_from_db(fields=["state", "reason", "heartbeat_at"])
        return alive

    def teller(self, stopping: Callable[[], bool]) -> Callable[[int, int], bool]:
        """What a pass tells how much of how much it has done, and asks whether to go on: not where the job is no longer
        this worker's, its end was asked for, or the worker is `stopping`."""

        def progress(done: int, total: int) -> bool:
            mine = self.beat(progress={"done": done, "total": total})
            return mine and self.state == JobState.RUNNING and not stopping()

        return progress

    def succeed(self, **fields: Any) -> bool:
        """Running, and nobody asked for its end: done. `fields` are set with it."""
        return self._end([JobState.RUNNING], JobState.SUCCEEDED, own=True, **fields)

    def fail(self, reason: str, **fields: Any) -> bool:
        """Ended without its result, for a reason that people can read."""
        return self._end(HELD, JobState.FAILED, reason, own=True, **fields)

    def give_up(self) -> bool:
        """The end that was asked for has taken place."""
        return self._end([JobState.CANCELLING], JobState.CANCELLED, self.reason or "Cancelled.", own=True)

    def release(self) -> bool:
        """Back into the queue, as its worker stops; the next one begins it anew."""
        return self._change([JobState.RUNNING], own=True, state=JobState.QUEUED, worker="", progress={})

    def reopen(self, **fields: Any) -> bool:
        """A job that failed or was cancelled waits again; who calls it tells a worker. `fields` are set with it."""
        return self._change(
            [JobState.FAILED, JobState.CANCELLED],
            state=JobState.QUEUED,
            worker="",
            celery_id="",
            finished_at=None,
            progress={},
            reason="",
            **fields,
        )

    def note(self, line: str) -> None:
        """Append a line to the log, whoever holds the job."""
        self._change(JobState.values, log_more=f"{line}\n")

    # --- finding what was left behind ---

    @classmethod
    def bury_dead(cls, older_than: timedelta | None = None) -> int:
        """End the jobs whose worker has not been heard of, by default for JOB_SILENCE_SECONDS; how many.

        They failed, or were cancelled where that was asked for. Costs two queries. Called wherever jobs are listed or
        launched, and by workers: no job runs for ever.
        """
        silence = older_than or timedelta(seconds=settings.JOB_SILENCE_SECONDS)
        now = timezone.now()
        silent = cls.silent_for(silence)
        cancelled = silent.filter(state=JobState.CANCELLING).update(state=JobState.CANCELLED, finished_at=now)
        failed = silent.filter(state=JobState.RUNNING).update(
            state=JobState.FAILED, finished_at=now, reason=died(silence)
        )
        return cancelled + failed

    @classmethod
    def silent_for(cls, silence: timedelta) -> models.QuerySet[Self]:
        """Jobs whose worker has not been heard of for so long. By the database's clock: workers on several machines
        need not agree on the time."""
        return cls._default_manager.filter(heartbeat_at__lt=Now() - silence)

    @classmethod
    def recover(cls) -> None:
        """What a worker does when it starts: bury the dead, and send what waits again, lest its message was lost."""
        cls.bury_dead()
        for job in cls._default_manager.filter(state=JobState.QUEUED).order_by("pk"):
            job.send()

    # --- the one way a row changes ---

    def _end(
        self, states: Iterable[str], state: JobState, reason: str = "", *, own: bool = False, **fields: Any
    ) -> bool:
        return self._change(states, own=own, state=state, reason=reason, finished_at=timezone.now(), **fields)

    def _change(self, states: Iterable[str], *, own: bool = False, log_more: str = "", **fields: Any) -> bool:
        """Set fields if the row is in one of `states` (and still this worker's); whether it was."""
        rows = type(self)._default_manager.filter(pk=self.pk, state__in=list(states))
        if own:
            rows = rows.filter(worker=self.worker)
        changes: dict[str, Any] = dict(fields)
        if log_more:
            # PostgreSQL's text holds no NUL.
            changes["log"] = Right(Concat(F("log"), Value(log_more.replace("\0", ""))), LOG_LENGTH)
        if rows.update(**changes) != 1:
            return False
        for name, value in fields.items():
            if not hasattr(value, "resolve_expression"):
                setattr(self, name, value)
        return True

    def reload(self) -> Self:
        self.refresh_from_db()
        return self


def died(silence: timedelta) -> str:
    """What is said of a job whose worker was silent for so long."""
    return f"The worker died: it was not heard of for {silence.total_seconds():.0f} seconds."
