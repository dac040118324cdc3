"""Heads retrained by a real worker of the queue `interactive`: one that is killed leaves its work to the next."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from annotation.models import Cell, LabelGroup, Study
from inference.cell_feature_jobs import compute
from inference.interactive import _LOCK, labels_changed, status_of
from inference.models import CellProbability, InteractiveHead
from tests.browser.test_loop import _database_url, _end, _start, broker  # noqa: F401
from tests.labelled_cells import BLUE, RED, near
from tests.training.coloured_cells import MeanColour

PATIENCE = 90.0


@pytest.fixture
def start_worker(transactional_db: Any, own_data_folder: Path, broker: str) -> Iterator[Callable[[], Any]]:  # noqa: F811
    started: list[subprocess.Popen[bytes]] = []
    environment = {
        **os.environ,
        "MARROWLOOP_DATA": str(own_data_folder),
        "DATABASE_URL": _database_url(),
        "BROKER_URL": broker,
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "celery", "--app", "config.celery", "worker", "--queues", "interactive"]
    command += ["--concurrency", "1", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]

    def start() -> subprocess.Popen[bytes]:
        with (own_data_folder / "worker.log").open("ab") as log:
            started.append(_start(command, log, cwd=settings.BASE_DIR, env=environment))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            _end(process)


def wait_for(state: str, study: Study, group: LabelGroup) -> None:
    deadline = time.monotonic() + PATIENCE
    while status_of(study, group).state != state:
        assert time.monotonic() < deadline, f"{status_of(study, group)} and not {state}"
        time.sleep(0.1)


@pytest.mark.slow
def test_a_worker_that_is_killed_at_work_leaves_it_to_the_next(
    start_worker: Callable[[], Any],
    study: Study,
    cell_type: LabelGroup,
    make_field: Callable[..., list[Cell]],
    label_cell: Callable[..., None],
    mean_colour: MeanColour,
) -> None:
    rng = np.random.default_rng(3)
    cells = [cell for patient in "ABC" for cell in make_field(study, patient, [near(c, rng) for c in (RED, BLUE) * 3])]
    compute(study, mean_colour)
    for index, cell in enumerate(cells[:12]):
        label_cell(cell, ("Promyelocyte", "Myeloblast")[index % 2])
    with connection.cursor() as cursor:
        # Whoever retrains waits here, as it would while it computes.
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [_LOCK, cell_type.pk])
    worker = start_worker()
    labels_changed(cell_type)
    wait_for("retraining", study, cell_type)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK, cell_type.pk])
    assert not CellProbability.objects.exists()
    # As if the others had waited for as long as they do.
    InteractiveHead.objects.update(started_at=timezone.now() - timedelta(minutes=1))
    start_worker()
    wait_for("ready", study, cell_type)
    assert CellProbability.objects.filter(label__name="Promyelocyte").count() == len(cells)
