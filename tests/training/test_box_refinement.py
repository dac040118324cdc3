"""The second look at boxes, at its edges."""

import torch

from training.backbone import LEVELS
from training.detector import Architecture, build_detector


def test_a_field_where_nothing_is_found_can_be_looked_at_twice():
    sides = tuple(float(16 * 2**level) for level in range(LEVELS + 1))
    model = build_detector(Architecture("efficientnet_lite0", 16, 32, sides, 0.5, looks=2)).eval()
    model.roi_heads.score_thresh = 2.0
    found = model([torch.rand(3, 64, 96)])[0]
    assert found["boxes"].shape == (0, 4) and found["scores"].shape == (0,)
