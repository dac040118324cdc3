"""The pages and the API of rounds that diagnose: who may, what they show, where they refuse."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from annotation.models import Patient, Study
from training.freeze import RoundRefused
from training.launching import launch_diagnosis
from training.models import Bundle, JobState, Kind, Round

pytestmark = pytest.mark.django_db

FIGURE = {"value": 0.91, "low": 0.8, "high": 0.97}
FIGURES = {name: FIGURE for name in ("auroc", "auprc", "precision", "recall", "f1", "brier", "promised")}
JUDGED = {
    **FIGURES,
    "patients": 2,
    "positives": 1,
    "roc": {"x": [0, 1], "y": [0, 1]},
    "pr": {"x": [0, 1], "y": [1, 0.5]},
    "reliability": [{"patients": 1, "promised": 0.1, "true": 0}, {"patients": 1, "promised": 0.9, "true": 1}],
    "folds": [{"fold": 0, "patients": 2, "auroc": 1.0, "auprc": None}],
    "by_patient": [
        {"patient": "p:P1", "truth": 0, "probability": 0.9},
        {"patient": "p:P2", "truth": 1, "probability": 0.4},
    ],
}
NAME = "APL vs non-APL AML"


@pytest.fixture
def made(study: Study) -> Round:
    card = {
        "study": study.name,
        "architecture": {"decisions": [{"name": NAME, "classes": ["apl", "non_apl_aml"], "threshold": 0.1667}]},
        "metrics": {**FIGURES, "patients": 2, "cells": 40},
        "judged": {NAME: JUDGED},
        "left_out": {"APL vs healthy donor": "No patient with cells has the diagnosis healthy donor."},
        "folds": {"k": 3},
        "versions": {},
        "score_threshold": 0.1667,
    }
    bundle = Bundle.objects.create(id="a" * 12, study=study, kind=Kind.MIL, card=card)
    bundle.promote()
    return Round.objects.create(
        study=study,
        kind=Kind.MIL,
        number=1,
        state=JobState.SUCCEEDED,
        settings={"pooling": "cells", "folds": 3},
        bundle=bundle,
        metrics={
            **FIGURES,
            "patients": 2,
            "cells": 40,
            "decisions": {NAME: {**FIGURES, "patients": 2, "positives": 1}},
        },
        counts={"images": 2, "cells": 40},
    )


def test_a_round_tells_how_it_was_judged(made: Round, annotator: User, client_of: Any) -> None:
    page = client_of(annotator).get(reverse("round", args=[made.pk])).content.decode()
    assert "MILLIE" in page and NAME in page and "0.910" in page
    assert "healthy donor" in page and "not a medical device" in page
    assert "P2" in page and "differs" in page
    assert "how likely each is a blast" in page


def test_curves_have_a_band_and_rounds_before_there_were_bands_have_none(
    made: Round, annotator: User, client_of: Any
) -> None:
    address = reverse("round", args=[made.pk])
    before = client_of(annotator).get(address).content.decode()
    assert "plot-line" in before and "plot-area" not in before and "mean of" not in before
    band = {"x": [0, 0.5, 1], "low": [0, 0.25, 1], "high": [0.5, 1, 1], "mean": [0.25, 0.75, 1]}
    bands = {"roc": band, "pr": band | {"low": None, "high": None}, "folds": 3, "draws": 1000, "seed": 0}
    assert made.bundle is not None
    made.bundle.card["judged"][NAME] = JUDGED | {"bands": bands}
    made.bundle.save()
    page = client_of(annotator).get(address).content.decode()
    assert page.count("<polygon") == 1 and "0.25 to 1.00 at a share of the others suspected of 0.5" in page
    assert page.count(">mean of 3 folds<") == 2 and page.count(">95 % band<") == 1
    told = client_of(annotator).get(reverse("api-round", args=[made.pk])).json()["curves"]
    assert told == {NAME: {"roc": JUDGED["roc"], "pr": JUDGED["pr"], "bands": bands}}


def test_its_lists_are_pages_of_their_own(made: Round, annotator: User, outsider: User, client_of: Any) -> None:
    for name in ("rounds", "bundles"):
        address = reverse(name, args=[made.study_id])
        assert "Round 1" in client_of(annotator).get(f"{address}?kind=mil").content.decode()
        assert "Round 1" not in client_of(annotator).get(f"{address}?kind=ensemble").content.decode()
        assert client_of(outsider).get(f"{address}?kind=mil").status_code == 404
    assert client_of(outsider).get(reverse("round", args=[made.pk])).status_code == 404


@pytest.mark.parametrize("kind", ["mil", "ensemble", "image"])
def test_without_patients_nobody_is_offered_a_launch(study: Study, admin: User, client_of: Any, kind: str) -> None:
    address = f"{reverse('rounds', args=[study.pk])}?kind={kind}"
    page = client_of(admin).get(address).content.decode()
    assert "Import a table of patients with their diagnoses first." in page
    assert "Launch round" not in page


def test_only_admins_launch_and_are_told_what_is_missing(
    study: Study, admin: User, annotator: User, client_of: Any
) -> None:
    address = reverse("rounds", args=[study.pk])
    asked = {"kind": "mil", "decisions": "apl/healthy", "folds": "3"}
    assert client_of(annotator).post(address, asked).status_code == 403
    refused = client_of(admin).post(address, asked)
    assert refused.status_code == 409 and not Round.objects.exists()
    with pytest.raises(RoundRefused, match="no patient with cells"):
        launch_diagnosis(study, Kind.MIL)


def test_the_api_launches_and_refuses(study: Study, admin: User, annotator: User, client_of: Any) -> None:
    address = reverse("api-rounds", args=[study.pk])
    body = {"kind": "ensemble", "settings": {"decisions": "apl/nothing"}}
    assert client_of(annotator).post(address, body, content_type="application/json").status_code == 403
    wrong = client_of(admin).post(address, body, content_type="application/json")
    assert wrong.status_code == 400 and "apl/nothing" in wrong.json()["detail"]
    missing = client_of(admin).post(address, {"kind": "mil"}, content_type="application/json")
    assert missing.status_code == 409 and "no patient with cells" in missing.json()["detail"]


def test_the_kinds_stand_beside_each_other(made: Round, admin: User, annotator: User, client_of: Any) -> None:
    baseline = Round.objects.create(
        study=made.study,
        kind=Kind.IMAGE,
        number=2,
        state=JobState.SUCCEEDED,
        metrics={"decisions": {NAME: {**FIGURES, "auroc": {"value": 0.777, "low": 0.6, "high": 0.9}, "patients": 2}}},
    )
    address = reverse("round", args=[made.pk])
    page = client_of(annotator).get(address).content.decode()
    assert "The models beside each other" in page and "0.777" in page
    assert reverse("round", args=[baseline.pk]) in page and "Not trained yet" in page
    assert (
        f'{reverse("rounds", args=[made.study_id])}?kind=ensemble">Train it'
        in client_of(admin).get(address).content.decode()
    )


def test_a_baseline_is_launched_by_admins_on_images_without_cells(
    study: Study, admin: User, annotator: User, client_of: Any, make_image: Any
) -> None:
    for number in range(6):
        patient = Patient.arrive(study, f"P{number}", "apl" if number % 2 else "non_apl_aml")
        make_image(study, seed=number, patient=patient)
    address = reverse("rounds", args=[study.pk])
    asked = {"kind": "image", "decisions": "apl/non_apl_aml", "folds": "3", "other": "size=64"}
    assert "reports do not ask it" in client_of(annotator).get(f"{address}?kind=image").content.decode()
    assert "Launch round" in client_of(admin).get(f"{address}?kind=image").content.decode()
    assert client_of(annotator).post(address, asked).status_code == 403
    assert client_of(admin).post(address, asked).status_code == 302
    made = Round.objects.get()
    assert made.kind == Kind.IMAGE and made.settings["size"] == 64 and made.counts["images"] == 6
    assert "Learns from the images of all patients" in made.log
    assert "the images of all patients" in client_of(annotator).get(reverse("round", args=[made.pk])).content.decode()
    made.cancel()
    with pytest.raises(RoundRefused, match="No patient with images has the diagnosis healthy donor"):
        launch_diagnosis(study, Kind.IMAGE, settings={"decisions": "apl/healthy"}, again=True)
