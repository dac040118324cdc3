"""What every worker does beside its own work: notice jobs whose worker has died, and jobs whose message was lost.

A worker that is killed outright can tell nobody. Pages notice when somebody looks at them; so that a job is picked up
or marked failed within a minute also where nobody does, each worker of whatever queue looks every few seconds.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

from celery.signals import worker_ready, worker_shutdown
from django.conf import settings
from django.db import DatabaseError, connection

from training.models import HELD, Job, JobState

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
# A job that waits for so long while none of its kind is worked on: its message is lost.
LOST_SECONDS = 20.0


def kinds() -> Iterator[type[Job]]:
    """Every kind of job, of whatever app."""
    for kind in Job.__subclasses__():
        if not kind._meta.abstract:
            yield kind


def queue_of(kind: type[Job]) -> str:
    """The queue into which messages of a kind go."""
    from config.celery import app

    return str(app.amqp.router.route({}, kind.task_name)["queue"].name)


# What else is looked after, by the queue whose workers do it: work that is no job.
_others: list[tuple[str, Callable[[], object]]] = []


def also_look(queue: str, look: Callable[[], object]) -> None:
    """Have the workers of a queue call `look` whenever they look after jobs: a few small queries."""
    _others.append((queue, look))


class Watch:
    """Looks after the jobs of all kinds, for one worker, which takes messages from `queues`."""

    def __init__(self, queues: Collection[str]) -> None:
        self.queues = frozenset(queues)
        # Since when a job has been waiting while none of its kind was worked on.
        self._idle_since: dict[tuple[type[Job], int], float] = {}
        self._stopped = threading.Event()

    def look(self) -> None:
        """Once. Costs a few small queries. Several workers may do it at the same moment."""
        for kind in kinds():
            kind.bury_dead()
            # Of other queues there may be no worker, and their messages would only pile up.
            if queue_of(kind) in self.queues:
                self._send_lost(kind)
        for queue, look in _others:
            if queue in self.queues:
                look()

    def _send_lost(self, kind: type[Job]) -> None:
        """A message dies with its worker between the queue and the row, and with a broker that forgets."""
        now = time.monotonic()
        held = kind._default_manager.filter(state__in=HELD).exists()
        waiting = [] if held else list(kind._default_manager.filter(state=JobState.QUEUED))
        since = {(kind, job.pk): self._idle_since.get((kind, job.pk), now) for job in waiting}
        for job in waiting:
            if now - since[kind, job.pk] >= LOST_SECONDS:
                logger.warning("Nobody has taken up %s of %s; it is sent again.", job.pk, kind.__name__)
                since[kind, job.pk] = now
                job.send()
        others = {key: value for key, value in self._idle_since.items() if key[0] is not kind}
        self._idle_since = others | since

    def run(self) -> None:
        """Look until stopped; a database that is away is waited for."""
        pause = min(LOOK_SECONDS, settings.JOB_SILENCE_SECONDS / 4)
        while not self._stopped.wait(pause):
            try:
                self.look()
            except DatabaseError:
                # The workers could not write either: give them the time to.
                logger.warning("The database does not answer; jobs are looked after later.")
                self._stopped.wait(LOOK_SECONDS)
            except Exception:
                logger.exception("Looking after jobs failed.")
            finally:
                # Pool processes that are forked later must not inherit it.
                connection.close()

    def start(self) -> None:
        threading.Thread(target=self.run, name="watch", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()


_watches: list[Watch] = []


@worker_ready.connect
def start_watch(sender: Any = None, **_: Any) -> None:
    queues = getattr(getattr(sender, "app", None), "amqp", None)
    watch = Watch(queues.queues.consume_from if queues is not None else ())
    _watches.append(watch)
    watch.start()


@worker_shutdown.connect
def stop_watch(**_: Any) -> None:
    while _watches:
        _watches.pop().stop()
