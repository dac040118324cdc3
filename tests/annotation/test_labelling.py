"""What an annotator says about a cell: labels, how sure they are, and texts; whose word is shown and kept."""

import uuid
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User

from annotation.label_choice import choices_of, choices_on
from annotation.models import Cell, CellLabel, CellText, Label, Operation, SmearImage, Study, TextAttribute
from annotation.operations import MAX_TEXT, Change, apply
from tests.annotation.changes import change, one

pytestmark = pytest.mark.django_db


@pytest.fixture
def ids(study: Study) -> dict[str, int]:
    return dict(Label.objects.filter(group__study=study).values_list("name", "pk"))


@pytest.fixture
def remark(study: Study) -> int:
    return TextAttribute.objects.get(study=study, name="Remark").pk


def test_labels_are_the_whole_choice_of_an_annotator(
    image: SmearImage, annotator: User, teammate: User, drawn: Cell, ids: dict[str, int]
) -> None:
    one(image, annotator, change("label", drawn.pk, 1, labels=[ids["Promyelocyte"], ids["Auer rod"]]))
    assert choices_of({drawn.pk}, annotator.pk)[drawn.pk].labels == [ids["Promyelocyte"], ids["Auer rod"]]
    one(image, teammate, change("label", drawn.pk, 2, labels=[ids["Myeloblast"]]))
    assert choices_of({drawn.pk}, annotator.pk)[drawn.pk].labels == [ids["Promyelocyte"], ids["Auer rod"]]
    assert choices_of({drawn.pk}, teammate.pk)[drawn.pk].labels == [ids["Myeloblast"]]
    assert choices_of({drawn.pk}, None)[drawn.pk].labels == [ids["Myeloblast"]]
    one(image, teammate, change("label", drawn.pk, 3, labels=[]))
    assert choices_of({drawn.pk}, None)[drawn.pk].labels == [ids["Promyelocyte"], ids["Auer rod"]]


def test_an_annotators_choice_takes_the_place_of_an_imported_label(
    image: SmearImage, annotator: User, drawn: Cell
) -> None:
    labels = {label.name: label for label in Label.objects.filter(group__study=image.study)}
    CellLabel.objects.create(cell=drawn, label=labels["Myeloblast"])
    assert choices_of({drawn.pk}, annotator.pk)[drawn.pk].labels == [labels["Myeloblast"].pk]
    one(image, annotator, change("label", drawn.pk, 1, labels=[]))
    assert choices_of({drawn.pk}, annotator.pk) == {}


def test_labels_that_cannot_be_are_refused(
    image: SmearImage, annotator: User, drawn: Cell, other_study: Study, ids: dict[str, int]
) -> None:
    foreign = Label.objects.filter(group__study=other_study).values_list("pk", flat=True)[0]
    for labels in ([ids["Myeloblast"], ids["Promyelocyte"]], [foreign], [10**9], None):
        assert one(image, annotator, change("label", drawn.pk, 1, labels=labels)).status == "refused"
    assert not CellLabel.objects.exists()


def test_a_choice_has_confidence_and_texts(
    image: SmearImage, annotator: User, drawn: Cell, ids: dict[str, int], remark: int
) -> None:
    labels = [ids["Myeloblast"], ids["Auer rod"]]
    asked = change("label", drawn.pk, 1, labels=labels, confidence={labels[0]: 0.6}, texts={remark: "Two nucleoli."})
    outcome = apply(image.pk, annotator, [asked])
    assert outcome.results[0].status == "applied"
    choice = outcome.choices[drawn.pk]
    assert (choice.labels, choice.confidence, choice.texts) == (labels, {labels[0]: 0.6}, {remark: "Two nucleoli."})
    payload = Operation.objects.get(pk=asked.id).payload
    assert payload["confidence"] == {str(labels[0]): 0.6}
    assert payload["texts"] == {str(remark): "Two nucleoli."}


def test_what_is_not_given_again_is_taken_off(
    image: SmearImage, annotator: User, drawn: Cell, ids: dict[str, int], remark: int
) -> None:
    label = ids["Myeloblast"]
    one(image, annotator, change("label", drawn.pk, 1, labels=[label], confidence={label: 1}, texts={remark: "x"}))
    one(image, annotator, change("label", drawn.pk, 2, labels=[label], texts={remark: ""}))
    choice = choices_of({drawn.pk}, annotator.pk)[drawn.pk]
    assert (choice.labels, choice.confidence, choice.texts) == ([label], {}, {})
    assert not CellText.objects.exists()
    # The history keeps what was there.
    told = apps.get_model("annotation", "CellTextEvent").objects.order_by("pgh_id").values_list("pgh_label", "text")
    assert list(told) == [("insert", "x"), ("delete", "x")]
    sure = apps.get_model("annotation", "CellLabelEvent").objects.filter(pgh_label="insert").order_by("pgh_id")
    assert list(sure.values_list("confidence", flat=True)) == [1, None]


@pytest.mark.parametrize("confidence", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_confidence_lies_between_0_and_1(
    image: SmearImage, annotator: User, drawn: Cell, ids: dict[str, int], confidence: float
) -> None:
    label = ids["Myeloblast"]
    result = one(image, annotator, change("label", drawn.pk, 1, labels=[label], confidence={label: confidence}))
    assert (result.status, result.reason) == ("refused", "A confidence lies between 0 and 1.")
    assert not CellLabel.objects.exists()


def test_a_confidence_of_a_label_that_is_not_chosen_is_refused(
    image: SmearImage, annotator: User, drawn: Cell, ids: dict[str, int]
) -> None:
    asked = change("label", drawn.pk, 1, labels=[ids["Myeloblast"]], confidence={ids["Auer rod"]: 0.5})
    assert one(image, annotator, asked).status == "refused"


@pytest.mark.parametrize("text", ["a" * (MAX_TEXT + 1), "a\x00b", "half \ud83d of a pair"])
def test_a_text_that_cannot_be_kept_is_refused(
    image: SmearImage, annotator: User, drawn: Cell, remark: int, text: str
) -> None:
    result = one(image, annotator, change("label", drawn.pk, 1, labels=[], texts={remark: text}))
    assert result.status == "refused" and result.reason.endswith(".")
    assert one(image, annotator, change("label", drawn.pk, 1, labels=[], texts={remark: "a" * MAX_TEXT})).status == (
        "applied"
    )


def test_a_text_attribute_of_another_study_is_refused(
    image: SmearImage, annotator: User, drawn: Cell, other_study: Study
) -> None:
    foreign = TextAttribute.objects.get(study=other_study).pk
    for attribute in (foreign, 10**9):
        asked = change("label", drawn.pk, 1, labels=[], texts={attribute: "x"})
        assert one(image, annotator, asked).reason == "There is no such text attribute in this study."


def test_texts_and_confidence_are_those_of_whose_labels_are_shown(
    image: SmearImage, annotator: User, teammate: User, drawn: Cell, ids: dict[str, int], remark: int
) -> None:
    mine, theirs = ids["Myeloblast"], ids["Promyelocyte"]
    one(image, annotator, change("label", drawn.pk, 1, labels=[mine], confidence={mine: 0.4}, texts={remark: "mine"}))
    one(image, teammate, change("label", drawn.pk, 2, labels=[theirs], texts={remark: "theirs"}))
    own = choices_on(image, annotator.pk)[drawn.pk]
    assert (own.labels, own.confidence, own.texts) == ([mine], {mine: 0.4}, {remark: "mine"})
    for viewer in (teammate.pk, None):
        last = choices_of({drawn.pk}, viewer)[drawn.pk]
        assert (last.labels, last.confidence, last.texts) == ([theirs], {}, {remark: "theirs"})


def test_who_only_writes_has_spoken_too(
    image: SmearImage, annotator: User, teammate: User, drawn: Cell, ids: dict[str, int], remark: int
) -> None:
    one(image, annotator, change("label", drawn.pk, 1, labels=[ids["Myeloblast"]]))
    one(image, teammate, change("label", drawn.pk, 2, labels=[], texts={remark: "No cell at all?"}))
    assert choices_of({drawn.pk}, None)[drawn.pk].labels == []
    one(image, teammate, change("label", drawn.pk, 3, labels=[]))
    assert choices_of({drawn.pk}, None)[drawn.pk].labels == [ids["Myeloblast"]]


def test_an_operation_from_before_confidence_and_texts_keeps_its_digest() -> None:
    cell = uuid.UUID(int=1)
    plain = Change(id=uuid.UUID(int=2), kind="label", cell=cell, version=1, labels=[3])
    # As the release before wrote it into the operations that are in the databases now.
    assert plain.digest() == "7a9541d8e37b9d1d"
    told = [plain, *(Change(uuid.UUID(int=2), "label", cell, 1, labels=[3], **more) for more in VARIANTS)]
    assert len({asked.digest() for asked in told}) == len(told)


VARIANTS: list[dict[str, Any]] = [
    {"confidence": {}},
    {"texts": {}},
    {"confidence": {3: 0.5}},
    {"texts": {3: "a"}},
    {"texts": {3: "b"}},
]


def test_a_replay_with_confidence_and_texts_changes_nothing(
    image: SmearImage, annotator: User, drawn: Cell, ids: dict[str, int], remark: int
) -> None:
    label = ids["Myeloblast"]
    asked = change("label", drawn.pk, 1, labels=[label], confidence={label: 0.5}, texts={remark: "x"})
    assert [one(image, annotator, asked).status for _ in range(2)] == ["applied", "replayed"]
    other = Change(asked.id, "label", drawn.pk, 1, labels=[label], confidence={label: 0.6}, texts={remark: "x"})
    assert one(image, annotator, other).status == "refused"


def post(client: Any, image: SmearImage, cell: Cell, **more: Any) -> Any:
    operation = {"id": str(uuid.uuid4()), "kind": "label", "cell": str(cell.pk), "version": 1, **more}
    body = {"operations": [operation]}
    return client.post(f"/api/v1/images/{image.pk}/operations/", body, content_type="application/json")


def test_the_api_takes_and_gives_them_by_id(
    image: SmearImage, annotator: User, drawn: Cell, ids: dict[str, int], remark: int, client_of: Any
) -> None:
    client, label = client_of(annotator), ids["Myeloblast"]
    response = post(client, image, drawn, labels=[label], confidence={str(label): 0.5}, texts={str(remark): "Ünklar"})
    assert response.status_code == 200
    given = response.json()["results"][0]["cell"]
    assert (given["labels"], given["confidence"], given["texts"]) == (
        [label],
        {str(label): 0.5},
        {str(remark): "Ünklar"},
    )
    assert client.get(f"/api/v1/images/{image.pk}/").json()["cells"] == [given]
    assert client.get(f"/api/v1/studies/{image.study_id}/").json()["texts"] == [{"id": remark, "name": "Remark"}]


@pytest.mark.parametrize(
    "more",
    [
        {"labels": [True]},
        {"labels": ["3"]},
        {"labels": [2**63]},
        {"labels": [], "confidence": [0.5]},
        {"labels": [], "confidence": {"x": 0.5}},
        {"labels": [], "confidence": {"1": "0.5"}},
        {"labels": [], "confidence": {"1": True}},
        {"labels": [], "texts": {"1": 5}},
        {"labels": [], "texts": {"9" * 30: "a"}},
        {"labels": [], "texts": "a"},
        {"version": "1"},
        {"version": 2**31},
        {"id": 5},
        {"status": "gone"},
    ],
)
def test_what_is_malformed_is_400_and_says_where(
    more: Any, image: SmearImage, annotator: User, drawn: Cell, client_of: Any
) -> None:
    response = post(client_of(annotator), image, drawn, **more)
    assert response.status_code == 400
    (sentence,) = response.json()["operations"]
    assert sentence.startswith("Operation 1: ") and sentence.endswith(".")
