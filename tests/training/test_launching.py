"""Launching a round: what is frozen and queued, what is refused, and one at a time."""

import threading
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from annotation.models import Label, Study
from annotation.store import ImageStore
from training.freeze import RoundRefused
from training.launching import launch
from training.models import JobState, Round
from training.selection import Selection
from training.settings import SettingsError

pytestmark = pytest.mark.django_db


def test_a_launch_freezes_and_queues(
    annotated_study: Study, admin: Any, no_broker: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        made = launch(annotated_study, admin, {"epochs": "3"}, seed=7)
    assert no_broker == [("training.run_round", [made.pk])]
    made.refresh_from_db()
    assert (made.state, made.number, made.seed, made.requested_by) == (JobState.QUEUED, 1, 7, admin)
    assert made.settings["epochs"] == 3 and "lr" in made.settings
    assert made.snapshot_folder.is_dir()
    assert made.counts["images"] == 8
    assert "from scratch: the study has no bundle yet" in made.log


def test_a_second_round_is_refused_while_one_is_live(annotated_study: Study) -> None:
    first = launch(annotated_study)
    with pytest.raises(RoundRefused, match="Round 1 of this study is queued already"):
        launch(annotated_study)
    first.cancel()
    assert launch(annotated_study).number == 2


@pytest.mark.django_db(transaction=True)
def test_of_admins_who_click_at_once_one_launches(annotated_study: Study, no_broker: Any) -> None:
    barrier = threading.Barrier(4)
    outcomes: list[str] = []

    def click() -> None:
        barrier.wait()
        try:
            launch(annotated_study)
            outcomes.append("launched")
        except RoundRefused:
            outcomes.append("refused")
        connection.close()

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["launched", "refused", "refused", "refused"]
    assert Round.objects.count() == 1
    assert len(no_broker) == 1


def test_a_setting_that_makes_no_sense_is_refused_and_leaves_nothing(annotated_study: Study) -> None:
    with pytest.raises(SettingsError, match="nonsense"):
        launch(annotated_study, settings={"nonsense": 1})
    assert not Round.objects.exists()
    assert not Path(settings.SNAPSHOT_FOLDER).exists()


def test_folds_without_cells_are_refused_before_training(study: Study, make_annotated: Any) -> None:
    for seed in range(3):
        make_annotated(study, seed)
    with pytest.raises(RoundRefused, match="cannot be cross-validated in 4 folds"):
        launch(study, settings={"folds": 4})
    assert not Round.objects.exists()


def test_a_dead_round_does_not_block_the_next(annotated_study: Study) -> None:
    dead = launch(annotated_study, at_once=True)
    Round.objects.filter(pk=dead.pk).update(heartbeat_at="2020-01-01T00:00:00Z")
    assert launch(annotated_study).number == 2
    assert dead.reload().state == JobState.FAILED


def test_a_fold_that_is_to_judge_and_holds_no_cell_is_refused(study: Study, make_annotated: Any) -> None:
    for seed in range(6):
        make_annotated(study, seed, cells=0 if seed == 3 else 2)
    with pytest.raises(RoundRefused, match="Fold 3 cannot judge this round: fold 3 holds no annotated cell"):
        launch(study, settings={"validation": "3"})
    assert not Round.objects.exists()


def test_an_image_that_is_gone_from_the_store_is_refused_before_training(annotated_study: Study) -> None:
    image = annotated_study.images.finished().first()
    assert image is not None
    ImageStore(Path(settings.IMAGE_STORE)).pixels(image.sha256).unlink()
    with pytest.raises(RoundRefused, match=f"{image.name} are missing in the store"):
        launch(annotated_study)
    assert not Round.objects.exists()


def test_a_selection_is_kept_and_said_in_the_log(annotated_study: Study, make_annotated: Any) -> None:
    for seed in (20, 21):
        make_annotated(annotated_study, seed, patient="A", state="reviewed")
    made = launch(annotated_study, selection=Selection("reviewed", ("A",)))
    assert made.selection == {"state": "reviewed", "patients": ["A"]}
    assert made.counts["images"] == 2
    assert "Learns from reviewed images of the patient A." in made.log


def test_a_selection_of_nothing_is_refused_by_its_words(annotated_study: Study) -> None:
    Label.objects.get(group__study=annotated_study, name="Myeloblast")
    with pytest.raises(RoundRefused, match="has none of what was selected: finished images that hold a cell labelled"):
        launch(annotated_study, selection=Selection(labels=("Myeloblast",)))
    with pytest.raises(RoundRefused, match="has no patient 'Z'"):
        launch(annotated_study, selection=Selection(patients=("Z",)))
    assert not Round.objects.exists()


def test_trials_are_kept_and_never_fewer_than_none(annotated_study: Study) -> None:
    with pytest.raises(SettingsError, match="number of search trials must"):
        launch(annotated_study, trials=-1)
    assert launch(annotated_study, trials=12).trials == 12
