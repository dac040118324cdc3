"""What an earlier round has learned is said, not trained again."""

from typing import Any

import pytest

from annotation.models import CellLabel, Label, Study
from training.launching import launch
from training.models import Bundle, JobState, Round
from training.rounds import run
from training.unchanged import RoundUnchanged

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(annotated_study: Study, good_child: Any, no_broker: Any) -> Round:
    return succeeded(annotated_study, good_child())


def succeeded(study: Study, command: Any, **choices: Any) -> Round:
    made = launch(study, **choices)
    run(made.pk, command=command)
    assert made.reload().state == JobState.SUCCEEDED
    return made


def test_unchanged_data_is_said_though_the_round_would_start_from_its_own_result(first: Round) -> None:
    assert Bundle.used_by(first.study) == first.bundle
    with pytest.raises(RoundUnchanged, match="Data unchanged since round 1: with the same settings") as refused:
        launch(first.study)
    assert refused.value.round == first
    assert Round.objects.count() == 1


def test_it_is_trained_again_where_that_is_wanted(first: Round, good_child: Any) -> None:
    second = succeeded(first.study, good_child(seed=1), again=True)
    assert second.number == 2 and second.parent == first.bundle
    # Now the bundle in use is that of the second.
    with pytest.raises(RoundUnchanged, match="since round 2"):
        launch(first.study)


def test_other_settings_seeds_trials_and_starts_are_no_repetition(first: Round) -> None:
    for choices in ({"settings": {"epochs": 3}}, {"seed": 1}, {"trials": 5}, {"parent": first.bundle_id}):
        launch(first.study, **choices).cancel()
    assert Round.objects.filter(state=JobState.CANCELLED).count() == 4


def test_the_same_start_asked_for_by_name_is_a_repetition(first: Round, good_child: Any) -> None:
    with pytest.raises(RoundUnchanged):
        launch(first.study, parent=None)
    succeeded(first.study, good_child(seed=1), parent=first.bundle_id)
    with pytest.raises(RoundUnchanged, match="since round 2"):
        launch(first.study, parent=first.bundle_id)


def test_a_round_that_did_not_succeed_has_learned_nothing(annotated_study: Study, child: Any, no_broker: Any) -> None:
    made = launch(annotated_study)
    run(made.pk, command=child("sys.exit('No.')"))
    assert launch(annotated_study).number == 2


def test_a_border_that_moved_is_something_new(first: Round) -> None:
    image = first.study.images.finished().first()
    assert image is not None
    cell = image.cells.first()
    assert cell is not None
    cell.place({**cell.border, "x": cell.border["x"] + 1}, image)
    cell.save()
    made = launch(first.study)
    assert made.data_changes["since"] == 1 and made.data_changes["cells_reshaped"] == 1


def test_new_labels_teach_a_detector_nothing(first: Round, annotator: Any) -> None:
    image = first.study.images.finished().first()
    assert image is not None
    CellLabel.objects.create(
        cell=image.cells.first(),
        label=Label.objects.get(group__study=first.study, name="Myeloblast"),
        annotator=annotator,
    )
    with pytest.raises(RoundUnchanged, match="since round 1 but for labels, which a detector does not learn from"):
        launch(first.study)


def test_after_a_roll_back_the_earlier_start_is_another(first: Round, good_child: Any, make_annotated: Any) -> None:
    make_annotated(first.study, 30)
    second = succeeded(first.study, good_child(seed=1))
    first.bundle.promote()
    # From round 1's bundle on the data of round 2: that is what round 2 did.
    with pytest.raises(RoundUnchanged, match="since round 2"):
        launch(first.study)
    assert second.parent == first.bundle
    # From scratch nobody has tried it.
    assert launch(first.study, parent=None).parent is None
