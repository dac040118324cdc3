"""`manage.py classify`: every cell of a study and every label that its classifiers tell, as a table."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from annotation.models import Cell, ProposalRun, Study
from inference import classification
from inference.models import CellFeatures, CellProbability
from tests.labelled_cells import BLUE, RED
from tests.training.coloured_cells import MeanColour
from training.classifier_target import Target
from training.models import Bundle

pytestmark = pytest.mark.django_db
Fields = Callable[..., list[Cell]]


@pytest.fixture(autouse=True)
def sees_colours(monkeypatch: pytest.MonkeyPatch, mean_colour: MeanColour) -> None:
    """What sees cells here is quick."""
    quick = classification.classify
    monkeypatch.setattr(
        "inference.management.commands.classify.classify",
        lambda study, bundles, tell: quick(study, bundles, tell, mean_colour),
    )


def classified(study: Study, out: Path, *more: str) -> tuple[dict[str, Any], list[dict[str, str]]]:
    said = io.StringIO()
    call_command("classify", "--study", study.name, "--out", str(out), *more, stdout=said, stderr=io.StringIO())
    with out.open(newline="", encoding="utf-8") as file:
        return json.loads(said.getvalue()), list(csv.DictReader(file))


def test_every_cell_gets_a_row_for_each_label(
    study: Study, make_field: Fields, make_classifier: Any, tmp_path: Path
) -> None:
    bundle = make_classifier(study, Target("Cell type"))
    red, blue = make_field(study, "P1", [RED, BLUE])
    said, rows = classified(study, tmp_path / "out.csv")
    assert said["bundles"] == [bundle.pk] and (said["cells"], said["rows"]) == (2, 4)
    assert list(rows[0]) == ["image", "cell", "x", "y", "label", "probability"]
    found = {(row["cell"], row["label"]): float(row["probability"]) for row in rows}
    assert found[str(red.pk), "Promyelocyte"] > 0.5 > found[str(blue.pk), "Promyelocyte"]
    assert found[str(blue.pk), "Myeloblast"] > 0.5
    assert {(row["image"], row["x"], row["y"]) for row in rows if row["cell"] == str(red.pk)} == {
        ("P1/field-0.png", "20.0", "20.0")
    }
    assert not CellProbability.objects.exists()


def test_shown_proposals_are_classified_and_hidden_deleted_and_ignored_cells_are_not(
    study: Study, make_field: Fields, make_classifier: Any, tmp_path: Path
) -> None:
    make_classifier(study, Target("Cell type", "Promyelocyte"))
    kept, shown, hidden, deleted, ignored = make_field(study, "P1", [RED] * 5, state="proposed")
    run = ProposalRun.objects.create(study=study, bundle="x", score_threshold=0.5)
    for cell, score in ((shown, 0.9), (hidden, 0.1)):
        Cell.objects.filter(pk=cell.pk).update(
            status="proposed", origin="proposal", run=run, score=score, proposed_border=cell.border
        )
    Cell.objects.filter(pk=deleted.pk).update(status="deleted")
    Cell.objects.filter(pk=ignored.pk).update(ignored=True)
    _, rows = classified(study, tmp_path / "out.csv")
    assert {row["cell"] for row in rows} == {str(kept.pk), str(shown.pk)}
    assert {row["label"] for row in rows} == {"Promyelocyte"}


def test_classifiers_of_several_labels_are_asked_together_and_the_one_of_a_label_alone_is_believed(
    study: Study, make_field: Fields, make_classifier: Any, tmp_path: Path
) -> None:
    group = make_classifier(study, Target("Cell type"))
    alone = make_classifier(study, Target("Cell type", "Promyelocyte"), shuffled=True)
    make_field(study, "P1", [RED])
    _, together = classified(study, tmp_path / "both.csv")
    _, by_group = classified(study, tmp_path / "group.csv", "--bundle", group.pk)
    _, by_one = classified(study, tmp_path / "one.csv", "--bundle", alone.pk)
    found = {row["label"]: row["probability"] for row in together}
    assert found["Promyelocyte"] == by_one[0]["probability"]
    assert found["Myeloblast"] == next(row["probability"] for row in by_group if row["label"] == "Myeloblast")


def test_another_studys_bundle_classifies_and_is_kept_where_the_study_knows_its_labels(
    study: Study, other_study: Study, cell_type: Any, make_field: Fields, make_classifier: Any, tmp_path: Path
) -> None:
    bundle = make_classifier(other_study, Target("Cell type"))
    cell = make_field(study, "P1", [RED])[0]
    cell_type.labels.filter(name="Promyelocyte").update(name="promyelocytes")
    cell_type.labels.filter(name="Myeloblast").update(name="Blast")
    said, _ = classified(study, tmp_path / "out.csv", "--bundle", bundle.pk, "--keep")
    assert said["labels"] == ["Promyelocyte", "Myeloblast"]
    kept = CellProbability.objects.get()
    assert (kept.cell_id, kept.label.name, kept.bundle) == (cell.pk, "promyelocytes", bundle.pk)


def test_names_that_a_spreadsheet_would_run_are_made_safe(
    study: Study, make_field: Fields, make_classifier: Any, tmp_path: Path
) -> None:
    make_classifier(study, Target("Cell type", "Promyelocyte"))
    cell = make_field(study, "P1", [RED])[0]
    cell.image.names.update(name="=cmd|' /C calc'!A0.png")
    _, rows = classified(study, tmp_path / "out.csv")
    assert rows[0]["image"].startswith("'=")


def test_features_are_computed_once_for_all_classifications(
    study: Study, make_field: Fields, make_classifier: Any, tmp_path: Path, mean_colour: MeanColour
) -> None:
    make_classifier(study, Target("Cell type"))
    make_field(study, "P1", [RED, BLUE])
    before = mean_colour.seen
    classified(study, tmp_path / "out.csv")
    classified(study, tmp_path / "out.csv")
    assert mean_colour.seen == before + 2 and CellFeatures.objects.count() == 2


def test_what_cannot_be_classified_is_said(
    study: Study, make_classifier: Any, tmp_path: Path, mean_colour: MeanColour, make_field: Fields
) -> None:
    out = tmp_path / "out.csv"
    with pytest.raises(CommandError, match="has no classifier yet"):
        classified(study, out)
    with pytest.raises(CommandError, match="no bundle 'nonsense'"):
        classified(study, out, "--bundle", "nonsense")
    with pytest.raises(CommandError, match="There is no study 'Nowhere'"):
        call_command("classify", "--study", "Nowhere", "--out", str(out))
    detector = Bundle.objects.create(id="0123456789ab", study=study, card={})
    with pytest.raises(CommandError, match="is a detector, not a classifier"):
        classified(study, out, "--bundle", detector.pk)
    bundle = make_classifier(study, Target("Cell type"))
    with pytest.raises(CommandError, match="cannot be written"):
        classified(study, tmp_path / "nowhere" / "out.csv")
    mean_colour.name = "another"
    with pytest.raises(CommandError, match="wants features of mean-colour; another is what sees cells here"):
        classified(study, out)
    (Path(settings.BUNDLE_FOLDER) / bundle.pk / "card.json").unlink()
    with pytest.raises(CommandError, match="no bundle's card"):
        classified(study, out)
    assert not out.exists()


def test_a_study_without_cells_gives_a_table_without_rows(study: Study, make_classifier: Any, tmp_path: Path) -> None:
    make_classifier(study, Target("Cell type"))
    said, rows = classified(study, tmp_path / "out.csv")
    assert said["cells"] == 0 and rows == []
