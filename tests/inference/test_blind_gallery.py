"""Blind reading in the gallery: whatever others and models say of a reader's cells, their gallery stays as it was.

Cells that they do not read are shown as ever, so every filter, order and count must tell the two apart.
"""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotation.models import Cell, SmearImage, Study
from annotation.readings import CellsWanted, finish
from inference.gallery_query import AGREEMENTS, BY_EVIDENCE, SORTS
from inference.models import CellEvidence, EvidenceJob
from tests.annotation.reading import asked, decide, part
from tests.inference.gallery import cell, judge, label, look, say, shown
from training.models import Bundle, JobState, Kind

pytestmark = pytest.mark.django_db

DECISION = "APL vs non-APL AML"


@pytest.fixture
def image(study: Study, make_image: Any) -> SmearImage:
    return make_image(study, width=400, height=300, um_per_pixel=0.1, state="annotated")


@pytest.fixture
def cells(image: SmearImage, annotator: User) -> list[Cell]:
    """Six cells; of the last three the annotator said something before."""
    made = [cell(image, x=10 + 40 * place, side=10 + place) for place in range(6)]
    for place, each in enumerate(made):
        look(each, 1, place % 3, place)
    for each in made[3:]:
        say(each, "Myeloblast", annotator)
    return made


def speak(cells: list[Cell], teammate: User, reviewer: User) -> None:
    """Others label, a model judges, MILLIE scores each cell alone, a reviewer decides."""
    study = cells[0].image.study
    card = {"architecture": {"decisions": [{"name": DECISION}]}}
    bundle = Bundle.objects.create(id="a" * 12, study=study, kind=Kind.MIL, card=card)
    EvidenceJob.objects.create(study=study, bundle=bundle, state=JobState.SUCCEEDED)
    for place, each in enumerate(cells):
        say(each, "Promyelocyte" if place % 2 else "Monocyte", teammate)
        probability = (0.9, 0.2, 0.7, 0.4, 0.8, 0.3)[place]
        judge(each, Promyelocyte=probability, Myeloblast=1 - probability)
        CellEvidence.objects.create(cell=each, decision=DECISION, probability=1 - probability, bundle=bundle.pk)
    decide(cells[0], reviewer, "Cell type", ["Lymphocyte"])


def everything(client: Client, study: Study, cells: list[Cell], viewer: User, teammate: User) -> dict[str, Any]:
    """What the gallery tells: of each cell, in which order by each filter, how many."""
    promyelocyte = label(study, "Promyelocyte").pk
    queries: list[dict[str, Any]] = [{"sort": sort, "like": cells[1].pk} for sort in SORTS]
    queries += [{"sort": sort, "of": promyelocyte, "like": cells[1].pk} for sort in SORTS]
    queries += [{"sort": sort, "decision": DECISION} for sort in BY_EVIDENCE]
    queries += [{"agreement": agreement} for agreement in AGREEMENTS]
    queries += [{"agreement": "model", "of": promyelocyte, "sort": "disputed"}]
    queries += [{"of": promyelocyte, "least": least, "most": most} for least, most in ((0.5, 1), (0, 0.5))]
    queries += [{"label": one} for one in (promyelocyte, "none", f"none-{label(study, 'Monocyte').group_id}")]
    queries += [{"annotator": one} for one in (teammate.pk, "me", "not-me", "imported")]
    found: dict[str, Any] = {str(query): shown(study, viewer, cells, **query) for query in queries}
    sent = {"cells": [str(each.pk) for each in cells]}
    told = client.post(reverse("api-gallery-cells", args=[study.pk]), sent, content_type="application/json")
    found["cells"] = [{k: v for k, v in each.items() if k != "version"} for each in told.json()["cells"]]
    found["counts"] = client.get(reverse("api-gallery-counts", args=[study.pk])).json()
    return found


def test_nothing_in_the_gallery_tells_a_blind_reader_of_others_or_models(
    study: Study, cells: list[Cell], reviewer: User, annotator: User, teammate: User, client_of: Any
) -> None:
    reading = asked(study, reviewer, [annotator])
    mine, theirs = client_of(annotator), client_of(reviewer)
    before = everything(mine, study, cells, annotator, teammate)
    others_before = everything(theirs, study, cells, reviewer, teammate)
    speak(cells, teammate, reviewer)
    assert everything(mine, study, cells, annotator, teammate) == before
    assert [each["said"] for each in before["cells"]][:3] == [[]] * 3
    changed = everything(theirs, study, cells, reviewer, teammate)
    # All the others tell of labels or of models, so that this test can fail.
    same = {key.split("'")[3] for key in changed if changed[key] == others_before[key]}
    assert same <= {
        "newest",
        "field",
        "similar",
        "largest",
        "smallest",
        "measure-down",
        "measure-up",
        "me",
        "not-me",
        "imported",
    }
    for each in cells[:3]:
        say(each, "Myeloblast", annotator)
    part(reading, annotator).cells.update(read_at=reading.created_at)
    finish(part(reading, annotator))
    revealed = everything(mine, study, cells, annotator, teammate)
    assert all(len(each["said"]) == 2 and each["probabilities"] for each in revealed["cells"])


def test_a_blind_reading_may_show_what_models_say(
    study: Study, cells: list[Cell], reviewer: User, annotator: User, teammate: User, client_of: Any
) -> None:
    asked(study, reviewer, [annotator], hides_model=False, cells=CellsWanted(cells=[cells[0].pk]))
    speak(cells, teammate, reviewer)
    told = everything(client_of(annotator), study, cells, annotator, teammate)
    assert told["cells"][0]["said"] == []
    assert told["cells"][0]["probabilities"] == {
        str(label(study, "Promyelocyte").pk): 0.9,
        str(label(study, "Myeloblast").pk): 0.1,
    }
    # Of the cells that are not read everything is shown.
    assert len(told["cells"][4]["said"]) == 2
    assert told[str({"label": label(study, "Promyelocyte").pk})] == [5, 3, 1]


def test_the_cells_of_ones_own_reading(
    study: Study, cells: list[Cell], reviewer: User, annotator: User, teammate: User, client_of: Any
) -> None:
    chosen = CellsWanted(cells=[cells[1].pk, cells[4].pk])
    reading = asked(study, reviewer, [annotator, teammate], each=1, cells=chosen)
    mine, theirs = (shown(study, user, cells, reading=reading.pk) for user in (annotator, teammate))
    assert sorted(mine + theirs) == [1, 4]
    assert shown(study, reviewer, cells, reading=reading.pk) == []
    page = client_of(annotator).get(reverse("gallery", args=[study.pk])).content.decode()
    assert f'<option value="{reading.pk}">Second look</option>' in page
    assert "My readings" not in client_of(reviewer).get(reverse("gallery", args=[study.pk])).content.decode()
