"""The page and the API of a search: who sees it, what it says in each state, and the way into the next round."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from annotation.models import Study
from training import inner_search, search_jobs
from training.diagnosis_settings import MilSettings
from training.freeze import RoundRefused
from training.launching import launch, launch_diagnosis
from training.models import JobState, Kind, Round, Search
from training.rounds import command_for
from training.settings import SettingsError
from training.views.search_kinds import searched_of
from training.views.search_page import settings_to_copy
from training.views.search_plots import setting_plots, value_plot

pytestmark = pytest.mark.django_db

SETTINGS = {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4, "warmup": 0.15, "epochs": 20, "scale": 0.2}


def trial(number: int, state: str = "complete", value: float | None = 0.7, **fields: Any) -> dict[str, Any]:
    return {
        "number": number,
        "state": state,
        "value": value,
        "settings": SETTINGS | {"lr": 0.01 * (number + 1), "nms": 0.4},
        "looks": [[25, 0.2], [50, 0.4]],
        "seconds": 61.0,
        "worker": "leader",
        "retry_of": None,
    } | fields


TRIALS = [
    trial(0, value=0.71, map_50=0.95, corrections=12),
    trial(1, value=0.76, map_50=0.97, corrections=9),
    trial(2, "pruned", 0.3),
    trial(3, "failed", None, worker="helper 1"),
    trial(4, "running", None, retry_of=3),
]


@pytest.fixture
def searched(annotated_study: Study, admin: User, no_broker: Any) -> Round:
    made = launch(annotated_study, admin, trials=5)
    Search.objects.create(round=made, trials=TRIALS)
    return made


def ended(made: Round) -> Round:
    made.state = JobState.SUCCEEDED
    made.searched = {
        "trial": 1,
        "value": 0.76,
        "given": 0.71,
        "settings": TRIALS[1]["settings"],
        "done": 3,
        "pruned": 1,
        "failed": 0,
        "images": 2,
        "warm": False,
        "importance": {"lr": 0.8, "scale": 0.2},
    }
    made.save()
    return made


def test_members_of_every_role_see_a_search(
    searched: Round, annotator: User, reviewer: User, admin: User, client_of: Any
):
    for user in (annotator, reviewer, admin):
        assert client_of(user).get(reverse("round-search", args=[searched.pk])).status_code == 200
        assert client_of(user).get(reverse("api-round-search", args=[searched.pk])).status_code == 200


def test_an_outsider_finds_no_search(searched: Round, outsider: User, client_of: Any):
    for name in ("round-search", "api-round-search"):
        assert client_of(outsider).get(reverse(name, args=[searched.pk])).status_code == 404
    # Nor its settings by way of another study's form.
    other = Study.objects.create(name="Their own")
    other.memberships.create(user=outsider, role="admin")
    address = reverse("rounds", args=[other.pk])
    assert client_of(outsider).get(f"{address}?settings_from={searched.pk}").status_code == 404
    assert client_of(outsider).get(address).status_code == 200


def test_without_a_login_there_is_no_search(searched: Round, client: Any):
    page = client.get(reverse("round-search", args=[searched.pk]))
    assert page.status_code == 302 and "sign-in" in page["Location"]
    assert client.get(reverse("api-round-search", args=[searched.pk])).status_code in (401, 403)


def test_a_round_without_trials_has_no_search(annotated_study: Study, admin: User, no_broker: Any, client_of: Any):
    made = launch(annotated_study, admin)
    for name in ("round-search", "api-round-search"):
        assert client_of(admin).get(reverse(name, args=[made.pk])).status_code == 404


def test_a_running_search_says_how_far_it_is(searched: Round, annotator: User, client_of: Any):
    searched.claim()
    searched.beat(progress={"trial": 4, "trials": 5, "best": 0.76, "epoch": 3, "epochs": 9, "eta_seconds": 240})
    page = client_of(annotator).get(reverse("round-search", args=[searched.pk])).content.decode()
    assert "Trial 4 of 5" in page and "4 min left" in page and "Best so far" in page
    assert 'hx-trigger="every 3s"' in page and "settings_from" not in page
    assert "trial 4 once more" in page
    line = client_of(annotator).get(reverse("round", args=[searched.pk])).content.decode()
    assert "Trial 4 of 5, best so far 0.760, epoch 3 of 9" in " ".join(line.split())


def test_a_search_that_is_over_shows_the_best_and_the_way_on(
    searched: Round, annotator: User, admin: User, client_of: Any
):
    ended(searched)
    page = client_of(admin).get(reverse("round-search", args=[searched.pk])).content.decode()
    assert "0.760" in page and "trial 2" in page and "compared on 2 images" in page
    assert page.count('class="search-chosen"') == 1 and "Importance of each setting" in page
    assert f"settings_from={searched.pk}" in page
    assert "settings_from" not in client_of(annotator).get(reverse("round-search", args=[searched.pk])).content.decode()
    # The fragment of another state loads the whole page anew.
    fragment = client_of(admin).get(
        reverse("round-search", args=[searched.pk]) + "?state=running", headers={"HX-Request": "true"}
    )
    assert fragment.headers["HX-Refresh"] == "true"


def test_the_best_settings_land_in_the_form_and_from_there_in_the_next_round(
    searched: Round, admin: User, client_of: Any
):
    ended(searched)
    address = reverse("rounds", args=[searched.study_id])
    page = client_of(admin).get(f"{address}?settings_from={searched.pk}")
    form = page.context["form"]
    text = form["other"].value()
    assert "lr=0.02" in text.splitlines() and "epochs=20" in text and "nms=0.4" in text
    assert form.more_is_used and text in page.content.decode()
    assert client_of(admin).get(address).context["form"]["other"].value() == ""
    posted = client_of(admin).post(address, {"validation": "fold", "other": text, "seed": 0, "images": "finished"})
    assert posted.status_code == 302
    made = Round.objects.get(study=searched.study, number=2)
    assert made.settings["lr"] == 0.02 and made.settings["epochs"] == 20 and made.settings["nms"] == 0.4


@pytest.mark.parametrize("wanted", ["x", "", "-1"])
def test_settings_of_no_round_are_no_settings(wanted: str, annotated_study: Study, admin: User, client_of: Any):
    page = client_of(admin).get(reverse("rounds", args=[annotated_study.pk]) + f"?settings_from={wanted}")
    assert page.status_code == 200 and page.context["form"]["other"].value() == ""


def test_settings_of_a_round_without_a_search_are_those_that_somebody_set(
    annotated_study: Study, admin: User, no_broker: Any
):
    made = launch(annotated_study, admin, {"lr": 0.004, "folds": 2})
    assert settings_to_copy(made) == {"lr": 0.004}


def test_the_api_tells_the_trials_and_the_settings_to_go_on_with(searched: Round, annotator: User, client_of: Any):
    body = client_of(annotator).get(reverse("api-round-search", args=[searched.pk])).json()
    assert body["found"] is None and body["wanted"] == 5 and len(body["trials"]) == 5
    ended(searched)
    body = client_of(annotator).get(reverse("api-round-search", args=[searched.pk])).json()
    assert body["found"]["value"] == 0.76 and body["settings"]["lr"] == 0.02


@pytest.mark.parametrize("trials", [-1, 501])
def test_a_number_of_trials_that_makes_no_sense_is_refused(
    trials: int, annotated_study: Study, admin: User, no_broker: Any, client_of: Any
):
    address = reverse("api-rounds", args=[annotated_study.pk])
    response = client_of(admin).post(address, {"trials": trials}, content_type="application/json")
    assert response.status_code == 400 and not Round.objects.exists()


def test_a_cross_validated_round_with_trials_is_refused(
    annotated_study: Study, admin: User, no_broker: Any, client_of: Any
):
    address = reverse("api-rounds", args=[annotated_study.pk])
    response = client_of(admin).post(address, {"trials": 2, "settings": {"folds": 2}}, content_type="application/json")
    assert response.status_code == 400 and "every patient judges" in response.json()["detail"]


# --- plots ---


def test_the_best_so_far_only_rises_and_every_trial_has_a_mark():
    plot = value_plot(TRIALS)
    assert plot is not None
    heights = [float(point.split(",")[1]) for point in plot.lines[0].points.split()]
    assert heights == sorted(heights, reverse=True)
    assert [mark.text for mark in plot.marks] == ["Trial 1: 0.710", "Trial 2: 0.760", "Trial 3: 0.300 (ended early)"]
    inside = [plot.left <= m.x <= plot.right and plot.top <= m.y <= plot.bottom for m in plot.marks]
    assert all(inside)
    assert value_plot([trial(0, "running", None)]) is None


def test_each_setting_has_a_plot_and_learning_rates_stand_on_a_logarithm():
    plots = {plot.title: plot for plot in setting_plots(TRIALS)}
    assert "Learning rate" in plots and "NMS IoU" in plots
    rate = plots["Learning rate"]
    first, second, third = (mark.x for mark in rate.marks)
    # 0.01, 0.02, 0.03: doubling is further than what follows.
    assert second - first > third - second
    assert [tick.text for tick in rate.x_ticks] and all(rate.left <= t.at <= rate.right for t in rate.x_ticks)
    assert setting_plots(TRIALS[:1]) == []


def test_trials_all_alike_can_be_plotted():
    assert len(setting_plots([trial(0, value=0.0), trial(0, value=0.0)])) == len(SETTINGS) + 1
    assert value_plot([trial(0, value=0.0)]) is not None


# --- rounds that are cross-validated: each fold has a search of its own ---


def inner_trial(scope: str, number: int, value: float | None, **settings: Any) -> dict[str, Any]:
    state = "failed" if value is None else "complete"
    given = {"pooling": "cells", "control": 0.4, "units": 32} | settings
    return {"scope": scope, "number": number, "state": state, "value": value, "settings": given, "seconds": 4.0}


@pytest.fixture
def nested(study: Study) -> Round:
    trials = [
        inner_trial("0", 0, 0.9),
        inner_trial("0", 1, 0.92, pooling="mean"),
        inner_trial("all", 0, 0.91),
        inner_trial("all", 1, 0.95, control=0.7),
        inner_trial("all", 2, None),
    ]
    searched = {
        "trial": 1,
        "value": 0.95,
        "given": 0.91,
        "settings": {"pooling": "cells", "control": 0.7, "units": 32},
        "done": 4,
        "pruned": 0,
        "failed": 1,
        "importance": {"control": 0.9, "units": 0.1},
        "scopes": {"0": {"patients": 8, "settings": {"pooling": "mean"}}, "all": {"patients": 12, "settings": {}}},
    }
    made = Round.objects.create(
        study=study,
        kind=Kind.MIL,
        number=1,
        trials=3,
        state=JobState.SUCCEEDED,
        settings=MilSettings().as_dict(),
        searched=searched,
        counts={"images": 1, "cells": 2},
    )
    Search.objects.create(round=made, trials=trials)
    return made


def test_each_fold_shows_its_own_search(nested: Round, annotator: User, admin: User, client_of: Any):
    address = reverse("round-search", args=[nested.pk])
    page = " ".join(client_of(annotator).get(address).content.decode().split())
    assert "Best settings: all patients" in page and "0.950" in page and "AUROC" in page and "mAP" not in page
    assert "1 more could not be judged" in page and "Importance of each setting" in page
    assert page.count('class="search-chosen"') == 2 and "settings_from" not in page
    fold = client_of(annotator).get(f"{address}?scope=0").content.decode()
    assert "Best settings: without fold 0" in fold and "0.920" in fold and "Importance of each setting" not in fold
    plots = {plot.title: plot for plot in setting_plots(nested.search.trials, searched_of(nested))}
    assert [tick.text for tick in plots["Pooling"].x_ticks] == ["cel.", "mean"]
    # The way into the next round: fields of the form's own, the others as lines.
    form = client_of(admin).get(f"{reverse('rounds', args=[nested.study_id])}?kind=mil&settings_from={nested.pk}")
    fields = form.context["form"]
    assert fields["pooling"].value() == "cells" and "control=0.7" in fields["other"].value().splitlines()
    assert "control" not in str(client_of(admin).get(f"{reverse('rounds', args=[nested.study_id])}?kind=mil").content)
    said = client_of(annotator).get(reverse("api-round-search", args=[nested.pk])).json()
    assert said["settings"] == {"pooling": "cells", "control": 0.7, "units": 32} and len(said["trials"]) == 5


def test_a_search_inside_the_training_patients_is_for_who_may_see_the_round(nested: Round, outsider: User, client: Any):
    address = reverse("round-search", args=[nested.pk])
    assert client.get(address).status_code == 302
    client.force_login(outsider)
    assert client.get(address).status_code == 404


def test_trials_of_such_a_search_are_read_from_its_file(nested: Round, settings: Any, tmp_path: Path):
    settings.ROUND_FOLDER = tmp_path
    (nested.folder / "out").mkdir(parents=True)
    recorder = search_jobs.Recorder(nested)
    recorder.look(last=True)
    assert len(nested.search.trials) == 5
    rows = [inner_trial("0", 0, 0.8)]
    (nested.folder / "out" / search_jobs.TRIALS).write_text(json.dumps({"key": "k", "trials": rows}))
    recorder.look(last=True)
    assert Search.objects.get(round=nested).trials == rows
    assert search_jobs.TRIALS == inner_search.TRIALS and not search_jobs.needs_help(nested)
    assert command_for(nested)[-2:] == ["--trials", "3"]
    assert search_jobs.ADDRESS not in search_jobs.environment_for(nested)


def test_what_cannot_be_searched_is_refused_in_one_sentence(study: Study, admin: User, client_of: Any):
    address = reverse("api-rounds", args=[study.pk])
    body = {"kind": "image", "trials": 3}
    refused = client_of(admin).post(address, body, content_type="application/json")
    assert refused.status_code == 400 and "searches for no settings" in refused.json()["detail"]
    with pytest.raises(RoundRefused, match="no patient with cells"):
        launch_diagnosis(study, Kind.MIL, trials=3)
    with pytest.raises(SettingsError, match="from 0 to 500"):
        launch_diagnosis(study, Kind.MIL, trials=501)
