"""The Celery application: `celery -A config.celery worker --queues training --concurrency 1`.

Celery carries the id of a job's row and nothing else; the row is the truth (DESIGN.md, decision 5).
"""

from __future__ import annotations

import os
import signal
from typing import Any

from celery import Celery
from celery.signals import celeryd_init, worker_process_init

from config.keeper import die_with_parent
from config.orphan import end_when_orphaned

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("marrowloop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
def end_with_the_supervisor(**_: Any) -> None:
    end_when_orphaned()


@worker_process_init.connect
def end_with_the_worker(**_: Any) -> None:
    """A pool process that works on for a worker that was killed would do a job that has been handed to another."""
    die_with_parent(signal.SIGKILL, os.getppid())()
