"""Which of a study's finished images a round learns from."""

from typing import Any

import pytest

from annotation.models import Cell, CellLabel, Label, Study
from training.classifier_freeze import freeze_labelled
from training.classifier_target import Target
from training.freeze import RoundRefused, freeze
from training.selection import Selection, SelectionError

pytestmark = pytest.mark.django_db


@pytest.fixture
def images(study: Study, make_annotated: Any, annotator: Any) -> dict[str, Any]:
    """Of patients A (annotated, reviewed) and B (reviewed), and one without; A's first and the one without hold a
    myeloblast."""
    made = {
        "a1": make_annotated(study, 1, patient="A"),
        "a2": make_annotated(study, 2, patient="A", state="reviewed"),
        "b": make_annotated(study, 3, patient="B", state="reviewed"),
        "none": make_annotated(study, 4),
        "open": make_annotated(study, 5, patient="A", state="in_progress"),
    }
    blast = Label.objects.get(group__study=study, name="Myeloblast")
    for name in ("a1", "none", "open"):
        CellLabel.objects.create(cell=made[name].cells.first(), label=blast, annotator=annotator)
    return made


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), {"a1", "a2", "b", "none"}),
        (Selection("reviewed"), {"a2", "b"}),
        (Selection("annotated"), {"a1", "none"}),
        (Selection(patients=("A",)), {"a1", "a2"}),
        (Selection("reviewed", ("A", "B")), {"a2", "b"}),
        (Selection(labels=("Myeloblast",)), {"a1", "none"}),
        (Selection(labels=("Myeloblast", "Promyelocyte"), patients=("A",)), {"a1"}),
    ],
)
def test_a_snapshot_holds_what_was_selected(
    study: Study, images: dict[str, Any], selection: Selection, expected: set[str]
) -> None:
    frozen = freeze(study, selection)
    assert {image["sha256"] for image in frozen.manifest["images"]} == {images[name].sha256 for name in expected}


def test_the_label_of_a_deleted_cell_or_a_region_selects_nothing(study: Study, images: dict[str, Any]) -> None:
    images["a1"].cells.filter(labels__isnull=False).update(status=Cell.Status.DELETED)
    images["none"].cells.filter(labels__isnull=False).update(ignored=True)
    with pytest.raises(RoundRefused, match="has none of what was selected"):
        freeze(study, Selection(labels=("Myeloblast",)))


def test_what_the_study_does_not_have_is_named(study: Study, other_study: Study, make_annotated: Any) -> None:
    make_annotated(study, 1)
    make_annotated(other_study, 2, patient="Elsewhere")
    with pytest.raises(RoundRefused, match="has no patient 'Elsewhere'"):
        freeze(study, Selection(patients=("Elsewhere",)))
    with pytest.raises(RoundRefused, match="has no label 'Unicorn'"):
        freeze(study, Selection(labels=("Unicorn",)))


def test_selecting_costs_few_queries_whatever_the_size(
    study: Study, images: dict[str, Any], make_annotated: Any, django_assert_max_num_queries: Any
) -> None:
    selection = Selection("finished", ("A", "B"), ("Myeloblast",))
    # A savepoint, and its release, come on top of the seventeen that freeze() names.
    with django_assert_max_num_queries(17 + 2) as few:
        freeze(study, selection)
    for seed in range(10, 16):
        make_annotated(study, seed, patient="A")
    with django_assert_max_num_queries(len(few)):
        freeze(study, selection)


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(), "all annotated and reviewed images"),
        (Selection("reviewed"), "reviewed images"),
        (Selection("annotated"), "annotated and not yet reviewed images"),
        (Selection(patients=("B", "A")), "finished images of the patients A and B"),
        (
            Selection("reviewed", ("A",), ("Myeloblast", "Auer rod")),
            "reviewed images of the patient A that hold a cell labelled Auer rod or Myeloblast",
        ),
        (
            Selection(patients=tuple("ABCDEFGH")),
            "finished images of the patients A, B, C, D, E and 3 more",
        ),
    ],
)
def test_it_is_said_in_words(selection: Selection, words: str) -> None:
    assert selection.words == words


def test_it_comes_back_from_json_and_order_does_not_matter() -> None:
    selection = Selection("reviewed", ("B", "A", "A"), (" Myeloblast ",))
    assert Selection.of(selection.as_json()) == selection == Selection("reviewed", ("A", "B"), ("Myeloblast",))
    assert Selection().as_json() == {} and Selection.of({}) == Selection.of(None) == Selection()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"state": "new"}, "by the state"),
        ({"state": 3}, "is a word"),
        ({"patients": "A"}, "list of names"),
        ({"labels": [1]}, "list of names"),
        ({"images": []}, "not 'images'"),
        ([], "is an object"),
    ],
)
def test_what_makes_no_sense_is_refused(content: Any, reason: str) -> None:
    with pytest.raises(SelectionError, match=reason):
        Selection.of(content)


def test_a_detector_never_learns_from_pictures_of_single_cells(study: Study, images: dict[str, Any]) -> None:
    crop = images["a1"]
    type(crop).objects.filter(pk=crop.pk).update(single_cell=True, sample="random")
    fields = freeze(study)
    assert {image["sha256"] for image in fields.manifest["images"]} == {
        images[name].sha256 for name in ("a2", "b", "none")
    }
    labelled = freeze_labelled(study, Target("Cell type")).manifest["images"]
    # A round's page names images to all members; the file of a single cell may say what it is.
    assert [image["names"] for image in labelled if image["sha256"] == crop.sha256] == [[]]
    with pytest.raises(RoundRefused, match="pictures of single cells"):
        freeze(study, Selection(labels=("Myeloblast",), patients=("A",), state="annotated"))
