"""Where readers differ, and where a model contradicts people: who opens the pages, and what reviewers decide there."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotation.label_choice import choices_of
from annotation.models import Adjudication, Cell, LabelGroup, Study
from annotation.readings import CellsWanted
from inference.label_noise import doubts
from tests.annotation.reading import asked, decide, label_id
from tests.annotation.reading import say as speak
from tests.inference.gallery import cell, judge

pytestmark = pytest.mark.django_db


@pytest.fixture
def cells(study: Study, make_image: Any) -> list[Cell]:
    image = make_image(study, width=400, height=300, um_per_pixel=0.1, state="annotated")
    return [cell(image, x=10 + 40 * place) for place in range(4)]


@pytest.fixture
def cell_type(study: Study) -> LabelGroup:
    return LabelGroup.objects.get(study=study, name="Cell type")


@pytest.fixture
def disputed(study: Study, cells: list[Cell], annotator: User, teammate: User) -> Cell:
    """Two people differ on the first cell, with how sure they are, and agree on the second."""
    blast, mono = label_id(study, "Myeloblast"), label_id(study, "Monocyte")
    speak(cells[0], annotator, "Myeloblast", confidence={blast: 0.7})
    speak(cells[0], teammate, "Monocyte", confidence={mono: 1.0})
    speak(cells[1], annotator, "Myeloblast")
    speak(cells[1], teammate, "Myeloblast")
    judge(cells[0], Monocyte=0.91)
    return cells[0]


def counts(of: Cell) -> set[int]:
    found = choices_of([of.pk], None)
    return set(found[of.pk].labels) if of.pk in found else set()


def sent(of: Cell, group: LabelGroup, *labels: int, **more: Any) -> dict[str, Any]:
    of.refresh_from_db(fields=["version"])
    answer = ",".join(str(label) for label in labels)
    return {"group": group.pk, "answer": answer, "version": of.version, "id": str(uuid.uuid4())} | more


@pytest.mark.parametrize(("name", "method"), [("adjudication", "get"), ("second-look", "get"), ("adjudicate", "post")])
def test_the_pages_are_for_reviewers_of_the_study(
    name: str,
    method: str,
    study: Study,
    disputed: Cell,
    cell_type: LabelGroup,
    annotator: User,
    reviewer: User,
    admin: User,
    outsider: User,
    client_of: Any,
) -> None:
    address = reverse(name, args=[disputed.pk if name == "adjudicate" else study.pk])

    def status(client: Client) -> int:
        body = sent(disputed, cell_type, label_id(study, "Monocyte")) if method == "post" else None
        return int(getattr(client, method)(address, body).status_code)

    assert status(Client()) == 302
    assert status(client_of(outsider)) == 404
    assert status(client_of(annotator)) == 403
    for user in (reviewer, admin):
        assert status(client_of(user)) == (200 if method == "get" else 302)


def test_a_reviewer_sees_who_said_what_decides_and_takes_it_back(
    study: Study, disputed: Cell, cell_type: LabelGroup, reviewer: User, client_of: Any
) -> None:
    client, address = client_of(reviewer), reverse("adjudication", args=[study.pk])
    page = client.get(address).content.decode()
    assert page.count('class="card dispute"') == 1
    for told in ("anna", "theo", "Myeloblast", "Monocyte", "70\u202f%", "91\u202f%", "1 to decide"):
        assert told in page
    blast, mono = label_id(study, "Myeloblast"), label_id(study, "Monocyte")
    decided = reverse("adjudicate", args=[disputed.pk])
    body = sent(disputed, cell_type, mono, note="Folded nucleus.")
    answer = client.post(decided, body, headers={"HX-Request": "true"}).content.decode()
    assert "decided by rita" in answer and "Folded nucleus." in answer
    # Sent again it changes nothing.
    assert "decided by rita" in client.post(decided, body, headers={"HX-Request": "true"}).content.decode()
    assert Adjudication.objects.get().labels == [mono]
    assert counts(disputed) == {mono}
    assert 'class="card dispute"' not in client.get(address).content.decode()
    assert "Folded nucleus." in client.get(address, {"decided": "1"}).content.decode()
    # The page that another reviewer had opened before knows another version.
    stale = sent(disputed, cell_type, blast, version=1)
    assert "look again" in client.post(decided, stale, headers={"HX-Request": "true"}).content.decode()
    assert counts(disputed) == {mono}
    back = sent(disputed, cell_type, take="back", offered=[str(blast), str(mono), "nonsense"])
    answer = client.post(decided, back, headers={"HX-Request": "true"}).content.decode()
    assert "taken back" in answer and f'value="{mono}" data-number="2"' in answer
    assert counts(disputed) == {mono} and not Adjudication.objects.exists()
    client.post(decided, sent(disputed, cell_type, blast), headers={"HX-Request": "true"})
    assert counts(disputed) == {blast}
    past = client.get(address, {"decided": "1"}).content.decode()
    assert "Earlier decisions" in past and past.count("taken back") == 1 and past.count("Folded nucleus.") == 1
    nothing = sent(disputed, cell_type)
    del nothing["answer"]
    assert client.post(decided, nothing).status_code == 400
    assert counts(disputed) == {blast}
    foreign = sent(disputed, cell_type, label_id(study, "Auer rod"))
    assert "no such label" in client.post(decided, foreign, headers={"HX-Request": "true"}).content.decode()


def test_decisions_by_the_api(
    study: Study, disputed: Cell, cell_type: LabelGroup, reviewer: User, annotator: User, client_of: Any
) -> None:
    client = client_of(reviewer)
    listed = client.get(reverse("api-disputes", args=[study.pk]), {"group": cell_type.pk}).json()
    assert (listed["count"], listed["cells"][0]["cell"]) == (1, str(disputed.pk))
    assert [each["by"] for each in listed["cells"][0]["said"]] == ["anna", "theo"]
    assert listed["cells"][0]["said"][0]["confidence"] == {str(label_id(study, "Myeloblast")): 0.7}
    address, mono = reverse("api-adjudication", args=[disputed.pk]), label_id(study, "Monocyte")
    body = {"id": str(uuid.uuid4()), "version": listed["cells"][0]["version"], "group": cell_type.pk, "labels": [mono]}

    def post(**more: Any) -> Any:
        return client.post(address, body | more, content_type="application/json")

    assert (post().status_code, post().json()["status"]) == (200, "replayed")
    assert post(id=str(uuid.uuid4())).status_code == 412
    now = client.get(address).json()["version"]
    assert post(id=str(uuid.uuid4()), version=now, labels=[label_id(study, "Auer rod")]).status_code == 409
    assert post(id=str(uuid.uuid4()), version=now, labels=None).status_code == 200
    told = client.get(address).json()["decisions"]
    assert [(each["labels"], each["by"]) for each in told] == [(None, "rita"), ([mono], "rita")]
    decided = client.get(reverse("api-disputes", args=[study.pk]), {"group": cell_type.pk, "decided": 1}).json()
    assert decided["count"] == 0
    # No way around the permission through the operations of the editor.
    operation = {"id": str(uuid.uuid4()), "kind": "adjudicate", "cell": str(disputed.pk), "version": now, "labels": []}
    operations = reverse("api-operations", args=[disputed.image_id])
    for user in (annotator, reviewer):
        answer = client_of(user).post(operations, {"operations": [operation]}, content_type="application/json")
        assert answer.status_code == 400


def test_who_reads_a_cell_blind_neither_sees_nor_decides_it(
    study: Study, cells: list[Cell], disputed: Cell, cell_type: LabelGroup, reviewer: User, admin: User, client_of: Any
) -> None:
    asked(study, admin, [reviewer], cells=CellsWanted(cells=[disputed.pk]))
    client = client_of(reviewer)
    assert 'class="card dispute"' not in client.get(reverse("adjudication", args=[study.pk])).content.decode()
    assert client.get(reverse("api-disputes", args=[study.pk]), {"group": cell_type.pk}).json()["count"] == 0
    assert client.post(reverse("adjudicate", args=[disputed.pk]), sent(disputed, cell_type)).status_code == 403
    assert client.get(reverse("api-adjudication", args=[disputed.pk])).status_code == 403
    assert 'class="card dispute"' in client_of(admin).get(reverse("adjudication", args=[study.pk])).content.decode()


def test_disagreements_of_a_reading_count_those_who_found_none(
    study: Study, cells: list[Cell], reviewer: User, annotator: User, teammate: User, client_of: Any
) -> None:
    reading = asked(study, reviewer, [annotator, teammate, reviewer], groups=["Characteristics"], blind=False)
    speak(cells[0], annotator, "Auer rod")
    speak(cells[0], teammate)
    speak(cells[1], annotator)
    speak(cells[1], teammate)
    page = client_of(reviewer).get(reverse("adjudication", args=[study.pk]), {"reading": reading.pk}).content.decode()
    assert page.count('class="card dispute"') == 1
    assert "1 still to read it" in page and "None applies" in page


# --- a second look ---


def test_confident_models_against_people(
    study: Study, cells: list[Cell], cell_type: LabelGroup, annotator: User, teammate: User, reviewer: User
) -> None:
    marks = LabelGroup.objects.get(study=study, name="Characteristics")
    for each in cells:
        speak(each, annotator, "Myeloblast")
    judge(cells[0], Promyelocyte=0.85, Auer_rod=0.05)
    judge(cells[1], Promyelocyte=0.95, Myeloblast=0.04, Auer_rod=0.9)
    judge(cells[2], Promyelocyte=0.7)
    judge(cells[3], Myeloblast=0.99)
    speak(cells[3], annotator, "Myeloblast", "Auer rod")
    judge(cells[3], Auer_rod=0.03)

    def found(group: LabelGroup, least: float = 0.8, viewer: User = reviewer) -> list[tuple[int, int, bool]]:
        keys = [each.pk for each in cells]
        return [(keys.index(each.cell), each.model, each.applies) for each in doubts(study, group, viewer.pk, least)]

    promyelocyte, rod = label_id(study, "Promyelocyte"), label_id(study, "Auer rod")
    assert found(cell_type) == [(1, promyelocyte, True), (0, promyelocyte, True)]
    assert found(cell_type, 0.6) == [(1, promyelocyte, True), (0, promyelocyte, True), (2, promyelocyte, True)]
    assert found(marks) == [(3, rod, False), (1, rod, True)]
    # What somebody decided is not asked again, whatever it was.
    decide(cells[1], reviewer, "Cell type", ["Myeloblast"])
    assert found(cell_type) == [(0, promyelocyte, True)]
    # Nor what the viewer reads blind, though they may see probabilities, and have spoken.
    asked(study, reviewer, [teammate, annotator], hides_model=False, cells=CellsWanted(cells=[cells[0].pk]))
    assert found(cell_type, viewer=teammate) == found(cell_type, viewer=annotator) == []
    assert found(cell_type) == [(0, promyelocyte, True)]


def test_the_second_look_decides_or_sends_on(
    study: Study, cells: list[Cell], cell_type: LabelGroup, annotator: User, reviewer: User, client_of: Any
) -> None:
    client, address = client_of(reviewer), reverse("second-look", args=[study.pk])
    assert "No model has looked" in client.get(address).content.decode()
    speak(cells[0], annotator, "Myeloblast")
    judge(cells[0], Promyelocyte=0.9)
    page = client.get(address, {"group": cell_type.pk, "least": "0.8"}).content.decode()
    blast, promyelocyte = label_id(study, "Myeloblast"), label_id(study, "Promyelocyte")
    assert f'value="{blast}" data-number="1"' in page and f'value="{promyelocyte}" data-number="2"' in page
    assert 'class="card dispute"' not in client.get(address, {"least": "0.95"}).content.decode()
    form = client.get(reverse("readings", args=[study.pk]), {"cell": str(cells[0].pk)}).content.decode()
    assert "The 1 that you chose." in form and f'name="cell" value="{cells[0].pk}"' in form
    client.post(reverse("adjudicate", args=[cells[0].pk]), sent(cells[0], cell_type, promyelocyte))
    assert counts(cells[0]) == {promyelocyte}
    assert "No model contradicts people" in client.get(address).content.decode()
