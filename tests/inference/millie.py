"""A MILLIE in use that is written by hand: a cell speaks for APL by the first number that a backbone sees of it."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from annotation.diagnoses import USUAL
from annotation.models import Study
from inference import millie_cells
from training.decisions import Decision
from training.diagnosis_bundle import DiagnosisModel
from training.diagnosis_chain import Chain
from training.diagnosis_teachers import MilStep
from training.mil import MilNet
from training.models import Bundle, Kind

AML, HEALTHY = (Decision.among(("apl", other), USUAL) for other in ("non_apl_aml", "healthy"))


class Toy:
    """The backbone that saw the cells of these tests."""

    name = "toy"

    def extract(self, crops: Any) -> Any:
        return np.array([[1, 2, 3]] * len(crops), dtype=np.float32)


def _step(sign: float) -> MilStep:
    first = np.array([[1, -1, 0], [0, 0, 0], [0, 0, 1]], dtype=np.float32)
    second = np.array([[sign, -sign], [-sign, sign], [0, 0]], dtype=np.float32)
    zeros = np.zeros(3, dtype=np.float32)
    return MilStep((MilNet("mean", zeros, first, zeros, second, np.zeros(2, dtype=np.float32), zeros),))


def use_millie(study: Study, monkeypatch: pytest.MonkeyPatch, taught_on: str = "") -> Bundle:
    """In use in a study whose features are all there. Of the image `taught_on` the chain of fold 0 speaks, which says
    the opposite."""
    decisions = [{"name": each.name, "classes": list(each.classes)} for each in (AML, HEALTHY)]
    card = {"architecture": {"decisions": decisions, "backbone": "toy"}, "folds": {"images": {taught_on: 0}}}
    bundle = Bundle.objects.create(id="f" * 12, study=study, kind=Kind.MIL, card=card, in_use=True)

    def chain(sign: float) -> Chain:
        return Chain(None, {AML.name: _step(sign), HEALTHY.name: _step(-sign)}, 0.0)

    model = DiagnosisModel(card, {"all": chain(1.0), "0": chain(-1.0)}, (AML, HEALTHY), {})
    monkeypatch.setattr(millie_cells, "_loaded", lambda bundle: model)
    monkeypatch.setattr(millie_cells, "compute", lambda study, eye, told: SimpleNamespace(going=told(0, 1)))
    return bundle
