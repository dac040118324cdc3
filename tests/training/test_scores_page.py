"""What a round's page says of its scores: who sees it, sentences and plots, and what is said where little is known."""

from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotation.models import Study
from training.calibration import Calibration
from training.judged_scores import JudgedScores, judged_scores
from training.launching import launch
from training.models import Bundle, JobState, Judgement, Round
from training.views.score_plots import reliability_plot, threshold_plot
from training.views.scores_page import said, verdict

CELL = [10.0, 10.0, 30.0, 30.0]
NOWHERE = [80.0, 80.0, 90.0, 90.0]


def judged(count: int = 100, share: float = 0.5, score: float = 0.9) -> list[dict[str, Any]]:
    """Images with a cell each; on the first ones, `share` of all, it was found with the score, else beside it."""
    return [
        {
            "sha256": str(k),
            "group": f"p:{k}",
            "truth": [CELL],
            "ignored": [],
            "boxes": [CELL if k < share * count else NOWHERE],
            "scores": [score],
        }
        for k in range(count)
    ]


def scores_of(share: float, score: float = 0.9, count: int = 100, threshold: float = 0.5) -> JudgedScores:
    return judged_scores(judged(count, share, score), Calibration(), threshold)


# --- sentences and plots ---


@pytest.mark.parametrize(
    ("share", "expected", "detail"),
    [
        (
            0.5,
            "Scores promise too much",
            "of 100 proposals shown 50\u202f% are cells where their scores promise",
        ),
        (1.0, "Scores promise too little", "of 100 proposals shown 100\u202f% are cells"),
        (0.9, "Scores can be read as probabilities", "of 100 proposals shown 90\u202f% are cells"),
    ],
)
def test_the_sentence_says_how_far_scores_can_be_trusted(share: float, expected: str, detail: str) -> None:
    scores = scores_of(share)
    assert verdict(scores) == expected and said(scores, calibrated=False).startswith(detail)
    assert "before calibration" not in said(scores, calibrated=False)
    assert "before calibration." in said(scores, calibrated=True)


def test_what_people_see_decides_which_way_scores_are_off() -> None:
    # Those below the threshold promise too much by more.
    images = judged(40, 1.0, 0.9) + judged(60, 0.0, 0.4)
    assert verdict(judged_scores(images, Calibration(), 0.5)) == "Scores promise too little"
    assert verdict(judged_scores(images, Calibration(), 0.95)) == "Scores promise too much"


def test_scores_that_hold_only_among_those_shown_are_a_rough_guide() -> None:
    images = judged(50, 0.9, 0.9) + judged(50, 0.4, 0.1)
    assert verdict(judged_scores(images, Calibration(), 0.5)) == "Scores are only a rough guide"


def test_of_few_detections_or_none_shown_no_more_is_said_than_is_known() -> None:
    few = scores_of(1.0, count=1)
    assert verdict(few) == "" and said(few, True).startswith("The network found 1 detection on these images: too few")
    assert "no proposal reaches the threshold" in said(scores_of(0.5, threshold=0.95), True)


def test_reliability_is_drawn_before_and_after_calibration_with_the_detections_of_each_bin() -> None:
    scores = judged_scores(judged(), Calibration(1.0, -2.0, 50), 0.5)
    plot = reliability_plot(scores, calibrated=True)
    assert plot is not None
    assert [line.name for line in plot.lines] == ["before calibration", "calibrated"]
    before, after = plot.marks
    assert before.text == "before calibration, 0.9 to 1.0: 50% of 100 are cells, promised 90%"
    assert after.text.startswith("calibrated, 0.5 to 0.6: 50% of 100 are cells") and after.x < before.x
    assert after.low is not None and after.high is not None and after.high < after.y < after.low
    assert [bar.text[-3:] for bar in plot.bars] == ["100", "100"]
    assert all(plot.bottom < bar.y and bar.y + bar.height <= plot.height for bar in plot.bars)
    alone = reliability_plot(scores, calibrated=False)
    assert alone is not None and [line.name for line in alone.lines] == ["as given"]


def test_corrections_are_drawn_by_kind_with_the_chosen_threshold() -> None:
    plot = threshold_plot(scores_of(0.5))
    assert plot is not None
    assert [line.name for line in plot.lines] == ["all", "moved", "deleted", "added"]
    # Half of the cells are to be added, and as many detections to be deleted.
    assert plot.marks[0].text == "1.00 corrections per cell at the chosen threshold of 0.50"
    assert plot.guides[0].label == "chosen: 0.50" and plot.guides[0].x1 == plot.marks[0].x
    for line in plot.lines:
        heights = [float(point.split(",")[1]) for point in line.points.split()]
        assert max(heights) <= plot.bottom, "nothing lies below the axis"
    assert plot.top < plot.marks[0].y < plot.bottom


def test_without_cells_or_detections_there_is_no_plot() -> None:
    empty = judged_scores([{**judged(1)[0], "truth": [], "boxes": [], "scores": []}], Calibration(), 0.5)
    assert reliability_plot(empty, True) is None and threshold_plot(empty) is None
    perfect = threshold_plot(scores_of(1.0))
    assert perfect is not None and np.isfinite(perfect.marks[0].y)


# --- the page ---


@pytest.fixture
def made(annotated_study: Study, admin: User, no_broker: Any) -> Round:
    """A round that succeeded, with a bundle of a calibrated detector."""
    made = launch(annotated_study, admin)
    card = {
        "versions": {},
        "score_threshold": 0.55,
        "calibration": Calibration(1.0, -2.0, 1234).as_dict(),
        "folds": {"splits": [{"train": ["a"], "calibrate": ["b"], "judge": ["c"]}]},
    }
    made.bundle = Bundle.objects.create(id="abcdef123456", study=annotated_study, card=card)
    made.metrics = {"map": 0.7, "map_50": 0.95, "map_75": 0.8, "mar": 0.76}
    made.state = JobState.SUCCEEDED
    made.save()
    return made


def shown(made: Round, client: Client) -> str:
    return " ".join(client.get(reverse("round-scores", args=[made.pk])).content.decode().split())


@pytest.mark.django_db
def test_members_of_every_role_see_the_scores(
    made: Round, annotator: User, reviewer: User, admin: User, client_of: Any
) -> None:
    Judgement.keep(made, judged())
    address = reverse("round-scores", args=[made.pk])
    for user in (annotator, reviewer, admin):
        assert f'hx-get="{address}"' in client_of(user).get(reverse("round", args=[made.pk])).content.decode()
        page = shown(made, client_of(user))
        # The curve brings 0.90 to 0.55, a little below the threshold; half of them are cells.
        assert "<strong>Scores can be read as probabilities:</strong> no proposal reaches the threshold" in page
        assert "is 5 percentage points off, 40 before calibration." in page
        assert page.count("<svg") == 2 and "style=" not in page
        assert 'from a score of <strong class="number">0.55</strong> on, chosen for the fewest corrections' in page
        assert "100 for 100 cells: 0 to move, 0 to delete, 100 to add. No other threshold" in page
        assert "They had no part in training, nor in choosing the threshold or the calibration." in page
        assert "Calibrated with 1 234 detections" in page


@pytest.mark.django_db
def test_outsiders_find_no_scores_and_strangers_sign_in_first(made: Round, outsider: User, client_of: Any) -> None:
    address = reverse("round-scores", args=[made.pk])
    assert client_of(outsider).get(address).status_code == 404
    assert Client().get(address)["Location"] == f"/sign-in/?next={address}"
    assert client_of(outsider).post(address).status_code == 405


@pytest.mark.django_db
def test_cross_validation_says_whose_networks_were_judged(made: Round, admin: User, client_of: Any) -> None:
    Judgement.keep(made, judged())
    made.settings["folds"] = 5
    made.save()
    page = shown(made, client_of(admin))
    assert "by the network of the fold that held it out" in page and "They had no part" not in page


@pytest.mark.django_db
def test_a_round_whose_detections_were_not_kept_says_so(made: Round, admin: User, client_of: Any) -> None:
    page = shown(made, client_of(admin))
    assert "0.55" in page and "was not kept" in page and "<svg" not in page


@pytest.mark.django_db
def test_a_round_that_nothing_judged_says_so(made: Round, admin: User, client_of: Any) -> None:
    made.metrics = None
    made.save()
    made.bundle.card["folds"] = {"splits": [{"train": ["a"], "calibrate": [], "judge": []}]}
    made.bundle.save()
    page = shown(made, client_of(admin))
    assert "Nothing judged this round" in page and "the default: no images were set aside to choose it" in page


@pytest.mark.django_db
def test_a_bundle_from_before_calibration_is_drawn_as_given(made: Round, admin: User, client_of: Any) -> None:
    Judgement.keep(made, judged())
    del made.bundle.card["calibration"]
    made.bundle.save()
    page = shown(made, client_of(admin))
    assert "the bundle is from before that was done" in page and "before calibration" not in page
    made.bundle.card["calibration"] = Calibration().as_dict()
    made.bundle.save()
    assert "hold too few detections, or there are none" in shown(made, client_of(admin))


@pytest.mark.django_db
def test_a_round_without_bundle_or_threshold_has_no_scores(made: Round, admin: User, client_of: Any) -> None:
    made.bundle.card.pop("score_threshold")
    made.bundle.save()
    assert shown(made, client_of(admin)) == ""
    Round.objects.filter(pk=made.pk).update(bundle=None, state=JobState.FAILED)
    assert shown(made, client_of(admin)) == ""
    assert "round-scores" not in client_of(admin).get(reverse("round", args=[made.pk])).content.decode()


@pytest.mark.django_db
def test_bundles_name_their_threshold_and_lead_to_what_it_costs(made: Round, admin: User, client_of: Any) -> None:
    page = client_of(admin).get(reverse("bundles", args=[made.study_id])).content.decode()
    assert f'href="{reverse("round", args=[made.pk])}#scores"' in page and ">0.55<" in page
