"""Counting as clinical analyzers do: what is not counted stands apart; how sure people are; and whose word is shown."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation.counting import marks_of
from annotation.models import Cell, CellLabel, Label, LabelGroup, SmearImage, Study
from annotation.scheme import give_scheme
from inference.gallery_models import said_by, spoken_of
from inference.models import CellProbability, ClassifyJob, InteractiveHead
from tests.inference.gallery import cell, judge, label, say, shown
from training.models import Bundle, Kind

pytestmark = pytest.mark.django_db


@pytest.fixture
def image(study: Study, make_image: Any) -> SmearImage:
    return make_image(study, width=400, height=300)


@pytest.fixture
def counts(study: Study, annotator: User, client_of: Any) -> Callable[..., dict[str, int]]:
    """counts(**asked): by the names of labels, how many cells enter shares."""
    client: Client = client_of(annotator)

    def ask(**asked: Any) -> dict[str, int]:
        told = client.get(reverse("api-gallery-counts", args=[study.pk]), asked).json()["counted"]
        names = Label.objects.in_bulk([int(key) for key in told])
        return {names[int(key)].name: number for key, number in told.items()}

    return ask


def test_shares_are_of_what_is_counted_and_drawn(
    study: Study, image: SmearImage, make_image: Any, counts: Any, annotator: User, teammate: User
) -> None:
    cells = [cell(image, 20 * n, 20, 15) for n in range(6)]
    for each, name in zip(
        cells, ["Myeloblast", "Myeloblast", "Promyelocyte", "Unidentified", "Lymphocyte"], strict=False
    ):
        say(each, name, annotator)
    # A mark is no type, and one takes its cell out of the count whatever it is.
    say(cells[0], "Auer rod", annotator)
    say(cells[4], "Exclude from count", teammate)
    picked = cell(make_image(study, seed=9, sample="extra"), 10, 10)
    say(picked, "Faggot cell", annotator)
    say(picked, "Promyelocyte", annotator)
    assert counts() == {"Myeloblast": 2, "Promyelocyte": 1}
    assert counts(annotator=annotator.pk) == counts()


def test_how_sure_people_are_is_asked_for(study: Study, image: SmearImage, annotator: User, teammate: User) -> None:
    cells = [cell(image, 20 * n, 20, 15) for n in range(5)]
    for each, value in zip(cells, [0.4, 0.7, 1.0, None], strict=False):
        CellLabel.objects.create(cell=each, label=label(study, "Myeloblast"), annotator=annotator, confidence=value)
    # Theo is sure of one of which Anna is not.
    CellLabel.objects.create(cell=cells[0], label=label(study, "Promyelocyte"), annotator=teammate, confidence=1.0)

    def found(**asked: Any) -> set[int]:
        return set(shown(study, annotator, cells, **asked))

    assert found(certainty="unsure") == {0} and found(certainty="likely") == {1}
    assert found(certainty="sure") == {0, 2} and found(certainty="unsaid") == {3}
    # One row fulfils all of what is asked for.
    assert found(certainty="sure", label=label(study, "Myeloblast").pk) == {2}
    assert found(certainty="sure", annotator=teammate.pk) == {0}
    assert found(certainty="unsure", annotator="me") == {0}
    assert found(certainty="nonsense") == {0, 1, 2, 3, 4}


def test_who_is_how_sure_is_told(study: Study, image: SmearImage, annotator: User, client_of: Any) -> None:
    made = cell(image)
    myeloblast = label(study, "Myeloblast")
    CellLabel.objects.create(cell=made, label=myeloblast, annotator=annotator, confidence=0.4)
    address = reverse("api-gallery-cells", args=[study.pk])
    body = {"cells": [str(made.pk)]}
    (known,) = client_of(annotator).post(address, body, content_type="application/json").json()["cells"]
    assert known["said"] == [{"by": "anna", "labels": [myeloblast.pk], "confidence": {str(myeloblast.pk): 0.4}}]


@pytest.mark.parametrize(("scheme", "nameless"), [("paper", "Unidentified"), ("marrow", "Not identifiable")])
def test_each_shipped_scheme_has_what_the_two_keys_set(db: Any, scheme: str, nameless: str) -> None:
    study = Study.objects.create(name="New")
    give_scheme(study, scheme)
    labels = Label.objects.filter(group__study=study).select_related("group")
    marks = marks_of(labels)
    assert {labels.get(pk=pk).name: mark for pk, mark in marks.items()} == {
        nameless: "unidentified",
        "Exclude from count": "uncounted",
    }
    labels.update(retired=True)
    assert marks_of(labels.all()) == {}


def test_the_page_says_whose_probabilities_are_shown(
    study: Study, image: SmearImage, annotator: User, client_of: Any
) -> None:
    made = cell(image)
    assert said_by(study, {}) == [] and spoken_of(study) == {}
    Bundle.objects.create(id="0123456789ab", study=study, kind=Kind.CLASSIFIER, target={"group": "Cell type"}, card={})
    for name in ("Myeloblast", "Promyelocyte"):
        CellProbability.objects.create(cell=made, label=label(study, name), probability=0.5, bundle="0123456789ab")
    at = timezone.now()
    ClassifyJob.objects.create(
        study=study, state="succeeded", finished_at=at, result={"bundles": ["0123456789ab"], "labels": []}
    )
    judge(made, Auer_rod=0.2)
    rod = label(study, "Auer rod")
    InteractiveHead.objects.create(group=rod.group, asked=1, learned=1, finished_at=at)
    when = f"{timezone.localtime(at):%-d %b %H:%M}"
    expected = [
        f"Cell type: bundle 0123456789ab, {when}.",
        f"Auer rod: heads that learn while people label, {when}.",
    ]
    assert said_by(study, spoken_of(study)) == expected
    news = client_of(annotator).get(reverse("api-gallery-news", args=[study.pk])).json()
    assert news["said_by"] == expected and rod.pk in news["modelled"]
    assert spoken_of(study)[rod.pk] == "interactive" and len(spoken_of(study)) == 3


def test_what_takes_cells_out_of_the_count_is_not_learned(study: Study, image: SmearImage) -> None:
    from inference.cell_choices import lessons_of

    group = LabelGroup.objects.get(study=study, name="Characteristics")
    out, rod = label(study, "Exclude from count").pk, label(study, "Auer rod").pk
    cells: list[Cell] = [cell(image, 20 * n, 20, 15) for n in range(12)]
    said = {each.pk: [out, rod] if n < 6 else [label(study, "Myeloblast").pk] for n, each in enumerate(cells)}
    (lesson,) = lessons_of(group, [each.pk for each in cells], said)
    assert list(lesson.columns) == [rod]
