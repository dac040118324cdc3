"""Measuring as a job: asked twice there is one; finished images are measured by themselves; a worker can stop."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from annotation.models import Cell, CellMeasures, SmearImage, Study
from annotation.store import ImageStore
from inference.cell_measure_jobs import launch, launch_due, work
from inference.models import CellMeasureJob
from inference.tasks import measure_cells
from tests.labelled_cells import BLUE, RED
from training.models import JobState

pytestmark = pytest.mark.django_db
Fields = Callable[..., list[Cell]]


def test_a_job_measures_a_study_and_a_message_delivered_twice_measures_once(
    study: Study, make_field: Fields, no_broker: list[Any]
):
    make_field(study, "P1", [RED, BLUE])
    make_field(study, "P2", [RED])
    job = launch(study)
    assert launch(study) == job
    assert work(job) == 3 and CellMeasures.objects.count() == 3
    job = job.reload()
    assert job.state == JobState.SUCCEEDED and job.progress == {"done": 2, "total": 2, "missing": []}
    measure_cells(job.pk)
    measure_cells(0)
    assert CellMeasureJob.objects.get().state == JobState.SUCCEEDED


def test_a_worker_that_stops_hands_the_job_back_and_the_next_goes_on(
    study: Study, make_field: Fields, no_broker: list[Any]
):
    for patient in ("P1", "P2", "P3"):
        make_field(study, patient, [RED])
    job = launch(study)
    assert work(job, stopping=lambda: CellMeasures.objects.exists()) == 1
    assert job.reload().state == JobState.QUEUED and len(no_broker) == 1
    assert work(job) == 2 and job.reload().state == JobState.SUCCEEDED


def test_a_job_can_be_cancelled(study: Study, make_field: Fields, no_broker: list[Any]):
    make_field(study, "P1", [RED])
    job = launch(study)

    def cancelled() -> bool:
        CellMeasureJob.objects.get().cancel()
        return False

    work(job, stopping=cancelled)
    assert job.reload().state == JobState.CANCELLED


def test_finished_images_are_measured_by_themselves_and_others_wait(
    study: Study, make_field: Fields, no_broker: list[Any], django_assert_num_queries: DjangoAssertNumQueries
):
    make_field(study, "P1", [RED], state="in_progress")
    launch_due()
    assert not CellMeasureJob.objects.exists()
    make_field(study, "P2", [BLUE])
    launch_due()
    assert work(CellMeasureJob.objects.get()) == 2
    with django_assert_num_queries(1):
        launch_due()
    assert CellMeasureJob.objects.count() == 1


def test_a_change_that_moves_no_border_launches_nothing(study: Study, make_field: Fields, no_broker: list[Any]):
    (cell,) = make_field(study, "P1", [RED])
    work(launch(study))
    SmearImage.objects.update(revision=7)
    launch_due()
    assert CellMeasureJob.objects.count() == 1 and cell.image.measured.revision == 7
    SmearImage.objects.update(revision=8)
    cell.place({"kind": "circle", "cx": 20, "cy": 20, "r": 6}, cell.image)
    cell.save()
    launch_due()
    assert CellMeasureJob.objects.count() == 2


def test_what_is_gone_or_failed_is_not_tried_again_and_again(
    study: Study, make_field: Fields, no_broker: list[Any], settings: Any
):
    (cell,) = make_field(study, "P1", [RED])
    ImageStore(settings.IMAGE_STORE).pixels(cell.image.sha256).unlink()
    job = launch(study)
    assert work(job) == 0
    assert "is gone from the image store" in job.reload().log and job.state == JobState.SUCCEEDED
    launch_due()
    assert CellMeasureJob.objects.count() == 1
    make_field(study, "P2", [RED])
    CellMeasureJob.objects.update(state=JobState.FAILED)
    launch_due()
    assert CellMeasureJob.objects.count() == 1
