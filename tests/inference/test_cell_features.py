"""Features of cells: computed once, anew where the border was changed, by a job that can be stopped and asked twice."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from annotation.models import Cell, Study
from annotation.store import ImageStore
from inference import cell_feature_jobs
from inference.cell_feature_jobs import compute, launch, work
from inference.models import CellFeatureJob, CellFeatures, vectors_of
from inference.tasks import compute_cell_features
from tests.labelled_cells import BLUE, RED
from tests.training.coloured_cells import MeanColour
from training.models import JobState

pytestmark = pytest.mark.django_db
Fields = Callable[..., list[Cell]]


def test_features_are_of_the_cell_and_are_computed_once(study: Study, make_field: Fields, mean_colour: MeanColour):
    red, blue = make_field(study, "P1", [RED, BLUE])
    assert compute(study, mean_colour).cells == 2
    ids, vectors = vectors_of([red, blue])
    assert ids == sorted([red.pk, blue.pk], key=lambda key: key.hex) and vectors.dtype == np.float32
    colours = dict(zip(ids, vectors, strict=True))
    assert np.allclose(colours[red.pk], np.array(RED) / 255, atol=0.15)
    assert np.allclose(colours[blue.pk], np.array(BLUE) / 255, atol=0.15)
    assert compute(study, mean_colour).cells == 0 and mean_colour.seen == 2


def test_a_border_that_was_changed_is_looked_at_again_and_no_other(
    study: Study, make_field: Fields, mean_colour: MeanColour
):
    cells = make_field(study, "P1", [RED, BLUE, RED])
    compute(study, mean_colour)
    cells[0].place({"kind": "rectangle", "x": 70, "y": 10, "width": 20, "height": 20}, cells[0].image)
    cells[0].save()
    assert compute(study, mean_colour).cells == 1


def test_features_of_another_backbone_are_replaced(study: Study, make_field: Fields, mean_colour: MeanColour):
    make_field(study, "P1", [RED])
    compute(study, mean_colour)
    mean_colour.name = "another"
    assert compute(study, mean_colour).cells == 1
    assert CellFeatures.objects.get().backbone == "another"


def test_proposals_deleted_and_ignored_cells_have_none(study: Study, make_field: Fields, mean_colour: MeanColour):
    kept, deleted, ignored = make_field(study, "P1", [RED, RED, RED])
    Cell.objects.filter(pk=deleted.pk).update(status=Cell.Status.DELETED)
    Cell.objects.filter(pk=ignored.pk).update(ignored=True)
    assert compute(study, mean_colour).cells == 1
    assert CellFeatures.objects.get().cell_id == kept.pk


def test_an_image_that_is_gone_is_told_of_and_the_others_go_on(
    study: Study, make_field: Fields, mean_colour: MeanColour, settings: Any
):
    gone, _ = make_field(study, "P1", [RED])[0], make_field(study, "P2", [BLUE])
    ImageStore(settings.IMAGE_STORE).pixels(gone.image.sha256).unlink()
    made = compute(study, mean_colour)
    assert (made.cells, made.missing) == (1, (gone.image.sha256,))


def test_vectors_of_one_backbone_alone_are_compared(study: Study, make_field: Fields):
    cells = make_field(study, "P1", [RED, RED, RED])
    for cell, name in zip(cells, ("old", "new", "new"), strict=True):
        CellFeatures.objects.create(cell=cell, crop_hash="x", backbone=name, vector=CellFeatures.pack(np.ones(2)))
    assert len(vectors_of(cells)[0]) == 2
    assert vectors_of(cells, "old")[0] == [cells[0].pk]
    assert vectors_of([]) == ([], pytest.approx(np.zeros((0, 0))))


def test_what_float16_cannot_hold_is_cut_off():
    packed = np.frombuffer(CellFeatures.pack(np.array([1e6, -1e6, 0.5])), dtype="<f2")
    assert np.isfinite(packed).all() and packed[2] == 0.5


def test_asked_twice_there_is_one_job(
    study: Study, no_broker: list[Any], django_capture_on_commit_callbacks: Callable[..., Any]
):
    with django_capture_on_commit_callbacks(execute=True):
        assert launch(study) == launch(study)
    assert no_broker == [("inference.compute_cell_features", [CellFeatureJob.objects.get().pk])]


def test_a_job_tells_how_far_it_is_and_a_message_delivered_twice_computes_once(
    study: Study, make_field: Fields, no_broker: list[Any], mean_colour: MeanColour, monkeypatch: pytest.MonkeyPatch
):
    make_field(study, "P1", [RED] * 3)
    job = launch(study)
    monkeypatch.setattr(cell_feature_jobs, "BATCH", 2)
    assert work(job, mean_colour) == 3
    assert job.reload().state == JobState.SUCCEEDED and job.progress == {"done": 3, "total": 3}
    assert work(CellFeatureJob.objects.get(), mean_colour) == 0
    compute_cell_features(job.pk)
    compute_cell_features(0)
    assert mean_colour.seen == 3


def test_a_worker_that_stops_hands_the_job_back_and_the_next_goes_on(
    study: Study, make_field: Fields, no_broker: list[Any], mean_colour: MeanColour, monkeypatch: pytest.MonkeyPatch
):
    make_field(study, "P1", [RED] * 5)
    monkeypatch.setattr(cell_feature_jobs, "BATCH", 2)
    job = launch(study)
    assert work(job, mean_colour, stopping=lambda: mean_colour.seen >= 2) == 2
    assert job.reload().state == JobState.QUEUED and len(no_broker) == 1
    assert work(job, mean_colour) == 3
    assert job.reload().state == JobState.SUCCEEDED and CellFeatures.objects.count() == 5


def test_a_job_can_be_cancelled(study: Study, make_field: Fields, no_broker: list[Any], mean_colour: MeanColour):
    make_field(study, "P1", [RED])
    job = launch(study)

    def cancelled() -> MeanColour:
        CellFeatureJob.objects.get().cancel()
        return mean_colour

    work(job, cancelled)
    assert job.reload().state == JobState.CANCELLED and mean_colour.seen == 0


def test_a_backbone_that_cannot_be_had_is_said(study: Study, make_field: Fields, no_broker: list[Any]):
    make_field(study, "P1", [RED])
    job = launch(study)

    def absent() -> MeanColour:
        raise ValueError("The weights of the backbone are not installed.")

    work(job, absent)
    assert (job.reload().state, job.reason) == (JobState.FAILED, "The weights of the backbone are not installed.")
