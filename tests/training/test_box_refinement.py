"""The second look at boxes: what it learns, and its edges."""

import pytest
import torch
from torchvision.ops import box_iou

from training.backbone import LEVELS
from training.box_refinement import BoxRefinement, tightness
from training.detector import Architecture, CellDetector, build_detector


def small_detector() -> CellDetector:
    sides = tuple(float(16 * 2**level) for level in range(LEVELS + 1))
    return build_detector(Architecture("efficientnet_lite0", 16, 32, sides, 0.5, looks=2)).eval()


def test_tightness_is_what_a_look_leaves_in_its_place():
    before = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10], [5, 5, 5, 5]])
    after = torch.tensor([[0.0, 0, 10, 10], [2, 0, 12, 10], [20, 0, 30, 10], [5, 5, 5, 5]])
    assert tightness(before, after).tolist() == pytest.approx([1, 8 / 12, 0, 0])
    assert tightness(before[:0], after[:0]).shape == (0,)


def test_a_field_where_nothing_is_found_can_be_looked_at_twice():
    model = small_detector()
    model.roi_heads.score_thresh = 2.0
    found = model([torch.rand(3, 64, 96)])[0]
    assert found["boxes"].shape == (0, 4) and found["scores"].shape == found["tightness"].shape == (0,)


def test_boxes_that_are_moved_onto_one_cell_stay_once():
    model = small_detector()
    model.roi_heads.score_thresh = 0.0
    cell = torch.tensor([10.0, 10.0, 40.0, 40.0])
    assert model.box_refinement is not None
    model.box_refinement.forward = lambda _, boxes, __: [cell.repeat(len(one), 1) for one in boxes]  # type: ignore[method-assign,assignment]
    found = model([torch.rand(3, 64, 96)])[0]
    assert found["boxes"].tolist() == [cell.tolist()]
    assert found["scores"].shape == found["labels"].shape == (1,)
    # The first look brought it there, the second left it.
    assert found["tightness"].tolist() == [1]


def test_it_learns_to_move_boxes_onto_bright_squares():
    """On a map that shows where each square lies; boxes off by up to 5 of 40 px come nearer than they were."""
    torch.manual_seed(0)
    refinement = BoxRefinement(8)
    optimizer = torch.optim.Adam(refinement.parameters(), 2e-3)

    def field(number: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        generator = torch.Generator().manual_seed(number)
        corner = torch.randint(16, 72, (2,), generator=generator).float()
        box = torch.cat([corner, corner + 40])[None]
        maps = {}
        for level in range(LEVELS):
            stride = 8 * 2**level
            places = (torch.arange(128 // stride) + 0.5) * stride
            # How deep each place lies within the square, from either side.
            x, y = places - corner[0], places - corner[1]
            inside = torch.stack([x, 40 - x, y, 40 - y])
            planes = [
                inside[i][None, :].expand(len(places), -1) if i < 2 else inside[i][:, None].expand(-1, len(places))
                for i in range(4)
            ]
            maps[str(level)] = torch.cat([torch.stack(planes) / 40, torch.zeros(4, *planes[0].shape)])[None]
        return maps, box

    for step in range(500):
        maps, box = field(step)
        loss = refinement.loss(maps, [(128, 128)], [box])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    before, after = [], []
    for number in range(1000, 1020):
        maps, box = field(number)
        off = box + torch.randint(-5, 6, (1, 4), generator=torch.Generator().manual_seed(number))
        with torch.no_grad():
            (moved,) = refinement(maps, [off], [(128, 128)])
        before.append(float(box_iou(off, box)))
        after.append(float(box_iou(moved, box)))
    assert sum(after) / len(after) > sum(before) / len(before) + 0.05
