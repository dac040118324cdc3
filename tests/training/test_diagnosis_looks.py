"""How a diagnosis looks at cells beside how they are: views that teach and judge, and the colours of one reference."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotation.crop import cut
from tests.training.coloured_cells import MeanColour
from tests.training.diagnosed_patients import APL, patients
from tests.training.test_run_diagnosis import snapshot_of
from training.crop_features import Stopped, backbone_of, opened_by, read_features
from training.diagnosis_bundle import DiagnosisModel
from training.diagnosis_chain import ALL, teach_chain
from training.diagnosis_lesson import diagnosis_lesson
from training.diagnosis_looks import lesson_features
from training.diagnosis_readings import read_patients
from training.diagnosis_round import carry_out
from training.diagnosis_settings import EnsembleSettings, MilSettings, resolve_diagnosis_settings
from training.diagnosis_teachers import MilStep, MilTeacher
from training.reinhard import statistics_of
from training.settings import SettingsError
from training.stain_transfer import REFERENCE, stains_of

LOOKS = MilSettings(networks=1, views=2, test_views=1, colours="reinhard", draws=100)


def test_views_teach_and_are_averaged_over() -> None:
    lesson, features = patients(12)
    chance = np.random.default_rng(1)
    views = [features + chance.normal(0, 0.5, features.shape).astype(np.float32) for _ in range(2)]
    read = read_patients(lesson, features, needs_labels=False, views=views)
    plain, viewed, both = (
        teach_chain(read, MilTeacher(settings, 0), None).steps[APL.name]
        for settings in (
            MilSettings(networks=1, views=0),
            MilSettings(networks=1, views=2),
            MilSettings(networks=1, views=2, test_views=2),
        )
    )
    assert isinstance(plain, MilStep) and isinstance(viewed, MilStep) and isinstance(both, MilStep)
    assert not np.allclose(plain.nets[0].first, viewed.nets[0].first)
    np.testing.assert_array_equal(viewed.nets[0].first, both.nets[0].first)
    cells = read.judged(int(lesson.folds[0]), 0).controlled(0.4)
    alone = [viewed.nets[0].bag(each, cells.weight) for each in (cells.features, *cells.views)]
    assert len(alone) == 3
    np.testing.assert_allclose(viewed.scores(cells), alone[0])
    np.testing.assert_allclose(both.scores(cells), np.mean(alone, axis=0))
    # Where views are not at hand, the cells as they are speak.
    np.testing.assert_allclose(both.scores(replace(cells, views=())), alone[0])
    assert MilStep.from_tensors(both.described(), both.to_tensors()).views == 2


def test_each_view_loses_the_stain_that_it_shows() -> None:
    lesson, features = patients(6)
    shifted = features + np.float32(0.7)
    read = read_patients(lesson, features, needs_labels=False, views=[shifted])
    cells = read.judged(int(lesson.folds[0]), 0)
    assert cells.stain is not None
    [(view, stain)] = cells.views
    np.testing.assert_allclose(view, cells.features + 0.7, atol=1e-6)
    # All of a view is shifted alike, so that more of it is taken off.
    assert stain is not None and (stain - cells.stain).mean() > 0.3


def test_a_patients_cells_are_brought_to_the_colours_of_the_reference(tmp_path: Path) -> None:
    snapshot = snapshot_of(tmp_path, 6)
    lesson = diagnosis_lesson(snapshot.manifest, [APL], 3)
    opened = opened_by(snapshot)
    stains = stains_of(lesson.cells, opened)
    own = [cell for cell in lesson.cells if cell.patient == lesson.patients[0]]
    before = [cut(opened(cell.sha256), cell.square) for cell in own]
    after = [stains.picture(crop, cell) for crop, cell in zip(before, own, strict=True)]

    def distance(pictures: list[Image.Image]) -> float:
        return float(np.abs(np.subtract(statistics_of(pictures).mean, REFERENCE.mean)).max())

    assert distance(after) < 8 < distance(before)
    assert len({stains.name(cell) for cell in lesson.cells}) == len(lesson.cells)


def test_a_round_looks_at_cells_as_asked_and_keeps_what_it_saw(tmp_path: Path) -> None:
    snapshot = snapshot_of(tmp_path, 6)
    kept, eye = tmp_path / "kept.npz", MeanColour()
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    made = carry_out(snapshot, "mil", LOOKS, 0, eye, tmp_path / "first", views=kept)
    cells = len(diagnosis_lesson(snapshot.manifest, [APL], 3).cells)
    assert eye.seen == 3 * cells and backbone_of(kept) == eye.name
    assert carry_out(snapshot, "mil", LOOKS, 0, eye, tmp_path / "second", views=kept)["bundle"] == made["bundle"]
    assert eye.seen == 3 * cells
    model = DiagnosisModel.load(tmp_path / "first" / "bundle")
    assert (model.colours, model.views) == ("reinhard", 1)
    assert model.chains[ALL].steps[APL.name].views == 1  # type: ignore[attr-defined]
    # What was kept of cells that are gone goes.
    fewer = snapshot.manifest | {"images": [{**i, "borders": i["borders"][1:]} for i in snapshot.manifest["images"]]}
    lesson = diagnosis_lesson(fewer, [APL], 3)
    lesson_features(snapshot, lesson, LOOKS, eye, {}, tmp_path, kept, lambda event: None, lambda: True)
    assert len(read_features(kept, eye.name)) == 3 * (cells - 6)
    with pytest.raises(Stopped):
        lesson_features(snapshot, lesson, LOOKS, eye, {}, tmp_path, kept, lambda event: None, lambda: False)


def test_an_ensemble_looks_at_cells_as_they_are(tmp_path: Path) -> None:
    snapshot = snapshot_of(tmp_path, 6)
    lesson = diagnosis_lesson(snapshot.manifest, [APL], 3)
    eye, kept = MeanColour(), tmp_path / "kept.npz"
    _, views = lesson_features(
        snapshot, lesson, EnsembleSettings(), eye, {}, tmp_path, kept, lambda event: None, lambda: True
    )
    assert views == [] and eye.seen == len(lesson.cells) and not kept.exists()


def test_colours_are_own_or_those_of_the_reference() -> None:
    assert resolve_diagnosis_settings("mil", {"colours": "reinhard", "test_views": "2"})
    with pytest.raises(SettingsError, match="own or reinhard"):
        resolve_diagnosis_settings("mil", {"colours": "pink"})
