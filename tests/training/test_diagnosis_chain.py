"""The chain from cells to a diagnosis: what it learns, and that no part of it judges whom it was taught on."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.diagnosed_patients import APL, TYPES, patients
from training import diagnosis_readings
from training.cell_reader import CellReader, teach
from training.classification_metrics import auroc
from training.decisions import DecisionError
from training.diagnosis_chain import ALL, Teacher, teach_chains
from training.diagnosis_lesson import DiagnosisLesson
from training.diagnosis_settings import EnsembleSettings, MilSettings
from training.diagnosis_teachers import EnsembleTeacher, MilTeacher

MIL = MilTeacher(MilSettings(views=0, networks=1), 0)
ENSEMBLE = EnsembleTeacher(EnsembleSettings(), 0)


def judged(lesson: DiagnosisLesson, features: NDArray[np.float32], teacher: Teacher = MIL) -> float:
    taught = teach_chains(lesson, features, teacher, needs_labels=teacher is ENSEMBLE)
    _, targets = lesson.of(APL)
    chances = taught.calibrations[APL.name].probabilities(taught.unseen[APL.name])
    return auroc(chances[:, 0], targets == 0)


@pytest.mark.parametrize("teacher", [MIL, ENSEMBLE], ids=["mil", "ensemble"])
def test_promyelocytes_tell_apl(teacher: Teacher) -> None:
    assert judged(*patients(), teacher) > 0.95


@pytest.mark.parametrize("teacher", [MIL, ENSEMBLE], ids=["mil", "ensemble"])
def test_patients_who_do_not_differ_are_not_told_apart(teacher: Teacher) -> None:
    assert 0.2 < judged(*patients(36, like_diagnosis=False), teacher) < 0.8


@pytest.mark.parametrize("teacher", [MIL, ENSEMBLE], ids=["mil", "ensemble"])
def test_a_mark_of_each_patient_is_no_gain(teacher: Teacher) -> None:
    """Whatever saw a patient in teaching would know it by its mark, and its diagnosis with it."""
    lesson, features = patients(36, like_diagnosis=False)
    marks = np.random.default_rng(1).normal(0, 6, (36, 40)).astype(np.float32)
    marked = np.concatenate([features, marks[lesson.patient]], axis=1)
    assert 0.2 < judged(lesson, marked, teacher) < 0.8
    # The same marks would be known: by a chain that was taught on all patients.
    if teacher is MIL:
        taught = teach_chains(lesson, marked, teacher, needs_labels=False)
        chain = taught.chains[ALL]
        scores = [chain.steps[APL.name].scores(chain.cells(marked[lesson.patient == number])) for number in range(36)]
        assert auroc(np.array(scores)[:, 0], np.arange(36) % 2 == 0) > 0.95


def test_no_reader_reads_a_patient_that_it_was_taught_on(monkeypatch: pytest.MonkeyPatch) -> None:
    lesson, features = patients(12)
    # Features name the patient, so that what was read can be told.
    features = np.concatenate([features, lesson.patient[:, None].astype(np.float32)], axis=1)
    taught_on: dict[int, set[int]] = {}

    def noted(classes: object, table: NDArray[np.float32], names: object, rows: NDArray[np.bool_], seed: int) -> object:
        reader = teach(lesson.classes, table, np.array(lesson.patients)[lesson.patient], rows, seed)  # type: ignore[arg-type]
        taught_on[id(reader)] = set(lesson.patient[rows].tolist())
        return reader

    read: list[bool] = []
    plain = CellReader.read

    def watched(self: CellReader, table: NDArray[np.float32]) -> object:
        read.append(bool(set(table[:, -1].astype(int).tolist()) & taught_on[id(self)]))
        return plain(self, table)

    monkeypatch.setattr(diagnosis_readings, "teach", noted)
    monkeypatch.setattr(CellReader, "read", watched)
    teach_chains(lesson, features, ENSEMBLE, needs_labels=True)
    assert len(read) > 24 and not any(read)


def test_a_smears_stain_is_taken_off() -> None:
    lesson, features = patients(36, 40, stain=1.2)
    plain = judged(lesson, features, MilTeacher(MilSettings(views=0, networks=1, control=0.0), 0))
    controlled = judged(lesson, features, MilTeacher(MilSettings(views=0, networks=1, control=1.0), 0))
    assert controlled > plain + 0.15


def test_without_labels_cells_count_alike() -> None:
    lesson, features = patients(labelled=False)
    taught = teach_chains(lesson, features, MIL, needs_labels=False)
    assert all(chain.reader is None for chain in taught.chains.values())
    assert "not weighed" in taught.notes[0]
    with pytest.raises(DecisionError, match="Ratios need labelled cells"):
        teach_chains(lesson, features, ENSEMBLE, needs_labels=True)


def test_ratios_that_nobody_labelled_are_left_out() -> None:
    lesson, features = patients()
    chain = teach_chains(lesson, features, ENSEMBLE, needs_labels=True).chains[ALL]
    assert chain.steps[APL.name].net.roles == ("myeloblast", "promyelocyte")  # type: ignore[attr-defined]


@pytest.mark.parametrize("pooling", ["cells", "mean", "max", "gem", "attention"])
def test_each_pooling_learns(pooling: str) -> None:
    lesson, features = patients(18)
    assert judged(lesson, features, MilTeacher(MilSettings(views=0, networks=1, pooling=pooling), 0)) > 0.8


def test_cells_alone_speak_for_the_diagnosis_they_belong_to() -> None:
    lesson, features = patients()
    chain = teach_chains(lesson, features, MIL, needs_labels=False).chains[ALL]
    own = lesson.patient == 0
    alone = chain.steps[APL.name].alone(chain.cells(features[own]))  # type: ignore[attr-defined]
    assert lesson.classes is not None
    types = lesson.classes.targets[own]
    speaks = alone[:, 0] - alone[:, 1]
    assert speaks[types == TYPES.index("Promyelocyte")].mean() > speaks[types == TYPES.index("Myeloblast")].mean()


def test_cells_picked_for_their_kind_enter_no_bag() -> None:
    lesson, features = patients(12)
    picked = np.arange(len(features)) % 20 == 0
    odd = features.copy()
    odd[picked] = 100.0
    extra = replace(lesson, counts=~picked)
    assert lesson.classes is not None
    untaught = replace(lesson.classes, targets=np.where(picked, -1, lesson.classes.targets))
    with_them = teach_chains(replace(extra, classes=untaught), odd, MIL, needs_labels=False)
    without = teach_chains(replace(extra, classes=untaught), features, MIL, needs_labels=False)
    np.testing.assert_array_equal(with_them.unseen[APL.name], without.unseen[APL.name])
