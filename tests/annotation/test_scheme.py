"""A study's label scheme: what studies begin with, and that changing it loses nothing that was labelled."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotation.exporting import export
from annotation.formats.records import LabelGroupRecord, PlacedRegion, Region
from annotation.imported_borders import LabelBook
from annotation.models import Cell, CellLabel, Label, LabelGroup, SmearImage, Study
from annotation.scheme import SCHEMES, give_scheme
from tests.annotation.changes import change, one
from tests.annotation.reading import decide

pytestmark = pytest.mark.django_db


def label(study: Study, name: str) -> Label:
    return Label.objects.get(group__study=study, name=name)


def group(study: Study, name: str = "Cell type") -> LabelGroup:
    return study.label_groups.get(name=name)


def table(study: Study, client: Client, **changed: Any) -> dict[str, Any]:
    """What the page of the scheme would send, with some fields changed; None takes a field out."""
    sent: dict[str, Any] = {"seen": client.get(reverse("scheme", args=[study.pk])).context["seen"], "groups": []}
    for each in study.label_groups.all():
        sent["groups"].append(each.pk)
        sent |= {
            f"group-name-{each.pk}": each.name,
            f"group-description-{each.pk}": each.description,
            f"group-multiple-{each.pk}": "many" if each.multiple else "one",
            f"group-aliases-{each.pk}": ", ".join(each.aliases),
            f"labels-{each.pk}": [row.pk for row in each.labels.offered()],
        }
        for row in each.labels.offered():
            sent |= {
                f"name-{row.pk}": row.name,
                f"description-{row.pk}": row.description,
                f"key-{row.pk}": row.key,
                f"colour-{row.pk}": row.colour,
                f"aliases-{row.pk}": ", ".join(row.aliases),
            }
            if row.counted:
                sent[f"counted-{row.pk}"] = "on"
    sent |= changed
    return {name: value for name, value in sent.items() if value is not None}


@pytest.fixture
def client(admin: User, client_of: Any) -> Client:
    return client_of(admin)


@pytest.fixture
def save(study: Study, client: Client) -> Any:
    """save(status=302, **changed): send the page with changes; the messages that follow."""

    def send(status: int = 302, **changed: Any) -> str:
        response = client.post(reverse("scheme", args=[study.pk]), table(study, client, **changed))
        assert response.status_code == status
        page = response if status != 302 else client.get(response["Location"])
        return " ".join(str(message) for message in page.context["messages"])

    return send


def choose(cell: Cell, user: User, *labels: Label) -> None:
    cell.refresh_from_db()
    one(cell.image, user, change("label", cell.pk, cell.version, labels=[each.pk for each in labels]))


# --- what studies begin with ---


@pytest.mark.parametrize("key", SCHEMES)
def test_shipped_schemes_say_what_to_look_for_and_clash_nowhere(db: Any, key: str):
    study = Study.objects.create(name="New")
    give_scheme(study, key)
    labels = list(Label.objects.filter(group__study=study))
    assert all(len(each.description) > 30 for each in labels)
    assert len({each.name for each in labels}) == len({each.colour for each in labels}) == len(labels)
    keys = [each.key for each in labels if each.key]
    assert len(set(keys)) == len(keys) and set(keys) <= set("0123456789")
    uncounted = {each.name for each in labels if not each.counted}
    nameless = {"Unidentified"} if key == "paper" else {"Artefact", "Smudge cell", "Not identifiable"}
    assert uncounted == {*nameless, "Exclude from count"}
    assert {"Promyelocyte", "Auer rod", "Faggot cell"} <= {each.name for each in labels}


def test_a_study_is_made_with_the_scheme_that_was_chosen(db: Any, client_of: Any):
    client = client_of(User.objects.create_superuser("root", password="smear-and-stain-1"))
    assert "21 classes of the bone marrow" in client.get("/").content.decode()
    client.post("/", {"name": "Munich", "um_per_pixel": "", "scheme": "marrow"})
    assert group(Study.objects.get(name="Munich")).labels.count() == 21
    client.post("/", {"name": "Dresden", "um_per_pixel": ""})
    assert group(Study.objects.get(name="Dresden")).labels.filter(name="Myeloblast").exists()
    assert client.post("/", {"name": "Nowhere", "scheme": "none"}).status_code == 400
    assert not Study.objects.filter(name="Nowhere").exists()


# --- who may ---


def test_members_read_the_scheme_and_admins_change_it(
    study: Study, annotator: User, reviewer: User, outsider: User, client_of: Any, client: Client
):
    address = reverse("scheme", args=[study.pk])
    sent = table(study, client, **{f"name-{label(study, 'Myelocyte').pk}": "Changed"})
    for user in (annotator, reviewer):
        page = client_of(user).get(address)
        assert page.status_code == 200 and "the nucleus fills for the most part" in page.content.decode()
        assert "<input" not in page.content.decode().split('id="main"')[1].split("<footer")[0]
        assert client_of(user).post(address, sent).status_code == 403
    for answer in (client_of(outsider).get(address), client_of(outsider).post(address, sent)):
        assert answer.status_code == 404 and study.name not in answer.content.decode()
    assert Client().get(address)["Location"] == f"/sign-in/?next={address}"
    assert Client().post(address, sent)["Location"] == f"/sign-in/?next={address}"
    assert label(study, "Myelocyte")


def test_labels_of_another_study_are_out_of_reach(study: Study, other_study: Study, save: Any):
    foreign = label(other_study, "Myelocyte")
    before = list(Label.objects.filter(group__study=other_study).values())
    assert "no such label" in save(400, action=f"delete:{foreign.pk}")
    own = group(study)
    save(
        groups=[own.pk, group(other_study).pk],
        **{f"labels-{own.pk}": [foreign.pk], f"name-{foreign.pk}": "Taken", f"key-{foreign.pk}": "7"},
    )
    assert list(Label.objects.filter(group__study=other_study).values()) == before


# --- changing it ---


def test_a_label_is_renamed_described_coloured_keyed_and_uncounted(study: Study, save: Any):
    one = label(study, "Metamyelocyte")
    changed = {
        f"name-{one.pk}": " Meta  myelocyte ",
        f"description-{one.pk}": "Kidney-shaped.",
        f"colour-{one.pk}": "#ABCDEF",
        f"key-{one.pk}": "",
        f"counted-{one.pk}": None,
        f"aliases-{one.pk}": "MMZ, juvenile",
    }
    assert "saved" in save(**changed)
    one.refresh_from_db()
    assert (one.name, one.description, one.colour) == ("Meta myelocyte", "Kidney-shaped.", "#abcdef")
    assert not one.counted and one.aliases == ["MMZ", "juvenile", "Metamyelocyte"]


def test_what_a_label_stands_for_is_chosen_or_left_to_its_name(study: Study, save: Any):
    one = label(study, "Metamyelocyte")
    assert "saved" in save(**{f"role-{one.pk}": "promyelocyte"})
    one.refresh_from_db()
    assert one.stands_for == "promyelocyte"
    # A page that knows no such field changes nothing.
    assert "saved" in save(**{f"key-{one.pk}": ""})
    one.refresh_from_db()
    assert one.role == "promyelocyte"
    assert "stands for nothing that is called" in save(status=400, **{f"role-{one.pk}": "king"})
    assert "saved" in save(**{f"role-{one.pk}": ""})
    one.refresh_from_db()
    assert one.stands_for == "other"


def test_labels_and_groups_are_added(study: Study, save: Any):
    save(**{f"new-label-{group(study).pk}": "Mast cell", "new-group": "Quality", "new-group-multiple": "many"})
    new = label(study, "Mast cell")
    assert new.order == group(study).labels.count() - 1
    assert new.colour not in {each.colour for each in group(study).labels.exclude(pk=new.pk)}
    assert group(study, "Quality").multiple
    assert "deleted" in save(action=f"delete-group:{group(study, 'Quality').pk}")
    assert "still has labels" in save(400, action=f"delete-group:{group(study).pk}")


def test_the_order_follows_the_rows_and_the_buttons(study: Study, save: Any):
    own = group(study)
    names = list(own.labels.values_list("name", flat=True))
    rows = [each.pk for each in own.labels.all()]
    save(**{f"labels-{own.pk}": [rows[-1], *rows[:-1]]})
    assert list(own.labels.values_list("name", flat=True)) == [names[-1], *names[:-1]]
    save(action=f"down:{rows[-1]}")
    assert list(own.labels.values_list("name", flat=True))[:2] == [names[0], names[-1]]
    save(action=f"group-down:{own.pk}")
    assert [each.name for each in study.label_groups.all()] == ["Characteristics", "Cell type"]


def test_two_labels_exchange_their_names(study: Study, save: Any):
    one, two = label(study, "Monocyte"), label(study, "Lymphocyte")
    save(**{f"name-{one.pk}": "Lymphocyte", f"name-{two.pk}": "Monocyte"})
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.name, two.name) == ("Lymphocyte", "Monocyte")
    # Each is found by the name it has now, not by the one it had.
    assert one.aliases == two.aliases == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name-{a}": ""}, "needs a name"),
        ({"name-{a}": "monocyte"}, "Two labels of Cell type are called monocyte"),
        ({"name-{a}": "x" * 101}, "more than 100 characters"),
        ({"key-{a}": "1"}, "The key 1 is given to Myeloblast and Myelocyte"),
        ({"key-{a}": "x"}, "a key is a digit"),
        ({"colour-{a}": "red"}, "such as #4477aa"),
        ({"description-{a}": "x" * 2001}, "more than 2,000 characters"),
        ({"aliases-{a}": "LY", "aliases-{b}": "ly"}, "are both also called ly"),
        ({"group-name-{g}": "Characteristics"}, "Two groups are called Characteristics"),
    ],
)
def test_what_cannot_be_kept_is_said_and_comes_back_as_typed(
    study: Study, client: Client, changed: dict[str, str], said: str
):
    ids = {"a": label(study, "Myelocyte").pk, "b": label(study, "Monocyte").pk, "g": group(study).pk}
    sent = {name.format(**ids): value for name, value in changed.items()} | {"new-group": "Not lost"}
    before = list(Label.objects.values()), list(LabelGroup.objects.values())
    page = client.post(reverse("scheme", args=[study.pk]), table(study, client, **sent))
    assert page.status_code == 400 and said in " ".join(str(each) for each in page.context["messages"])
    assert (list(Label.objects.values()), list(LabelGroup.objects.values())) == before
    assert 'value="Not lost"' in page.content.decode()
    if "name-{a}" in changed and changed["name-{a}"]:
        assert f'value="{changed["name-{a}"]}"' in page.content.decode()


def test_two_admins_do_not_overwrite_each_other_unseen(study: Study, client: Client):
    one = label(study, "Myelocyte")
    address, first = reverse("scheme", args=[study.pk]), table(study, client, **{"new-group": "Mine"})
    Label.objects.filter(pk=one.pk).update(name="Theirs")
    page = client.post(address, first)
    assert page.status_code == 409 and "Somebody else has changed this scheme" in page.content.decode()
    assert label(study, "Theirs") and not study.label_groups.filter(name="Mine").exists()
    # Who saves again has been told.
    assert client.post(address, first | {"seen": page.context["seen"]}).status_code == 302
    assert label(study, "Myelocyte") and group(study, "Mine")


# --- what was labelled stays ---


def test_a_label_with_votes_is_retired_and_never_deleted(study: Study, drawn: Cell, annotator: User, save: Any):
    blast = label(study, "Myeloblast")
    choose(drawn, annotator, blast)
    assert "can be retired, not deleted" in save(400, action=f"delete:{blast.pk}")
    # Also where nobody says so any more: the history does.
    choose(drawn, annotator)
    assert "can be retired, not deleted" in save(400, action=f"delete:{blast.pk}")
    assert "Mast cell" in save(**{f"new-label-{group(study).pk}": "Mast cell"}) or label(study, "Mast cell")
    assert "is deleted" in save(action=f"delete:{label(study, 'Mast cell').pk}")
    assert not Label.objects.filter(name="Mast cell").exists()


def test_a_label_that_only_a_reviewer_decided_on_is_never_deleted(
    study: Study, drawn: Cell, reviewer: User, save: Any
) -> None:
    decide(drawn, reviewer, "Cell type", ["Eosinophil"])
    decide(drawn, reviewer, "Cell type", None)
    eosinophil = Label.objects.get(group__study=study, name="Eosinophil")
    assert "can be retired, not deleted" in save(400, action=f"delete:{eosinophil.pk}")


def test_a_retired_label_stays_on_its_cells_in_exports_and_comes_back(
    study: Study, image: SmearImage, drawn: Cell, annotator: User, save: Any, client: Client, tmp_path: Any
):
    blast = label(study, "Myeloblast")
    choose(drawn, annotator, blast)
    assert "offered no more" in save(action=f"retire:{blast.pk}")
    blast.refresh_from_db()
    assert blast.retired and blast.key == "" and blast not in Label.objects.offered()
    assert CellLabel.objects.get(cell=drawn).label == blast
    export(study, "csv", tmp_path / "out.csv")
    assert "Myeloblast" in (tmp_path / "out.csv").read_text()
    export(study, "via", tmp_path / "out.json")
    attributes = json.loads((tmp_path / "out.json").read_text())["_via_attributes"]["region"]
    assert "Myeloblast" in attributes["cell_type"]["options"].values()
    # The editor knows it, to show it on the cell, and as retired.
    setup = client.get(f"/images/{image.pk}/").context["setup"]
    assert [(each["name"], each["retired"]) for each in setup["groups"][0]["labels"] if each["id"] == blast.pk] == [
        ("Myeloblast", True)
    ]
    # Saving the page, which holds no row of it, leaves it where it is.
    save(**{f"key-{label(study, 'Metamyelocyte').pk}": "1"})
    assert CellLabel.objects.get(cell=drawn).label == blast
    assert "offered again" in save(action=f"restore:{blast.pk}")
    blast.refresh_from_db()
    assert not blast.retired


def test_labels_survive_a_new_name_and_another_order(study: Study, drawn: Cell, annotator: User, save: Any):
    blast = label(study, "Myeloblast")
    choose(drawn, annotator, blast)
    rows = [each.pk for each in group(study).labels.all()]
    save(**{f"name-{blast.pk}": "Blast", f"labels-{group(study).pk}": rows[::-1]})
    assert CellLabel.objects.get(cell=drawn).label.name == "Blast"


def test_many_choices_become_one_only_where_no_cell_holds_several(
    study: Study, drawn: Cell, annotator: User, teammate: User, save: Any
):
    marks = group(study, "Characteristics")
    auer, faggot = label(study, "Auer rod"), label(study, "Faggot cell")
    choose(drawn, annotator, auer, faggot)
    said = save(400, **{f"group-multiple-{marks.pk}": "one"})
    assert "Characteristics stays a group of any number of choices: 1 cell holds several" in said
    marks.refresh_from_db()
    assert marks.multiple
    # Two people who chose one each hold nothing against it.
    choose(drawn, annotator, auer)
    choose(drawn, teammate, faggot)
    save(**{f"group-multiple-{marks.pk}": "one"})
    marks.refresh_from_db()
    assert not marks.multiple


# --- imports ---


def region(*labels: tuple[str, str], classes: tuple[str, ...] = ()) -> PlacedRegion:
    return PlacedRegion({}, False, "", Region("Region 1", {}, classes, labels=labels))


def test_a_via_attribute_and_its_options_are_mapped_by_further_names(study: Study, save: Any):
    blast = label(study, "Myeloblast")
    save(**{f"group-aliases-{group(study).pk}": "kind of cell", f"aliases-{blast.pk}": "BL, blast cell"})
    book = LabelBook(study, [LabelGroupRecord("kind_of_cell", False, ("BL", "foo"))])
    assert book.of(region(("kind_of_cell", "BL"))) == [blast]
    assert book.of(region(("kind_of_cell", "blast_cell"))) == [blast]
    assert book.of(region(classes=("bl",))) == [blast]


def test_an_export_from_before_a_renaming_finds_the_label(study: Study, save: Any):
    blast = label(study, "Myeloblast")
    save(**{f"name-{blast.pk}": "Blast", f"group-name-{group(study).pk}": "Kind"})
    before = Label.objects.filter(group__study=study).count()
    book = LabelBook(study, [LabelGroupRecord("Cell type", False, ("Myeloblast", "Monocyte"), own=True)])
    assert book.of(region(("Cell type", "Myeloblast"))) == [blast]
    assert (Label.objects.filter(group__study=study).count(), study.label_groups.count()) == (before, 2)


def test_a_new_label_of_an_old_name_counts_before_the_renamed_one(study: Study, save: Any):
    blast = label(study, "Myeloblast")
    save(**{f"name-{blast.pk}": "Blast"})
    save(**{f"new-label-{group(study).pk}": "Myeloblast"})
    new = label(study, "Myeloblast")
    assert new.pk != blast.pk and LabelBook(study).of(region(("Cell type", "Myeloblast"))) == [new]


def test_an_operation_may_still_name_a_retired_label(study: Study, drawn: Cell, annotator: User, save: Any):
    # What somebody chose in an editor that was open meanwhile is not lost.
    save(action=f"retire:{label(study, 'Monocyte').pk}")
    choose(drawn, annotator, label(study, "Monocyte"))
    assert CellLabel.objects.get(cell=drawn).label.name == "Monocyte"
