"""Diagnosing by whole images: patients without cells, beside what looks at cells, and of files."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.core.management import call_command
from PIL import Image

from annotation.models import Patient, SmearImage, Study
from annotation.store import ImageStore
from inference.diagnosis import DiagnosisProblem, Models, chosen_models, diagnose_patients
from inference.diagnosis_jobs import can_diagnose
from inference.image_diagnosis import NO_IMAGE
from tests.training.pictured_patients import picture
from training.bundle import copy_bundle
from training.diagnosis_settings import ImageSettings
from training.image_freeze import freeze_images
from training.image_round import carry_out
from training.models import Bundle, Kind
from training.snapshot import read_snapshot

pytestmark = pytest.mark.django_db
NAME = "APL vs non-APL AML"
Pictured = Callable[..., Study]


@pytest.fixture
def pictured(study: Study) -> Pictured:
    """Adds so many patients with an image each and no cell to a study; every second has APL."""

    def make(of: Study = study, count: int = 6, prefix: str = "P", sample: str = "") -> Study:
        chance = np.random.default_rng(len(prefix))
        for number in range(count):
            patient = Patient.arrive(of, f"{prefix}{number}", "apl" if number % 2 else "non_apl_aml")
            image = picture(number % 2 == 1, chance)
            sha256 = ImageStore(Path(settings.IMAGE_STORE)).put(image)
            SmearImage.objects.create(
                study=of,
                patient=patient,
                sha256=sha256,
                width=image.width,
                height=image.height,
                fold=patient.fold,
                sample=sample,
            )
        return of

    return make


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """The bundle of a snapshot folder, taught once for all tests: they all freeze the same."""
    folder = tmp_path_factory.mktemp("baselines")

    def make(snapshot: Path) -> Path:
        out = folder / snapshot.name
        if not out.exists():
            out.mkdir()
            carry_out(read_snapshot(snapshot), ImageSettings(size=32, passes=2, batch=2, draws=100), 0, out)
        return out / "bundle"

    return make


@pytest.fixture
def baseline(pictured: Pictured, made: Callable[[Path], Path]) -> Bundle:
    """Of two steps: what it says is of no worth, that it says it is what is asked here."""
    files = made(freeze_images(pictured()).folder)
    card = json.loads((files / "card.json").read_text())
    bundle = Bundle.objects.create(id=card["hash"][:12], study=Study.objects.get(), kind=Kind.IMAGE, card=card)
    copy_bundle(files, Path(settings.BUNDLE_FOLDER) / bundle.pk)
    return bundle


def test_patients_without_cells_are_diagnosed_by_their_images(
    baseline: Bundle, study: Study, other_study: Study, pictured: Pictured, tmp_path: Path
) -> None:
    # Those it was taught on, by the network that had not seen them, as they were judged.
    done = diagnose_patients(study, list(Patient.objects.filter(study=study)), [baseline])
    said = {f"p:{each.patient}": each.said[0].probability for each in done.diagnosed}
    judged = baseline.card["judged"][NAME]["by_patient"]
    assert said == pytest.approx({one["patient"]: one["probability"] for one in judged}, abs=1e-4)
    assert {each.said[0].chain for each in done.diagnosed} == {"0", "1", "2"}
    # And those of another study, by the one taught on all.
    pictured(other_study, 2, "Later")
    Patient.arrive(other_study, "Nothing")
    out, table = io.StringIO(), tmp_path / "all.csv"
    call_command("diagnose", study=other_study.name, all=True, out=table, bundle=[baseline.pk], stdout=out)
    rows = list(csv.DictReader(table.open()))
    assert [(row["patient"], row["decision"], row["model"]) for row in rows] == [
        ("Later0", NAME, "image"),
        ("Later1", NAME, "image"),
    ]
    assert json.loads(out.getvalue())["without"] == {"Nothing": NO_IMAGE}


def test_files_are_diagnosed_without_looking_for_cells(baseline: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "field.png"
    picture(True, np.random.default_rng(7)).resize((300, 200)).save(path)
    out = io.StringIO()
    call_command("diagnose", path, bundle=[baseline.pk], stdout=out)
    found = json.loads(out.getvalue())
    assert [each["model"] for each in found["probabilities"]] == ["image"]
    assert found["counts"] == {"images": 1, "cells": 0, "types": {}} and found["reason"] is None
    assert found["seconds"].keys() == {"loading", "detection", "images", "quality"}


def test_reports_do_not_ask_a_baseline(baseline: Bundle, study: Study) -> None:
    baseline.promote()
    assert not can_diagnose(study)
    with pytest.raises(DiagnosisProblem, match="has no bundle that diagnoses"):
        chosen_models(study, ())
    assert chosen_models(study, [baseline.pk]) == [baseline]
    with pytest.raises(DiagnosisProblem, match="by cells"):
        Models([baseline])


def test_images_picked_for_their_cells_are_not_looked_at_and_lost_ones_are_told(
    baseline: Bundle, other_study: Study, pictured: Pictured
) -> None:
    pictured(other_study, 1, "Picked", sample="extra")
    pictured(other_study, 1, "Lost one")
    lost = SmearImage.objects.get(patient__code="Lost one0")
    ImageStore(Path(settings.IMAGE_STORE)).pixels(lost.sha256).unlink()
    done = diagnose_patients(other_study, list(Patient.objects.filter(study=other_study)), [baseline])
    assert [(each.said, each.reason) for each in done.diagnosed] == [([], NO_IMAGE)] * 2
    assert done.missing == (lost.sha256,)


def test_it_is_frozen_without_cells_and_without_what_was_picked(study: Study, pictured: Pictured) -> None:
    pictured(count=4)
    pictured(count=2, prefix="Extra", sample="extra")
    frozen = freeze_images(study)
    assert frozen.counts["images"] == 4 and frozen.counts["diagnoses"] == {"apl": 2, "non_apl_aml": 2}
    image = frozen.manifest["images"][0]
    assert image["borders"] == [] and Image.open(frozen.folder / image["file"]).size == (image["width"], 48)
