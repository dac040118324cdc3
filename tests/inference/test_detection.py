"""What a detector says of each proposal beside its border."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from inference.detection import Detector
from tests.training.tiny_detector import ARCHITECTURE
from training.bundle import BundleFiles
from training.detector import build_detector


def detector(looks: int, field: int | None = None) -> Detector:
    """One that finds something anywhere. field: the long side of the fields that it was trained on."""
    model = build_detector(replace(ARCHITECTURE, looks=looks)).eval()
    model.roi_heads.score_thresh = 0.0
    card = {
        "inputs": {"field": field} if field else {},
        "architecture": model.architecture.as_dict(),
        "score_threshold": 0.5,
    }
    return Detector(BundleFiles(Path(), card), model, 64)


@pytest.mark.parametrize("field", [None, 64], ids=["whole", "in tiles"])
def test_each_border_that_is_looked_at_again_has_a_tightness(field: int | None):
    proposals = detector(2, field).propose(Image.effect_noise((96, 72), 60).convert("RGB"))
    assert proposals and all(0 <= proposal["tightness"] <= 1 for proposal in proposals)
    # A network of random weights moves some borders more than others.
    assert len({proposal["tightness"] for proposal in proposals}) > 1


def test_a_network_that_looks_once_says_nothing_of_tightness():
    proposals = detector(0).propose(Image.effect_noise((96, 72), 60).convert("RGB"))
    assert proposals and all(proposal.keys() == {"border", "score"} for proposal in proposals)
