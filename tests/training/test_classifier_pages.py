"""Pages and API of classifiers' rounds: who sees and launches them, and what they say."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from annotation.models import Cell, LabelGroup, Study
from tests.labelled_cells import BLUE, RED
from tests.training.coloured_cells import MeanColour, coloured_cells
from training.bundle import read_bundle
from training.classifier_round import carry_out
from training.classifier_settings import ClassifierSettings
from training.classifier_target import Target
from training.launching import launch_classifier
from training.models import Bundle, JobState, Kind, Round
from training.rounds import run
from training.snapshot import read_snapshot

pytestmark = pytest.mark.django_db


@pytest.fixture
def finished(study: Study, tmp_path: Path) -> Callable[..., Round]:
    """finished(target, ...): a round of a classifier that was trained on coloured cells, its bundle in use."""

    def make(target: Target, **made: Any) -> Round:
        folder = tmp_path / f"made-{Round.objects.count()}"
        (folder / "out").mkdir(parents=True)
        settings = ClassifierSettings(draws=100, views=0)
        result = carry_out(coloured_cells(folder, 6, 6, **made), target, settings, 0, MeanColour(), folder / "out")
        card = read_bundle(folder / "out" / "bundle").card
        fields = {"study": study, "kind": Kind.CLASSIFIER, "target": target.as_json()}
        bundle = Bundle.objects.create(id=result["bundle"], card=card, **fields)
        round_ = Round.objects.create(
            number=Round.objects.count() + 1,
            state=JobState.SUCCEEDED,
            settings=settings.as_dict(),
            counts={"images": 6, "cells": 36, "patients": [], "labels": {"Promyelocyte": 18}},
            metrics=card["metrics"],
            folds=result["folds"],
            bundle=bundle,
            **fields,
        )
        bundle.promote()
        return round_

    return make


@pytest.fixture
def labelled(study: Study, cell_type: LabelGroup, make_field: Any, label_cell: Any) -> Study:
    for patient in range(6):
        for cell, name in zip(
            make_field(study, f"P{patient}", [RED, BLUE]), ("Promyelocyte", "Myeloblast"), strict=True
        ):
            label_cell(cell, name)
    return study


def rounds_page(study: Study, kind: str = "classifier") -> str:
    return f"{reverse('rounds', args=[study.pk])}?kind={kind}"


def test_members_of_every_role_see_the_page_of_a_classifier(
    finished: Any, annotator: User, reviewer: User, admin: User, client_of: Any
) -> None:
    round_ = finished(Target("Cell type", "Promyelocyte"))
    for user in (annotator, reviewer, admin):
        client = client_of(user)
        shown = client.get(reverse("round", args=[round_.pk])).content.decode()
        assert "Promyelocyte against all others" in shown and "AUROC" in shown and "mAP" not in shown
        listed = client.get(rounds_page(round_.study)).content.decode()
        assert "Promyelocyte against all others" in listed


def test_a_round_stands_beside_the_one_before_on_the_cells_that_judged_both(
    labelled: Study, label_cell: Any, annotator: User, client_of: Any, no_broker: Any
) -> None:
    target = Target("Cell type", "Promyelocyte")

    def in_this_process(round_: Round) -> list[str]:
        # As its own process has it, with colours for a backbone.
        out = round_.folder / "out"
        settings = ClassifierSettings(draws=100, views=0)
        carry_out(read_snapshot(round_.snapshot_folder), target, settings, 0, MeanColour(), out)
        return [sys.executable, "-c", "print('{}')"]

    for _ in range(2):
        made = launch_classifier(labelled, target)
        run(made.pk, command=in_this_process)
        assert made.reload().state == JobState.SUCCEEDED, made.reason
        relabelled = Cell.objects.filter(labels__label__name="Promyelocyte").earliest("pk")
        relabelled.labels.all().delete()
        label_cell(relabelled, "Myeloblast")
    assert made.comparison is not None
    assert (made.comparison["beside"], made.comparison["judged"], made.comparison["groups"]) == (1, 12, 6)
    (row,) = made.comparison["classes"]
    assert (row["name"], row["positives"]) == ("Promyelocyte", 5)
    assert made.data_changes is not None and made.data_changes["cells_relabelled"] == 1
    page = client_of(annotator).get(reverse("round", args=[made.pk])).content.decode()
    assert "On the 12 cells that judged both, of 6 patients" in page and "1 cell relabelled." in page
    # What a detector's page has on scores knows nothing of it.
    assert client_of(annotator).get(reverse("round-scores", args=[made.pk])).status_code == 200


def test_an_outsider_finds_nothing_and_only_admins_launch(
    labelled: Study, finished: Any, outsider: User, annotator: User, reviewer: User, client_of: Any
) -> None:
    round_ = finished(Target("Cell type"))
    asked = {"kind": "classifier", "target": f"group-{labelled.label_groups.get().pk}"}
    client = client_of(outsider)
    assert client.get(rounds_page(labelled)).status_code == 404
    assert client.post(reverse("rounds", args=[labelled.pk]), asked).status_code == 404
    assert client.get(reverse("round", args=[round_.pk])).status_code == 404
    assert client.get(f"{reverse('bundles', args=[labelled.pk])}?kind=classifier").status_code == 404
    for user in (annotator, reviewer):
        assert client_of(user).post(reverse("rounds", args=[labelled.pk]), asked).status_code == 403
        assert client_of(user).post(reverse("round-promote", args=[round_.pk])).status_code == 403
        assert "Launch round" not in client_of(user).get(rounds_page(labelled)).content.decode()
        address = reverse("api-rounds", args=[labelled.pk])
        assert client_of(user).post(address, {**asked, "group": "Cell type"}).status_code == 403
    assert Round.objects.count() == 1


def test_an_admin_launches_a_label_or_a_group_from_the_page(
    labelled: Study, admin: User, client_of: Any, no_broker: Any
) -> None:
    client = client_of(admin)
    page = client.get(rounds_page(labelled)).content.decode()
    assert "All labels of Cell type" in page and "12</strong> labelled cells of" in page
    label = labelled.label_groups.get().labels.get(name="Promyelocyte")
    asked = {"kind": "classifier", "target": f"label-{label.pk}", "folds": "2", "images": "finished", "seed": "4"}
    response = client.post(reverse("rounds", args=[labelled.pk]), asked)
    made = Round.objects.get()
    assert response["Location"] == reverse("round", args=[made.pk])
    assert made.target == {"group": "Cell type", "label": "Promyelocyte"}
    assert (made.settings["folds"], made.seed, made.requested_by) == (2, 4, admin)
    # While it waits, its page and the list show so, and no second form.
    assert "Watch round 1" in client.get(rounds_page(labelled)).content.decode()
    assert "Next in the queue" in client.get(reverse("round", args=[made.pk])).content.decode()
    assert "Round 1" not in client.get(rounds_page(labelled, "detector")).content.decode()


def test_an_admin_chooses_what_learns_and_the_page_says_it(
    labelled: Study, admin: User, client_of: Any, no_broker: Any
) -> None:
    client, group = client_of(admin), labelled.label_groups.get()
    asked = {"kind": "classifier", "target": f"group-{group.pk}", "folds": "3", "learns": "finetune"}
    client.post(
        reverse("rounds", args=[labelled.pk]),
        {**asked, "backbone": "efficientnet_lite2", "other": "blocks=1\nunits=64"},
    )
    made = Round.objects.get()
    assert {name: made.settings[name] for name in ("learns", "backbone", "blocks", "units")} == {
        "learns": "finetune",
        "backbone": "efficientnet_lite2",
        "blocks": 1,
        "units": 64,
    }
    page = client.get(reverse("round", args=[made.pk])).content.decode()
    assert "the last block of efficientnet_lite2 and 1 layer of 64 units with 50% dropout, on the crops" in page
    assert ">penalty<" not in page and ">blocks<" in page
    # What a round left when it was killed is gone on with.
    assert not made.has_checkpoint
    (made.folder / "out" / "taught-0").mkdir(parents=True)
    (made.folder / "out" / "taught-0" / "1-0.npy").touch()
    assert made.has_checkpoint
    sentences = {
        "head": "a linear head on the features of efficientnet_lite2, which stays as it is.",
        "layers": "2 layers of 64 units with 50% dropout on the features",
        "local": "what small things lie anywhere in a cell",
    }
    for learns, sentence in sentences.items():
        Round.objects.update(settings={**made.settings, "learns": learns, "layers": 2})
        assert sentence in client.get(reverse("round", args=[made.pk])).content.decode()


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("learns", "magic", "Select a valid choice"),
        ("other", "layers=2", "The setting layers decides nothing where learns is head"),
        ("target", "label-0", "Select a valid choice"),
        ("target", "", "This field is required"),
        ("other", "speed=1", "There is no setting &#x27;speed&#x27;"),
        ("folds", "5", ""),
    ],
)
def test_the_form_says_what_is_wrong(
    labelled: Study, admin: User, client_of: Any, no_broker: Any, field: str, value: str, sentence: str
) -> None:
    if field == "folds":
        # Of six patients in six slots, five folds can be filled; of four they cannot.
        Cell.objects.filter(image__patient__code__in=["P4", "P5"]).delete()
        sentence = "needs 5"
    group = labelled.label_groups.get()
    asked = {"kind": "classifier", "target": f"group-{group.pk}", "folds": "3", field: value}
    response = client_of(admin).post(reverse("rounds", args=[labelled.pk]), asked)
    assert response.status_code == 409 and sentence in response.content.decode()
    assert not Round.objects.exists()


def test_the_page_of_a_group_shows_each_label_and_the_curves_of_one(
    finished: Any, annotator: User, client_of: Any
) -> None:
    round_ = finished(Target("Cell type"), classes=("Promyelocyte", "Myeloblast", "Lymphocyte"))
    client = client_of(annotator)
    page = client.get(reverse("round", args=[round_.pk])).content.decode()
    for name in ("Promyelocyte", "Myeloblast", "Lymphocyte"):
        assert f"?label={name}#curves" in page
    for title in ("ROC", "Precision and recall", "Reliability", "What it takes cells for", "By patient"):
        assert title in page
    other = client.get(f"{reverse('round', args=[round_.pk])}?label=Lymphocyte").content.decode()
    assert page.count('class="plot-area"') == 2 and "mean of 3 folds" in page
    assert "By patient: Lymphocyte" in other and "By patient: Lymphocyte" not in page
    assert client.get(f"{reverse('round', args=[round_.pk])}?label=<b>").status_code == 200


def test_a_round_that_failed_says_why_and_shows_no_figures(study: Study, annotator: User, client_of: Any) -> None:
    round_ = Round.objects.create(
        study=study,
        number=1,
        kind=Kind.CLASSIFIER,
        target={"group": "Cell type"},
        state=JobState.FAILED,
        reason="The disk is full.",
    )
    page = client_of(annotator).get(reverse("round", args=[round_.pk])).content.decode()
    assert "The disk is full." in page and "AUROC" not in page


def test_promotions_are_by_target_and_lead_back(finished: Any, admin: User, client_of: Any) -> None:
    first = finished(Target("Cell type", "Promyelocyte"))
    group = finished(Target("Cell type"))
    second = finished(Target("Cell type", "Promyelocyte"), shuffled=True)
    client = client_of(admin)
    page = client.get(rounds_page(first.study)).content.decode()
    assert page.count("bundle-now") == 2 and f"Back to round {first.number}" in page
    answer = client.post(reverse("round-promote", args=[first.pk]), follow=True).content.decode()
    assert f"Promyelocyte against all others: the bundle of round {first.number} is in use from now on." in answer
    assert set(Bundle.objects.filter(in_use=True)) == {first.bundle, group.bundle}
    bundles = client.get(f"{reverse('bundles', args=[first.study_id])}?kind=classifier").content.decode()
    assert bundles.count("in use</span>") == 2 and second.bundle.pk in bundles
    address = reverse("bundle-promote", args=[first.study_id, second.bundle.pk])
    assert client.post(address)["Location"].endswith("?kind=classifier")


def test_what_detectors_have_knows_nothing_of_classifiers(
    finished: Any, labelled: Study, admin: User, client_of: Any
) -> None:
    round_ = finished(Target("Cell type"))
    client = client_of(admin)
    assert f'href="/rounds/{round_.pk}/"' not in client.get(rounds_page(labelled, "detector")).content.decode()
    assert round_.bundle.pk not in client.get(reverse("bundles", args=[labelled.pk])).content.decode()
    for name in ("effort", "study"):
        assert client.get(reverse(name, args=[labelled.pk])).status_code == 200
    image = labelled.images.first()
    assert image is not None
    assert client.get(reverse("image-past", args=[image.pk]), {"at": "round 1"}).status_code == 200
    assert client.get(reverse("round-borders", args=[round_.pk]), follow=True).status_code == 200
    assert client.get(reverse("round-scores", args=[round_.pk])).status_code == 200
    assert client.get(reverse("api-bundles", args=[labelled.pk])).json()["bundles"] == []


def test_the_api_launches_lists_and_tells_the_kind(
    labelled: Study, admin: User, client_of: Any, no_broker: Any
) -> None:
    client, address = client_of(admin), reverse("api-rounds", args=[labelled.pk])

    def post(**asked: Any) -> Any:
        return client.post(address, {"kind": "classifier", **asked}, content_type="application/json")

    assert post(label="unicorn").json()["detail"].endswith("has no label 'unicorn'.")
    # A network that sees crops is not searched for.
    assert post(label="promyelocyte", trials=3, settings={"learns": "finetune"}).status_code == 400
    assert post(label="lymphocyte").status_code == 409
    made = post(label="promyelocytes", settings={"folds": 2})
    assert made.status_code == 201
    assert made.json()["kind"] == "classifier"
    assert made.json()["target"] == {"group": "Cell type", "label": "Promyelocyte"}
    assert [each["number"] for each in client.get(address).json()["rounds"]] == [1]
    assert client.get(f"{address}?kind=detector").json()["rounds"] == []


def test_the_api_lists_classifiers_bundles(finished: Any, annotator: User, client_of: Any) -> None:
    round_ = finished(Target("Cell type"))
    found = client_of(annotator).get(f"{reverse('api-bundles', args=[round_.study_id])}?kind=classifier").json()
    assert [each["target"] for each in found["bundles"]] == [{"group": "Cell type"}]
    assert [each["bundle"] for each in found["promotions"]] == [round_.bundle_id]


def test_the_list_costs_few_queries_however_many_rounds(
    finished: Any, annotator: User, client_of: Any, django_assert_max_num_queries: Any
) -> None:
    study = finished(Target("Cell type")).study
    Round.objects.bulk_create(
        Round(study=study, number=number, kind=Kind.CLASSIFIER, target={"group": "Cell type"}, state=JobState.FAILED)
        for number in range(2, 40)
    )
    client = client_of(annotator)
    client.get(rounds_page(study))
    with django_assert_max_num_queries(24):
        assert client.get(rounds_page(study)).status_code == 200
