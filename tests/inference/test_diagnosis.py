"""Diagnosing patients of a study: with bundles of another study, without labels or diagnoses, and where nobody can."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from annotation.models import Cell, Label, LabelGroup, Patient, SmearImage, Study
from inference import diagnosis, validation
from inference.diagnosis import NO_CELL, NOT_VIABLE, DiagnosisProblem, chosen_models, diagnose_patients
from tests.labelled_cells import BLUE, RED, near
from tests.training.coloured_cells import MeanColour
from training.bundle import copy_bundle
from training.diagnosis_freeze import freeze_patients
from training.diagnosis_round import carry_out
from training.diagnosis_settings import CellsSettings, EnsembleSettings, MilSettings
from training.models import Bundle, Kind
from training.snapshot import read_snapshot

pytestmark = pytest.mark.django_db
Fields = Callable[..., list[Cell]]
Train = Callable[..., Bundle]
GREY = (120, 120, 120)


@pytest.fixture
def taught(study: Study, make_field: Fields) -> Study:
    """Twelve patients: red promyelocytes in the six with APL, blue blasts in the others, grey smudge cells in all."""
    LabelGroup.objects.filter(study=study).delete()
    group = LabelGroup.objects.create(study=study, name="Cell type")
    names = ("Promyelocyte", "Myeloblast", "Smudge cell")
    labels = [Label.objects.create(group=group, name=name, counted=name != "Smudge cell") for name in names]
    chance = np.random.default_rng(3)
    for number in range(12):
        apl = number % 2 == 0
        diagnosis_ = "apl" if apl else "non_apl_aml"
        Patient.arrive(study, f"P{number}", diagnosis_)
        kinds = [0, 0, 0, 1, 2] if apl else [1, 1, 1, 0, 2]
        cells = make_field(study, f"P{number}", [near((RED, BLUE, GREY)[kind], chance) for kind in kinds])
        for cell, kind in zip(cells, kinds, strict=True):
            cell.labels.create(label=labels[kind])
    return study


@pytest.fixture
def train(tmp_path: Path, mean_colour: MeanColour) -> Train:
    def make(study: Study, kind: str, chosen: CellsSettings) -> Bundle:
        frozen = freeze_patients(study)
        out = tmp_path / kind
        out.mkdir()
        carry_out(read_snapshot(frozen.folder), kind, chosen, 0, mean_colour, out)
        card = json.loads((out / "bundle" / "card.json").read_text())
        bundle = Bundle.objects.create(id=card["hash"][:12], study=study, kind=kind, card=card)
        copy_bundle(out / "bundle", Path(settings.BUNDLE_FOLDER) / bundle.pk)
        return bundle

    return make


@pytest.fixture
def ensemble(taught: Study, train: Train) -> Bundle:
    return train(taught, "ensemble", EnsembleSettings(draws=100))


@pytest.fixture
def later(make_field: Fields) -> Study:
    """Four patients of another study, of whom nothing is known."""
    study = Study.objects.create(name="Later patients")
    chance = np.random.default_rng(4)
    for code, colours in {"A": [RED] * 4, "B": [BLUE] * 4, "C": [RED, RED, RED, BLUE], "D": [BLUE, BLUE, RED]}.items():
        make_field(study, code, [near(colour, chance) for colour in colours])
    return study


def seen_by(mean_colour: MeanColour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis.diagnose_patients, "__defaults__", (None, lambda _: mean_colour))
    monkeypatch.setattr(validation.validate, "__defaults__", (None, lambda _: mean_colour))


def test_a_bundle_diagnoses_another_study_that_knows_nothing(
    ensemble: Bundle, later: Study, mean_colour: MeanColour, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen_by(mean_colour, monkeypatch)
    out = io.StringIO()
    table = tmp_path / "all.csv"
    call_command("diagnose", study=later.name, all=True, out=table, bundle=[ensemble.pk], stdout=out)
    rows = list(csv.DictReader(table.open()))
    assert [*rows[0]] == ["patient", "decision", "model", "probability"]
    assert {(row["decision"], row["model"]) for row in rows} == {("APL vs non-APL AML", "ensemble")}
    probability = {row["patient"]: float(row["probability"]) for row in rows}
    assert min(probability["A"], probability["C"]) > max(probability["B"], probability["D"])
    assert json.loads(out.getvalue())["rows"] == 4


def test_a_patient_it_was_taught_on_is_diagnosed_by_the_chain_that_had_not_seen_it(
    ensemble: Bundle, taught: Study, mean_colour: MeanColour
) -> None:
    patients = list(Patient.objects.filter(study=taught))
    done = diagnose_patients(taught, patients, [ensemble], extractor=lambda _: mean_colour)
    chains = {each.patient: each.said[0].chain for each in done.diagnosed}
    assert chains == {patient.code: str(patient.fold % 3) for patient in patients}
    # And as it was judged.
    judged = ensemble.card["judged"]["APL vs non-APL AML"]["by_patient"]
    said = {f"p:{each.patient}": each.said[0].probability for each in done.diagnosed}
    assert said == pytest.approx({one["patient"]: one["probability"] for one in judged}, abs=1e-4)


def test_ratios_come_with_intervals_and_what_nobody_labelled_is_left_out(
    ensemble: Bundle, later: Study, mean_colour: MeanColour, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_by(mean_colour, monkeypatch)
    out = io.StringIO()
    call_command("diagnose", study=later.name, patient="A", bundle=[ensemble.pk], stdout=out)
    found = json.loads(out.getvalue())
    ratio = found["ratios"]["promyelocyte"]
    assert found["diagnosis"] == "APL" and ratio["low"] < ratio["value"] <= ratio["high"] and ratio["value"] > 0.6
    assert "auer_rod" not in found["ratios"] and found["ratios_left_out"]["auer_rod"]
    assert found["counts"]["cells"] == 4 and found["quality"]["unjudged"] == 1
    assert found["bundles"][0]["bundle"] == ensemble.pk and set(found["seconds"]) == {
        "loading",
        "features",
        "diagnosis",
    }


def test_without_cells_a_sentence_and_no_number(
    ensemble: Bundle, later: Study, make_field: Fields, mean_colour: MeanColour
) -> None:
    make_field(later, "E", [])
    make_field(later, "F", [GREY, GREY, GREY])
    SmearImage.objects.filter(patient__code="D").update(sample="extra")
    patients = list(Patient.objects.filter(study=later, code__in="DEF"))
    done = diagnose_patients(later, patients, [ensemble], extractor=lambda _: mean_colour)
    said = {each.patient: (each.said, each.reason) for each in done.diagnosed}
    assert said == {"D": ([], NO_CELL), "E": ([], NO_CELL), "F": ([], NOT_VIABLE)}


def test_external_validation(
    ensemble: Bundle, later: Study, mean_colour: MeanColour, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_by(mean_colour, monkeypatch)
    with pytest.raises(CommandError, match="no patient whose diagnosis is known"):
        call_command("validate", study=later.name, bundle=ensemble.pk)
    Patient.objects.filter(study=later, code__in="AC").update(diagnosis="apl")
    with pytest.raises(CommandError, match="non-APL AML"):
        call_command("validate", study=later.name, bundle=ensemble.pk)
    Patient.objects.filter(study=later, code__in="BD").update(diagnosis="non_apl_aml")
    out = io.StringIO()
    call_command("validate", study=later.name, bundle=ensemble.pk, stdout=out)
    found = json.loads(out.getvalue())["decisions"]["APL vs non-APL AML"]
    assert found["auroc"]["value"] == 1.0 and found["patients"] == 4 and found["taught_on"] == 0
    assert {"auprc", "brier", "promised"} <= found.keys()


def test_bundles_that_diagnose_nobody_are_refused(study: Study) -> None:
    Bundle.objects.create(id="c" * 12, study=study, kind=Kind.DETECTOR, card={})
    with pytest.raises(DiagnosisProblem, match="is a detector"):
        chosen_models(study, ["c" * 12])
    with pytest.raises(DiagnosisProblem, match="There is no bundle"):
        chosen_models(study, ["nothing"])
    with pytest.raises(DiagnosisProblem, match="train an ensemble"):
        chosen_models(study, [])


@pytest.mark.slow
def test_millie_names_the_cells_that_speak(taught: Study, later: Study, train: Train, mean_colour: MeanColour) -> None:
    bundle = train(taught, "mil", MilSettings(networks=1, views=0, draws=100))
    patient = Patient.objects.get(study=later, code="C")
    found = diagnose_patients(later, [patient], [bundle], extractor=lambda _: mean_colour).diagnosed[0]
    cells = list(Cell.objects.filter(image__patient=patient).order_by("x0"))
    assert len(found.speaking) == 4 and found.speaking[-1][0] == cells[3].pk
