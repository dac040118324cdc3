"""A job whose worker is busy with something that says nothing is heard of all the same."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from annotation.models import Study
from inference.models import ClassifyJob
from training.heartbeat import heard


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_loads_for_long_is_heard_of_and_one_that_lost_its_job_is_not(study: Study, settings: Any) -> None:
    settings.JOB_SILENCE_SECONDS = 0.2
    job = ClassifyJob.objects.create(study=study)
    assert job.claim()
    long_ago = timezone.now() - timedelta(hours=1)
    ClassifyJob.objects.update(heartbeat_at=long_ago)
    with heard(job):
        deadline = time.monotonic() + 10
        while ClassifyJob.objects.get().heartbeat_at == long_ago and time.monotonic() < deadline:
            time.sleep(0.02)
    assert ClassifyJob.objects.get().heartbeat_at > long_ago
    ClassifyJob.objects.update(heartbeat_at=long_ago, worker="another")
    with heard(job):
        time.sleep(0.2)
    assert ClassifyJob.objects.get().heartbeat_at == long_ago
