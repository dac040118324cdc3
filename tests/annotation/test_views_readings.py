"""The pages of readings and agreement, and their addresses under /api/v1/: who may open what, and what they do."""

import csv
import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotation.models import Cell, CellLabel, LabelGroup, Operation, Reader, Reading, SmearImage, Study
from annotation.readings import cells_to_read, finish
from tests.annotation.reading import asked, cells_on, label_id, part, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def cells(study: Study, make_image: Any) -> list[Cell]:
    """A cell on each of six images, so that there are intervals."""
    return [cells_on(make_image(study, seed=seed), 1)[0] for seed in range(6)]


@pytest.fixture
def reading(study: Study, reviewer: User, annotator: User, teammate: User, cells: list[Cell]) -> Reading:
    return asked(study, reviewer, [annotator, teammate])


def both_read(cells: list[Cell], reading: Reading, annotator: User, teammate: User) -> None:
    """They agree on all but the first cell; the second has an Auer rod for one of them."""
    for place, each in enumerate(cells):
        name = "Monocyte" if place % 2 else "Myeloblast"
        say(each, annotator, *[name, "Auer rod"][: 2 if place == 1 else 1])
        say(each, teammate, "Lymphocyte" if place == 0 else name)
    for user in (annotator, teammate):
        finish(part(reading, user))


def form(study: Study, readers: list[User], **more: Any) -> dict[str, Any]:
    sent = {
        "name": "Second look",
        "group": list(LabelGroup.objects.filter(study=study).values_list("pk", flat=True)),
        "reader": [reader.pk for reader in readers],
        "each": "2",
        "by_all": "0",
        "number": "5",
        "blind": "on",
        "hides_model": "on",
    }
    return sent | more


# --- who may ---

# Address, method, body, and the status for an annotator who reads, one who does not, and a reviewer.
DOORS: dict[str, tuple[str, Any, int, int, int]] = {
    "readings": ("get", None, 200, 200, 200),
    "agreement": ("get", None, 200, 200, 200),
    "agreement-table": ("get", None, 200, 200, 200),
    "readings ": ("post", {}, 403, 403, 400),
    "reading": ("get", None, 200, 404, 404),
    "reading-done": ("post", {}, 302, 404, 404),
    "reading-end": ("post", {}, 403, 404, 302),
    "api-readings": ("get", None, 200, 200, 200),
    "api-readings ": ("post", {}, 403, 403, 400),
    "api-reading": ("get", None, 200, 404, 200),
    "api-reading-done": ("post", {}, 409, 404, 404),
    "api-reading-end": ("post", {}, 403, 404, 200),
    "api-agreement": ("get", None, 200, 200, 200),
    "api-disputes": ("get", None, 403, 403, 200),
    "api-adjudication": ("get", None, 403, 403, 200),
    "api-adjudication ": ("post", {}, 403, 403, 400),
}


@pytest.mark.parametrize("door", DOORS)
def test_who_may_open_what(
    door: str, study: Study, reading: Reading, cells: list[Cell], outsider: User, client_of: Any
) -> None:
    method, body, reads, does_not, reviews = DOORS[door]
    name = door.strip()
    kind = name.removeprefix("api-")
    key = reading.pk if kind.startswith("reading") and kind != "readings" else study.pk
    address = reverse(name, args=[cells[0].pk if kind == "adjudication" else key])
    if kind == "disputes":
        address += f"?group={LabelGroup.objects.filter(study=study).first().pk}"  # type: ignore[union-attr]
    stranger = User.objects.create_user("nora")
    study.memberships.create(user=stranger, role="annotator")
    Reader.objects.filter(user__username="rita").delete()
    users = {name: User.objects.get(username=name) for name in ("anna", "rita")}

    def status(client: Client) -> int:
        options = {"data": body, "content_type": "application/json"} if body is not None and "api" in name else {}
        return int(getattr(client, method)(address, **options).status_code)

    assert status(client_of(outsider)) == 404
    assert status(Client()) == (401 if name.startswith("api-") else 302)
    assert status(client_of(stranger)) == does_not
    assert status(client_of(users["anna"])) == reads
    assert status(client_of(users["rita"])) == reviews


def test_a_reading_of_another_study_is_not_there(
    study: Study, other_study: Study, reading: Reading, outsider: User, client_of: Any
) -> None:
    client = client_of(outsider)
    for address in (reverse("agreement", args=[other_study.pk]), reverse("api-agreement", args=[other_study.pk])):
        assert client.get(address, {"reading": reading.pk}).status_code == 404
        group = LabelGroup.objects.filter(study=study).first()
        assert client.get(address, {"group": group.pk if group else 0}).status_code == 404


def test_every_page_of_the_study_says_that_a_reading_waits(
    study: Study, reading: Reading, annotator: User, reviewer: User, client_of: Any
) -> None:
    for name in ("study", "scheme", "members"):
        address = reverse(name, args=[study.pk])
        assert "waiting for you" in client_of(annotator).get(address).content.decode()
        assert "waiting for you" not in client_of(reviewer).get(address).content.decode()


# --- asking ---


def test_a_reviewer_asks_for_a_reading_by_the_form(
    study: Study, cells: list[Cell], reviewer: User, annotator: User, teammate: User, client_of: Any
) -> None:
    client = client_of(reviewer)
    response = client.post(reverse("readings", args=[study.pk]), form(study, [annotator, teammate]), follow=True)
    assert "Second look is asked for" in response.content.decode()
    reading = Reading.objects.get()
    assert (reading.blind, reading.hides_model, reading.groups.count()) == (True, True, 2)
    assert [reader.cells.count() for reader in reading.readers.all()] == [5, 5]
    assert "Begin reading" in client_of(annotator).get(reverse("readings", args=[study.pk])).content.decode()
    picked = form(study, [annotator], each="1", cell=[str(cells[0].pk), "nonsense"], blind="")
    client.post(reverse("readings", args=[study.pk]), picked)
    second = Reading.objects.first()
    assert second is not None and not second.blind and not second.hides_model
    assert [row.cell for row in second.readers.get().cells.all()] == [cells[0]]


def test_a_form_that_cannot_be_comes_back_as_it_was_sent(
    study: Study, cells: list[Cell], reviewer: User, annotator: User, client_of: Any
) -> None:
    for more, sentence in (
        ({"each": "2"}, "A cell is read by 1 to 1 readers."),
        ({"number": "many"}, "The number of cells is a whole number."),
        ({"name": " ", "each": "1"}, "A reading needs a name."),
    ):
        sent = form(study, [annotator], note="Nuclei first") | more
        response = client_of(reviewer).post(reverse("readings", args=[study.pk]), sent)
        text = response.content.decode()
        assert response.status_code == 400
        assert sentence in text and 'value="Nuclei first"' in text
    assert not Reading.objects.exists()


def test_a_reading_is_asked_for_by_the_api(
    study: Study, cells: list[Cell], reviewer: User, annotator: User, teammate: User, client_of: Any
) -> None:
    body = {
        "name": "By API",
        "groups": list(study.label_groups.values_list("pk", flat=True)),
        "readers": [annotator.pk, teammate.pk],
        "by_all": 0.5,
        "number": 4,
    }
    address = reverse("api-readings", args=[study.pk])
    response = client_of(reviewer).post(address, body, content_type="application/json")
    assert response.status_code == 201
    assert [each["cells"] for each in response.json()["readers"]] == [3, 3]
    refused = client_of(reviewer).post(address, body | {"each": 9}, content_type="application/json")
    assert (refused.status_code, "1 to 2 readers" in refused.content.decode()) == (400, True)
    mine = client_of(annotator).get(address).json()["readings"]
    assert [each["name"] for each in mine] == ["By API"]
    detail = client_of(annotator).get(reverse("api-reading", args=[mine[0]["id"]])).json()
    assert [each["read"] for each in detail["mine"]] == [False] * 3


# --- reading ---


def test_reading_cell_by_cell_to_the_end(
    study: Study, reading: Reading, cells: list[Cell], annotator: User, client_of: Any
) -> None:
    client, address = client_of(annotator), reverse("reading", args=[reading.pk])
    cell_type, marks = LabelGroup.objects.filter(study=study)
    blast, rod = label_id(study, "Myeloblast"), label_id(study, "Auer rod")
    mine = part(reading, annotator)
    for place, row in enumerate(cells_to_read(mine)):
        page = client.get(address).content.decode()
        assert f"{place} of 6 read" in page and f'value="{row.place}"' in page
        sent = {"place": row.place, "version": row.cell.version, f"choice-{cell_type.pk}": blast, "confidence": "0.7"}
        if place == 0:
            sent["label"] = rod
        assert client.post(address, sent)["Location"] == f"{address}?after={row.place}"
    assert CellLabel.objects.filter(annotator=annotator, label=blast, confidence=0.7).count() == 6
    assert CellLabel.objects.filter(annotator=annotator, label=rod).count() == 1
    assert Operation.objects.filter(user=annotator, kind="label").count() == 6
    assert "All cells are read" in client.get(address).content.decode()
    # Back to one: what was said is there, and may be changed.
    again = cells_to_read(mine)[2]
    page = client.get(address, {"place": again.place}).content.decode()
    assert f'value="{blast}" data-key="1" checked' in page and 'value="0.7" checked' in page
    client.post(address, {"place": again.place, "version": again.cell.version})
    assert cells_to_read(mine)[2].labels == []
    done = client.post(reverse("reading-done", args=[reading.pk]), follow=True).content.decode()
    assert "You are done with Second look" in done
    assert client.get(address).status_code == 302
    assert marks.multiple


def test_labels_of_other_groups_and_texts_stay_and_foreign_ones_are_not_taken(
    study: Study, other_study: Study, reviewer: User, annotator: User, cells: list[Cell], client_of: Any
) -> None:
    remark = study.text_attributes.get(name="Remark").pk
    mono, rod = label_id(study, "Monocyte"), label_id(study, "Auer rod")
    say(cells[0], annotator, "Monocyte", confidence={mono: 0.4}, texts={remark: "Folded."})
    reading = asked(study, reviewer, [annotator], groups=["Characteristics"])
    row = cells_to_read(part(reading, annotator)).get(cell=cells[0])
    sent = {"place": row.place, "version": row.cell.version, "label": [rod, mono, label_id(other_study, "Auer rod")]}
    client_of(annotator).post(reverse("reading", args=[reading.pk]), sent | {"confidence": "1"})
    found = {row.label_id: row.confidence for row in CellLabel.objects.filter(cell=cells[0], annotator=annotator)}
    assert found == {mono: 0.4, rod: 1.0}
    assert cells[0].texts.get().text == "Folded."


def test_a_border_that_changed_meanwhile_is_shown_before_it_is_labelled(
    study: Study, reading: Reading, cells: list[Cell], annotator: User, reviewer: User, client_of: Any
) -> None:
    from tests.annotation.changes import LARGER, change, one

    row = cells_to_read(part(reading, annotator))[0]
    one(row.cell.image, reviewer, change("reshape", row.cell_id, row.cell.version, border=LARGER))
    response = client_of(annotator).post(
        reverse("reading", args=[reading.pk]), {"place": row.place, "version": row.cell.version}
    )
    assert "has changed since you opened it" in response.content.decode()
    assert cells_to_read(part(reading, annotator))[0].read_at is None


def test_the_page_of_a_cell_tells_a_blind_reader_nothing_of_the_others(
    study: Study, reading: Reading, cells: list[Cell], annotator: User, teammate: User, client_of: Any
) -> None:
    row = cells_to_read(part(reading, annotator))[0]
    say(row.cell, teammate, "Monocyte")
    client = client_of(annotator)
    page = client.get(reverse("reading", args=[reading.pk])).content.decode()
    assert "checked" not in page.split("reading-sure")[0].split("reading-labels", 1)[1]
    assert "theo" not in page
    told = client.get(reverse("api-agreement", args=[study.pk])).json()["groups"]
    assert [each["cells"] for each in told] == [0, 0]


# --- agreement ---


def test_the_agreement_of_a_reading(
    study: Study, reading: Reading, cells: list[Cell], reviewer: User, annotator: User, teammate: User, client_of: Any
) -> None:
    both_read(cells, reading, annotator, teammate)
    # What people say afterwards, knowing each other's word, changes nothing of it.
    say(cells[0], teammate, "Myeloblast")
    client = client_of(reviewer)
    content = client.get(reverse("api-agreement", args=[study.pk]), {"reading": reading.pk}).json()
    cell_type, marks = content["groups"]
    assert cell_type["categories"] == ["Myeloblast", "Monocyte", "Lymphocyte"]
    (pair,) = cell_type["pairs"]
    assert (pair["one"], pair["other"], pair["cells"]) == ("anna", "theo", 6)
    assert pair["table"] == [[2, 0, 1], [0, 3, 0], [0, 0, 0]]
    # Observed 5/6; by chance (3 * 2 + 3 * 3) / 36.
    assert pair["kappa"]["value"] == pytest.approx((5 / 6 - 15 / 36) / (1 - 15 / 36))
    assert pair["kappa"]["interval"][0] < pair["kappa"]["value"] <= pair["kappa"]["interval"][1]
    assert "substantial" in cell_type["sentence"]
    assert marks["categories"] == ["Auer rod", "None"]
    assert [each["label"] for each in marks["labels"]] == ["Auer rod"]
    assert marks["labels"][0]["pairs"][0]["table"] == [[5, 0], [1, 0]]
    now = client.get(reverse("api-agreement", args=[study.pk])).json()["groups"][0]
    assert now["pairs"][0]["percent"]["value"] == 1.0
    page = client.get(reverse("agreement", args=[study.pk]), {"reading": reading.pk}).content.decode()
    assert "anna and theo" in page and "substantial" in page and "0.71" in page


def test_the_tables_to_take_away(
    study: Study, reading: Reading, cells: list[Cell], annotator: User, teammate: User, client_of: Any
) -> None:
    both_read(cells, reading, annotator, teammate)
    client, address = client_of(annotator), reverse("agreement-table", args=[study.pk])
    figures = list(csv.DictReader(io.StringIO(client.get(address, {"reading": reading.pk}).content.decode())))
    kappa = next(row for row in figures if row["measure"] == "Cohen's kappa" and row["label"] == "")
    assert (kappa["group"], kappa["reader_1"], kappa["reader_2"], kappa["cells"]) == ("Cell type", "anna", "theo", "6")
    assert float(kappa["value"]) == pytest.approx(0.7143, abs=1e-4)
    asked_for = {"reading": reading.pk, "table": "confusion"}
    confusion = list(csv.DictReader(io.StringIO(client.get(address, asked_for).content.decode())))
    of_types = [row for row in confusion if row["group"] == "Cell type" and row["label"] == ""]
    assert sum(int(row["cells"]) for row in of_types) == 6
    assert ("Myeloblast", "Lymphocyte", "1") in [(r["said_by_1"], r["said_by_2"], r["cells"]) for r in of_types]


def test_pages_with_nothing_to_tell(study: Study, image: SmearImage, annotator: User, client_of: Any) -> None:
    client = client_of(annotator)
    assert (
        "No cell has been labelled by two people" in client.get(reverse("agreement", args=[study.pk])).content.decode()
    )
    assert "Nobody has asked you" in client.get(reverse("readings", args=[study.pk])).content.decode()
    assert client.get(reverse("agreement-table", args=[study.pk])).status_code == 200
