"""A round beside the one before it, from what each found on the images that judged it."""

import json
from typing import Any

import pytest

from annotation.models import Study
from training.judged import judged_image, write_judged
from training.launching import launch
from training.models import JobState, Judgement, Round
from training.rounds import run
from training.snapshot import read_snapshot

pytestmark = pytest.mark.django_db


@pytest.fixture
def judging_child(good_child: Any, no_broker: Any, tmp_path: Any) -> Any:
    """judging_child(shift=, which=): as good_child, and every `which`th image of the snapshot judged; boxes lie
    `shift` px beside the cells."""

    def make(shift: float = 0, which: slice = slice(None), **fields: Any) -> Any:
        def command(round_: Round) -> list[str]:
            images = read_snapshot(round_.snapshot_folder).images[which]
            judged = []
            for image in images:
                boxes = [[x0 + shift, y0, x1 + shift, y1] for x0, y0, x1, y1 in (b["bounds"] for b in image["borders"])]
                judged.append(judged_image(image, boxes, [0.9] * len(boxes)))
            write_judged(round_.folder / "out" / "judged.json", judged)
            made: list[str] = good_child(**fields)(round_)
            return made

        return command

    return make


def trained(study: Study, command: Any, **choices: Any) -> Round:
    made = launch(study, again=True, **choices)
    run(made.pk, command=command)
    assert made.reload().state == JobState.SUCCEEDED
    return made


def test_the_first_round_stands_alone(annotated_study: Study, judging_child: Any) -> None:
    first = trained(annotated_study, judging_child())
    assert first.comparison is None and first.data_changes is None
    assert len(first.judgement.entries) == 8


def test_a_round_is_held_against_the_one_before_on_the_images_that_judged_both(
    annotated_study: Study, judging_child: Any
) -> None:
    trained(annotated_study, judging_child(shift=9, which=slice(0, 5)))
    second = trained(annotated_study, judging_child(which=slice(3, 8), seed=1))
    assert second.comparison is not None
    assert (second.comparison["beside"], second.comparison["previous"], second.comparison["images"]) == (1, 1, 2)
    assert second.comparison["now"]["map_50"] == 1 and second.comparison["before"]["map_50"] < 1


def test_one_that_shares_no_image_is_passed_over_and_said(annotated_study: Study, judging_child: Any) -> None:
    trained(annotated_study, judging_child(which=slice(0, 4)))
    trained(annotated_study, judging_child(which=slice(4, 8), seed=1))
    assert Round.objects.get(number=2).comparison == {"beside": None, "previous": 1}
    third = trained(annotated_study, judging_child(which=slice(0, 2), seed=2))
    assert third.comparison is not None
    assert (third.comparison["beside"], third.comparison["previous"]) == (1, 2)


def test_a_round_that_nothing_judged_is_not_compared(annotated_study: Study, judging_child: Any) -> None:
    trained(annotated_study, judging_child())
    second = trained(annotated_study, judging_child(which=slice(0, 0), seed=1))
    assert second.comparison is None
    assert not Judgement.objects.filter(round=second).exists()


def test_a_file_of_judged_images_that_cannot_be_read_costs_the_comparison_only(
    annotated_study: Study, good_child: Any, no_broker: Any
) -> None:
    def spoilt(round_: Round) -> list[str]:
        (round_.folder / "out" / "judged.json").write_text(json.dumps({"schema": "other"}))
        made: list[str] = good_child()(round_)
        return made

    made = trained(annotated_study, spoilt)
    assert made.bundle is not None and made.comparison is None
    assert "could not be held against an earlier one" in made.log


def test_what_changed_is_told_against_the_newest_round_that_succeeded(
    annotated_study: Study, good_child: Any, child: Any, no_broker: Any, make_annotated: Any
) -> None:
    trained(annotated_study, good_child())
    run(launch(annotated_study, again=True).pk, command=child("sys.exit('No.')"))
    make_annotated(annotated_study, 30, patient="New")
    third = launch(annotated_study)
    assert third.data_changes is not None
    assert (third.data_changes["since"], third.data_changes["images_added"]) == (1, 1)
    assert third.data_changes["patients"] == [{"code": "New", "images_added": 1, "cells_added": 2}]


def test_a_snapshot_that_is_gone_leaves_the_changes_unknown(
    annotated_study: Study, good_child: Any, no_broker: Any, make_annotated: Any
) -> None:
    first = trained(annotated_study, good_child())
    first.snapshot_folder.rename(first.snapshot_folder.with_name("elsewhere"))
    make_annotated(annotated_study, 30)
    assert launch(annotated_study).data_changes is None


def test_peak_memory_is_kept_as_training_tells_it(annotated_study: Study, child: Any, no_broker: Any) -> None:
    made = launch(annotated_study)
    run(made.pk, command=child("tell(event='step', epoch=1, loss=1, peak_memory=3 * 2**30)\nsys.exit('No.')"))
    assert made.reload().peak_memory == 3 * 2**30
