"""The mask branch: what it is taught, that it learns an outline, and that cells without one teach it nothing."""

import math

import pytest
import torch

from tests.training.snapshots import disc_field
from training.detection_data import Sample, anchor_sides
from training.detection_training import train_detector
from training.detector import Architecture, build_detector
from training.outline_branch import FINE, GROUND
from training.outline_targets import enlarged, inside
from training.settings import DetectorSettings


def test_a_bin_is_inside_by_the_share_of_it_that_is():
    square = torch.tensor([[2.0, 2.0], [6.0, 2.0], [6.0, 6.0], [2.0, 6.0]])
    found = inside([square], torch.tensor([[0.0, 0.0, 8.0, 8.0]]), 8)[0]
    assert found[3:5, 3:5].min() == 1
    assert found[:1].max() == 0 and found[7:].max() == 0
    assert float(found.sum()) == pytest.approx(16, abs=0.5)


def test_a_region_moves_with_its_box_and_not_with_the_outline():
    circle = torch.tensor([[50 + 20 * math.cos(t / 10), 60 + 20 * math.sin(t / 10)] for t in range(63)])
    around = enlarged(torch.tensor([[30.0, 40.0, 70.0, 80.0]]), GROUND)
    assert around.tolist() == [[25.0, 35.0, 75.0, 85.0]]
    beside = around + torch.tensor([25.0, 0.0, 25.0, 0.0])
    centred, shifted = inside([circle, circle], torch.cat([around, beside]), 32)
    share = math.pi * 20**2 / 50**2
    assert float(centred.mean()) == pytest.approx(share, abs=0.03)
    assert float(shifted.mean()) == pytest.approx(share / 2, abs=0.03)
    assert float(shifted[:, 20:].max()) == 0


def disc_samples(seeds: range, known: bool) -> list[Sample]:
    samples = []
    for seed in seeds:
        image, discs = disc_field(seed)
        outlines = [
            torch.tensor([[x + r * math.cos(t * math.pi / 16), y + r * math.sin(t * math.pi / 16)] for t in range(32)])
            for x, y, r in discs
        ]
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).reshape(image.height, image.width, 3)
        samples.append(
            Sample(
                str(seed),
                str(seed),
                pixels.permute(2, 0, 1).contiguous(),
                torch.tensor([[x - r, y - r, x + r, y + r] for x, y, r in discs]).float(),
                torch.zeros(0, 4),
                outlines if known else [torch.zeros(0, 2)] * len(discs),
            )
        )
    return samples


def losses_of(known: bool) -> dict[str, float]:
    samples = disc_samples(range(2), known)
    torch.manual_seed(0)
    model = build_detector(Architecture("efficientnet_lite0", 32, 32, anchor_sides(samples, 4), 0.5, 1, True))
    model.train()
    targets = [
        {"boxes": s.boxes, "labels": torch.ones(len(s.boxes)).long(), "ignored": s.ignored, "outlines": s.outlines}
        for s in samples
    ]
    return {name: float(loss) for name, loss in model([s.pixels / 255 for s in samples], targets).items()}


def test_cells_without_an_outline_teach_the_branch_nothing():
    known, unknown = losses_of(True), losses_of(False)
    assert known["outline"] > 0.1 and known["refined outline"] > 0.1
    assert unknown["outline"] == unknown["refined outline"] == 0
    assert unknown["loss_classifier"] > 0


def test_it_learns_the_outline_and_not_the_box():
    """On fields of other seeds. The box around a disc has an IoU of 0.79 with it."""
    torch.manual_seed(0)
    train, held_out = disc_samples(range(8), True), disc_samples(range(100, 104), True)
    model = build_detector(
        Architecture("efficientnet_lite0", 32, 64, anchor_sides(train, 4), 0.5, 1, True),
        frozen_stages=2,
        pretrained=True,
    )
    train_detector(model, train, [], DetectorSettings(), epochs=25, seed=0, tell=lambda _: None, wanted=lambda: True)
    branch = model.outline_branch
    assert branch is not None
    overlaps = []
    with torch.inference_mode():
        for sample in held_out:
            picture = sample.pixels / 255
            found = model([picture])[0]
            regions = enlarged(found["boxes"], GROUND)
            normal = model.transform.normalize(picture)[None]
            likely = branch.refine(found["coarse"], normal, [regions]).sigmoid() >= 0.5
            for box, outline in zip(sample.boxes, sample.outlines, strict=True):
                nearest = int((found["boxes"] - box).abs().sum(dim=1).argmin())
                truth = inside([outline], regions[nearest][None], FINE)[0] >= 0.5
                overlaps.append(float((likely[nearest] & truth).sum() / (likely[nearest] | truth).sum()))
    assert sum(overlaps) / len(overlaps) > 0.85
