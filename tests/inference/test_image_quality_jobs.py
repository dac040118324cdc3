"""The pass that judges images: what it leaves alone, what it says of files that are gone, who asks for it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone
from PIL import Image

from annotation.models import Cell, ImageName, ImageQuality, Patient, SmearImage, Study
from annotation.store import ImageStore
from annotation.synthetic import draw_patient, draw_smear
from inference import image_quality_jobs
from inference.image_quality_jobs import judge_study, launch, look, work
from inference.models import ImageQualityJob
from training.models import JobState

pytestmark = pytest.mark.django_db
UM = 0.13


@pytest.fixture
def smear(study: Study, own_data_folder: Any) -> Callable[..., SmearImage]:
    """smear(light=1.0, **fields): a synthetic field of the study, darker by a factor."""

    def make(light: float = 1.0, **fields: Any) -> SmearImage:
        number = SmearImage.objects.count()
        drawn = draw_smear(draw_patient(3, 2), number, 320, 240, UM).pixels
        pixels = Image.fromarray((drawn * light).astype(np.uint8))
        image = SmearImage.objects.create(
            study=study,
            patient=Patient.arrive(study, "P-1"),
            sha256=ImageStore(settings.IMAGE_STORE).put(pixels),
            width=320,
            height=240,
            um_per_pixel=UM,
            fold=0,
            **fields,
        )
        ImageName.objects.create(image=image, name=f"field-{number}.png")
        return image

    return make


def test_each_image_is_judged_once(study: Study, smear: Callable[..., SmearImage]):
    good, dark = smear(), smear(light=0.4)
    assert judge_study(study) == 2
    assert ImageQuality.objects.get(image=good).verdict == "good"
    assert ImageQuality.objects.get(image=good).good_share == 1.0
    row = ImageQuality.objects.get(image=dark)
    assert row.verdict == "bad" and "underexposed" in row.reason
    assert row.tiles[0][:2] == [0, 0]
    assert judge_study(study) == 0
    ImageQuality.objects.filter(image=good).update(method="quality/0")
    assert judge_study(study) == 1


def test_an_image_without_a_file_is_said_to_be_poor(study: Study, smear: Callable[..., SmearImage]):
    image = smear()
    ImageStore(settings.IMAGE_STORE).pixels(image.sha256).unlink()
    judge_study(study)
    row = ImageQuality.objects.get(image=image)
    assert row.verdict == "bad" and row.reason == "The image is gone from the image store."


def test_a_picture_of_a_single_cell_has_no_density_and_no_regions(study: Study, smear: Callable[..., SmearImage]):
    image = smear(single_cell=True)
    judge_study(study)
    row = ImageQuality.objects.get(image=image)
    assert row.tiles == [] and row.good_share is None
    assert "density" not in {finding["criterion"] for finding in row.findings}


def test_labels_that_come_later_are_counted_without_opening_the_image(
    study: Study,
    smear: Callable[..., SmearImage],
    cell_type: Any,
    label_cell: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
):
    image = smear()
    judge_study(study)
    cell_type.labels.create(name="Smudge cell", order=9, counted=False)
    for index in range(12):
        cell = Cell(image=image)
        cell.place({"kind": "rectangle", "x": 10 + 20 * index, "y": 10, "width": 15, "height": 15}, image)
        cell.save()
        label_cell(cell, "Smudge cell" if index < 6 else "Myeloblast")
    SmearImage.objects.filter(pk=image.pk).update(revision=7)
    monkeypatch.setattr(ImageStore, "pixels", lambda *_: pytest.fail("the image was opened"))
    image_quality_jobs.look_again()
    assert ImageQuality.objects.get(image=image).verdict == "good", "judged a moment ago"
    ImageQuality.objects.update(judged_at=timezone.now() - timedelta(minutes=5))
    image_quality_jobs.look_again()
    row = ImageQuality.objects.get(image=image)
    assert row.verdict == "bad" and row.revision == 7
    assert row.reason == "6 of 12 cells with a label are smudge cells."


def test_what_has_arrived_is_asked_for_once(study: Study, smear: Callable[..., SmearImage], no_broker: list[Any]):
    look()
    assert not ImageQualityJob.objects.exists(), "nothing to judge"
    smear()
    look()
    look()
    job = ImageQualityJob.objects.get()
    assert launch(study) == job
    assert work(job) == 1
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert work(job) == 0, "done already"
    look()
    assert ImageQualityJob.objects.count() == 1
    smear()
    look()
    assert ImageQualityJob.objects.count() == 2


def test_a_cancelled_pass_is_not_asked_for_again_at_once(
    study: Study, smear: Callable[..., SmearImage], no_broker: list[Any]
):
    smear()
    look()
    ImageQualityJob.objects.get().cancel("ada")
    look()
    assert ImageQualityJob.objects.count() == 1
    ImageQualityJob.objects.update(created_at=timezone.now() - timedelta(hours=1))
    look()
    assert ImageQualityJob.objects.count() == 2


def test_a_long_pass_lets_others_go_first(
    study: Study, smear: Callable[..., SmearImage], no_broker: list[Any], monkeypatch: pytest.MonkeyPatch
):
    smear(), smear(light=0.9)
    monkeypatch.setattr(image_quality_jobs, "TURN_SECONDS", 0.0)
    judged_before = ImageQuality.objects.count()
    job = launch(study)
    work(job)
    job.refresh_from_db()
    assert job.state == JobState.QUEUED
    assert ImageQuality.objects.count() == judged_before
    monkeypatch.setattr(image_quality_jobs, "TURN_SECONDS", 60.0)
    assert work(job) == 2


def test_the_command_says_which_images_are_poor(
    study: Study, smear: Callable[..., SmearImage], capsys: pytest.CaptureFixture[str]
):
    smear(), smear(light=0.4)
    call_command("check_quality", study=study.name)
    told = capsys.readouterr()
    assert '{"judged": 2, "images": 2, "good": 1, "doubtful": 0, "bad": 1}' in told.out
    assert "field-1.png: The image is underexposed" in told.err
    call_command("check_quality", study=study.name, again=True)
    assert '"judged": 2' in capsys.readouterr().out
