"""Lessons of patients whose cells have features as drawn here: promyelocytes make APL, and each smear has a stain."""

import numpy as np
from numpy.typing import NDArray

from annotation.diagnoses import USUAL
from training.decisions import Decision
from training.diagnosis_lesson import CellClasses, DiagnosisLesson, LabelFacts

TYPES = ("Promyelocyte", "Myeloblast", "Lymphocyte", "Smudge cell")
FACTS = {
    "Promyelocyte": LabelFacts("promyelocyte", True),
    "Myeloblast": LabelFacts("myeloblast", True),
    "Lymphocyte": LabelFacts("mature", True),
    "Smudge cell": LabelFacts("no_cell", False),
}
APL = Decision.among(("apl", "non_apl_aml"), USUAL)
WIDTH = 12


def patients(
    count: int = 24,
    each: int = 20,
    *,
    stain: float = 0.0,
    like_diagnosis: bool = True,
    labelled: bool = True,
    seed: int = 0,
) -> tuple[DiagnosisLesson, NDArray[np.float32]]:
    """Half of the patients have APL. `stain`: how far smears differ. Where cells are not like the diagnosis, all
    patients have the same. Folds go round, so that each holds both diagnoses."""
    chance = np.random.default_rng(seed)
    means = np.eye(len(TYPES), WIDTH) * 2
    types, patient, features = [], [], []
    for number in range(count):
        apl = number % 2 == 0
        shares = [0.5, 0.1, 0.3, 0.1] if apl and like_diagnosis else [0.1, 0.5, 0.3, 0.1]
        own = chance.choice(len(TYPES), each, p=shares)
        look = chance.normal(0, stain, WIDTH)
        types += own.tolist()
        patient += [number] * each
        features.append(means[own] + look + chance.normal(0, 0.4, (each, WIDTH)))
    targets = np.array(types, dtype=np.int64)
    return (
        DiagnosisLesson(
            cells=(),
            patient=np.array(patient, dtype=np.int64),
            counts=np.ones(len(targets), dtype=bool),
            patients=tuple(f"p:P{number}" for number in range(count)),
            diagnoses=tuple("apl" if number % 2 == 0 else "non_apl_aml" for number in range(count)),
            folds=np.array([number // 2 % 3 for number in range(count)], dtype=np.int64),
            images={},
            classes=CellClasses(TYPES, FACTS, targets, np.zeros(len(targets), dtype=np.int64)) if labelled else None,
            decisions=(APL,),
            left_out={},
        ),
        np.concatenate(features).astype(np.float32),
    )
