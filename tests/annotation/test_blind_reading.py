"""Blind reading: until a reader is done, no place of the editor and its API tells them what others said of a cell."""

import json
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from annotation.models import Cell, CellLabel, SmearImage, Study, TextAttribute
from annotation.readings import CellsWanted, end, finish
from tests.annotation.changes import change
from tests.annotation.reading import asked, cells_on, decide, label_id, part, say

pytestmark = pytest.mark.django_db

# What nobody may read anywhere: a number and words that nothing else has.
REMARK, NOTE, SURE = "Seen under oil by rita", "Folded nucleus says rita", 0.731


@pytest.fixture
def cell(study: Study, image: SmearImage, reviewer: User, annotator: User, teammate: User) -> Cell:
    """A cell that the annotator reads blind, after an import, a colleague and a reviewer have spoken."""
    cell = cells_on(image, 2)[0]
    CellLabel.objects.create(cell=cell, label_id=label_id(study, "Erythroblast"))
    reading = asked(study, reviewer, [annotator, teammate], cells=CellsWanted(cells=[cell.pk]))
    remark = TextAttribute.objects.get(study=study, name="Remark").pk
    mono = label_id(study, "Monocyte")
    say(cell, teammate, "Monocyte", confidence={mono: SURE}, texts={remark: REMARK})
    decide(cell, reviewer, "Cell type", ["Lymphocyte"], NOTE)
    assert reading.blind
    return cell


@pytest.fixture
def told(study: Study, cell: Cell) -> Any:
    """told(content): what of the others' labels a piece of JSON tells."""
    ids = [label_id(study, name) for name in ("Erythroblast", "Monocyte", "Lymphocyte")]
    words = [REMARK, NOTE, str(SURE), "73%", "Monocyte", "Lymphocyte", "Erythroblast"]

    def look(content: Any) -> list[Any]:
        text = json.dumps(content)
        return [word for word in words if word in text] + [key for key in ids if key in _labels(content)]

    return look


def _labels(content: Any) -> set[int]:
    """All label ids under the keys `labels` and `confidence`."""
    if isinstance(content, list):
        return set().union(*(_labels(each) for each in content))
    if not isinstance(content, dict):
        return set()
    found = set(content.get("labels", ())) | {int(key) for key in content.get("confidence", ())}
    return found.union(*(_labels(each) for each in content.values()))


def _asked(client: Client, cell: Cell, place: str) -> Any:
    image = cell.image_id
    if place == "operations":
        # A stale change is answered with the cell as it is.
        operation = {"id": str(uuid.uuid4()), "kind": "delete", "cell": str(cell.pk), "version": 0}
        response = client.post(
            f"/api/v1/images/{image}/operations/", {"operations": [operation]}, content_type="application/json"
        )
        assert response.status_code == 412
    elif place == "presence":
        response = client.post(f"/api/v1/images/{image}/presence/", {"since": 0}, content_type="application/json")
    else:
        address = {
            "image": f"images/{image}/",
            "deleted": f"images/{image}/deleted/",
            "history": f"cells/{cell.pk}/history/",
        }
        response = client.get(f"/api/v1/{address[place]}")
    content = response.json()
    assert str(cell.pk) in json.dumps(content) or place == "history"
    return content


PLACES = ["image", "presence", "operations", "history", "deleted"]


@pytest.mark.parametrize("place", PLACES)
def test_a_blind_reader_is_told_nothing_until_done(
    place: str, study: Study, cell: Cell, annotator: User, reviewer: User, client_of: Any, told: Any
) -> None:
    client = client_of(annotator)
    if place == "deleted":
        cell.refresh_from_db()
        from annotation.operations import apply

        apply(cell.image_id, reviewer, [change("delete", cell.pk, cell.version)])
    assert told(_asked(client, cell, place)) == []
    # Others see it as ever: the test can fail.
    assert told(_asked(client_of(reviewer), cell, place)) != []
    if place != "deleted":
        say(cell, annotator, "Myeloblast")
        assert told(_asked(client, cell, place)) == []
    finish(part(cell.readings.first().reader.reading, annotator))
    if place in ("history", "deleted"):
        assert told(_asked(client, cell, place)) != []


def test_what_a_reader_says_themselves_is_theirs_to_see(
    study: Study, cell: Cell, annotator: User, client_of: Any
) -> None:
    blast = label_id(study, "Myeloblast")
    say(cell, annotator, "Myeloblast", confidence={blast: 0.5})
    shown = _asked(client_of(annotator), cell, "image")["cells"]
    own = next(each for each in shown if each["id"] == str(cell.pk))
    assert (own["labels"], own["confidence"]) == ([blast], {str(blast): 0.5})
    versions = _asked(client_of(annotator), cell, "history")["versions"]
    assert [(one["user"], one["what"], one["labels"]) for one in versions] == [
        ("anna", "Labelled: Myeloblast (50% sure)", [blast]),
        (None, "Labelled by somebody else: shown when you are done with your reading", []),
        (None, "Labelled by somebody else: shown when you are done with your reading", []),
        (None, "Drawn", []),
    ]


def test_the_history_tells_decisions_to_everybody_else(cell: Cell, reviewer: User, client_of: Any) -> None:
    decide(cell, reviewer, "Cell type", None)
    decide(cell, reviewer, "Cell type", [])
    versions = _asked(client_of(reviewer), cell, "history")["versions"]
    assert [one["what"] for one in versions][:4] == [
        "Decided, Cell type: none applies",
        "Decided, Cell type: the decision is taken back",
        f"Decided, Cell type: Lymphocyte ({NOTE})",
        f"Labelled: Monocyte (73% sure); Remark: {REMARK}",
    ]


def test_other_cells_and_readings_that_are_not_blind_hide_nothing(
    study: Study, image: SmearImage, reviewer: User, annotator: User, teammate: User, client_of: Any
) -> None:
    read, other = cells_on(image, 2)
    open_reading = asked(study, reviewer, [annotator], cells=CellsWanted(cells=[read.pk]), blind=False)
    assert not open_reading.hides_model
    for each in (read, other):
        say(each, teammate, "Monocyte")
    cells = _asked(client_of(annotator), read, "image")["cells"]
    assert [each["labels"] for each in cells] == [[label_id(study, "Monocyte")]] * 2


def test_a_reading_that_is_ended_reveals(study: Study, cell: Cell, annotator: User, client_of: Any, told: Any) -> None:
    end(cell.readings.first().reader.reading)
    assert told(_asked(client_of(annotator), cell, "image")) != []
