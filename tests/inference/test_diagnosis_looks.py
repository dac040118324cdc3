"""Diagnosing with bundles that look at cells in other colours and in further views."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings

from annotation.models import Cell, Label, LabelGroup, Patient, Study
from inference.diagnosis import DiagnosisProblem, Models, diagnose_patients
from inference.diagnosis_looks import features_by_look
from tests.labelled_cells import BLUE, RED, near
from tests.training.coloured_cells import MeanColour
from training.bundle import copy_bundle
from training.diagnosis_freeze import freeze_patients
from training.diagnosis_round import carry_out
from training.diagnosis_settings import MilSettings
from training.models import Bundle, Kind
from training.rounds import diagnosis_views
from training.snapshot import read_snapshot

pytestmark = pytest.mark.django_db
Fields = Callable[..., list[Cell]]


@pytest.fixture
def study_of_two_kinds(study: Study, make_field: Fields) -> Study:
    """Six patients: red promyelocytes in those with APL, blue blasts in the others."""
    LabelGroup.objects.filter(study=study).delete()
    group = LabelGroup.objects.create(study=study, name="Cell type")
    labels = [Label.objects.create(group=group, name=name) for name in ("Promyelocyte", "Myeloblast")]
    chance = np.random.default_rng(3)
    for number in range(6):
        apl = number % 2 == 0
        Patient.arrive(study, f"P{number}", "apl" if apl else "non_apl_aml")
        kinds = [0, 0, 0, 1] if apl else [1, 1, 1, 0]
        cells = make_field(study, f"P{number}", [near((RED, BLUE)[kind], chance) for kind in kinds])
        for cell, kind in zip(cells, kinds, strict=True):
            cell.labels.create(label=labels[kind])
    return study


@pytest.fixture
def bundle(study_of_two_kinds: Study, tmp_path: Path, mean_colour: MeanColour) -> Bundle:
    chosen = MilSettings(networks=1, views=1, test_views=1, colours="reinhard", draws=100)
    frozen = freeze_patients(study_of_two_kinds)
    kept = diagnosis_views(study_of_two_kinds.pk)
    kept.parent.mkdir(parents=True, exist_ok=True)
    carry_out(read_snapshot(frozen.folder), "mil", chosen, 0, mean_colour, tmp_path, views=kept)
    card = json.loads((tmp_path / "bundle" / "card.json").read_text())
    made = Bundle.objects.create(id=card["hash"][:12], study=study_of_two_kinds, kind=Kind.MIL, card=card)
    copy_bundle(tmp_path / "bundle", Path(settings.BUNDLE_FOLDER) / made.pk)
    return made


def test_patients_are_diagnosed_as_they_were_judged_and_views_are_not_made_again(
    bundle: Bundle, mean_colour: MeanColour
) -> None:
    patients = list(Patient.objects.filter(study=bundle.study))
    seen = mean_colour.seen
    done = diagnose_patients(bundle.study, patients, [bundle], extractor=lambda _: mean_colour)
    # The cells as they are, which rows keep, and nothing else: the round has left the rest.
    assert mean_colour.seen == seen + Cell.objects.filter(image__study=bundle.study).count()
    judged = bundle.card["judged"]["APL vs non-APL AML"]["by_patient"]
    said = {f"p:{each.patient}": each.said[0].probability for each in done.diagnosed}
    assert said == pytest.approx({one["patient"]: one["probability"] for one in judged}, abs=1e-3)
    assert "views" in done.seconds


def test_where_the_colours_are_not_at_hand_nobody_guesses(bundle: Bundle, mean_colour: MeanColour) -> None:
    models = Models([bundle])
    assert models.looks == {("reinhard", 0), ("reinhard", 1)}
    features = np.zeros((4, 3), np.float32)
    with pytest.raises(DiagnosisProblem, match="colours of a reference"):
        models.diagnose("", features, set())
    assert models.diagnose("", features, set(), looks={("reinhard", 0): features}).said


def test_looks_are_computed_where_none_are_kept(
    bundle: Bundle, mean_colour: MeanColour, study_of_two_kinds: Study, tmp_path: Path
) -> None:
    from PIL import Image

    picture = Image.new("RGB", (100, 60), (200, 160, 190))
    shown = [("a" * 64, (0, 0, 60), ""), ("a" * 64, (40, 0, 60), "")]
    seen = mean_colour.seen
    found = features_by_look(Models([bundle]).looks, shown, {"a" * 64: picture}.__getitem__, mean_colour)
    assert found.keys() == {("reinhard", 0), ("reinhard", 1)} and mean_colour.seen == seen + 4
    assert all(table.shape == (2, 3) for table in found.values())
    assert features_by_look(set(), shown, {}.__getitem__, mean_colour) == {}
