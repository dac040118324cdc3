"""The network, its data and its loop: boxes stay on their cells, ignored regions teach nothing, and it learns."""

import random
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.training.snapshots import border, disc_field, disc_snapshot
from training.augmentation import Strengths, View, augment, rescale, turn
from training.detection_data import Sample, anchor_sides, load_sample, training_size
from training.detection_metrics import coco_metrics
from training.detection_training import _plan, detect, epochs_for, train_detector, truth_of
from training.detector import Architecture, build_detector, share_in
from training.settings import DetectorSettings
from training.snapshot import SnapshotError, read_snapshot

SMALL = Architecture("efficientnet_lite0", 32, 64, (20.0, 28.0, 36.0, 44.0), 0.5)


def bright_box(image: torch.Tensor) -> list[int]:
    """Bounds of the bright pixels of an image (3, H, W)."""
    rows, columns = (image.mean(0) > 0.5).nonzero(as_tuple=True)
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


@pytest.mark.parametrize("quarter_turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_boxes_turn_with_their_pixels(quarter_turns: int, mirrored: bool):
    image = torch.zeros(3, 40, 60)
    image[:, 5:15, 20:50] = 1
    turned, boxes = turn(image, torch.tensor([[20.0, 5.0, 50.0, 15.0]]), quarter_turns=quarter_turns, mirrored=mirrored)
    assert boxes[0].tolist() == bright_box(turned)


def test_boxes_scale_with_their_pixels():
    image = torch.zeros(3, 40, 60)
    image[:, 4:16, 20:52] = 1
    scaled, boxes = rescale(image, torch.tensor([[20.0, 4.0, 52.0, 16.0]]), 1.5)
    assert scaled.shape == (3, 60, 90)
    assert boxes[0].tolist() == bright_box(scaled)


def test_augmentation_is_seeded_and_stays_within_range():
    image, boxes = torch.rand(3, 40, 60), torch.tensor([[20.0, 4.0, 52.0, 16.0]])
    first = augment(image, boxes, View(False, 1.1), Strengths(), random.Random(3))
    again = augment(image, boxes, View(False, 1.1), Strengths(), random.Random(3))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert first[0].shape == (3, 66, 44)  # turned and enlarged, as the whole batch is
    assert float(first[0].min()) >= 0 and float(first[0].max()) <= 1
    assert boxes.tolist() == [[20.0, 4.0, 52.0, 16.0]]  # the truth itself never moves


def test_the_training_scale_follows_the_cells_not_the_image():
    def images(side: float) -> list[dict]:
        return [{"width": 2000, "height": 1500, "borders": [border((0, 0, side, side))]}]

    assert training_size(images(250)) == 800
    assert training_size(images(20)) == 1024
    assert training_size(images(1500)) == 400


def test_other_pixels_than_the_name_states_are_refused(tmp_path: Path):
    snapshot = read_snapshot(disc_snapshot(tmp_path, 1))
    path = snapshot.path(snapshot.images[0])
    path.unlink()
    disc_field(77)[0].save(path)
    with pytest.raises(SnapshotError, match="does not hold the pixels"):
        load_sample(snapshot, snapshot.images[0], 160)


def sample(boxes: list[list[float]], ignored: list[list[float]], seed: int = 0) -> Sample:
    pixels = torch.randint(0, 255, (3, 96, 128), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    return Sample("a", "a", pixels, torch.tensor(boxes).reshape(-1, 4), torch.tensor(ignored).reshape(-1, 4))


def targets(one: Sample) -> list[dict[str, torch.Tensor]]:
    labels = torch.ones(len(one.boxes), dtype=torch.int64)
    return [{"boxes": one.boxes, "labels": labels, "ignored": one.ignored}]


def test_an_ignored_region_takes_no_part_in_the_loss():
    torch.manual_seed(0)
    model = build_detector(SMALL, pretrained=False)
    one = sample([], [[0, 0, 128, 96]])
    anchors = [torch.tensor([[10.0, 10.0, 30.0, 30.0], [100.0, 80.0, 120.0, 95.0]])]
    labels, _ = model.rpn.assign_targets_to_anchors(anchors, targets(one))
    assert labels[0].tolist() == [-1, -1]
    part = sample([[8, 8, 32, 32]], [[90, 70, 128, 96]])
    labels, _ = model.rpn.assign_targets_to_anchors(anchors, targets(part))
    assert labels[0].tolist() == [1, -1]
    model.roi_heads.ignored = [part.ignored]
    outside = torch.tensor([[10.0, 10.0, 30.0, 30.0], [100.0, 80.0, 120.0, 95.0], [40.0, 40.0, 60.0, 60.0]])
    _, labels = model.roi_heads.assign_targets_to_proposals([outside], [part.boxes], [torch.ones(1, dtype=torch.int64)])
    assert labels[0].tolist() == [1, -1, 0]


def test_share_in_is_the_boxes_own_share():
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]])
    assert share_in(boxes, torch.tensor([[5.0, 0.0, 100.0, 10.0]])).tolist() == [0.5, 0.0]
    assert share_in(boxes, torch.zeros(0, 4)).tolist() == [0.0, 0.0]


def test_an_image_without_cells_trains_as_a_negative():
    torch.manual_seed(0)
    model = build_detector(SMALL, pretrained=False)
    trained = train_detector(
        model,
        [sample([], [], 1), sample([], [[0, 0, 50, 50]], 2)],
        [],
        DetectorSettings(batch=2, lr=0.005),
        epochs=2,
        seed=0,
        tell=lambda _: None,
        wanted=lambda: True,
    )
    assert len(trained.history) == 2
    assert all(record["loss"] > 0 for record in trained.history)


def test_180_perfect_boxes_score_1():
    boxes = torch.tensor(
        [[12.0 * (i % 20), 12.0 * (i // 20), 12.0 * (i % 20) + 10, 12.0 * (i // 20) + 10] for i in range(180)]
    )
    found = [{"boxes": boxes, "scores": torch.linspace(0.5, 0.9, 180)}]
    metrics = coco_metrics(found, [{"boxes": boxes, "ignored": torch.zeros(0, 4)}])
    assert metrics == pytest.approx({"map": 1, "map_50": 1, "map_75": 1, "mar": 1})


@given(st.lists(st.sampled_from([(300, 400), (400, 400), (400, 300)]), min_size=1, max_size=90), st.integers(1, 8))
def test_each_image_comes_once_an_epoch_and_the_last_batch_is_filled(shapes: list[tuple[int, int]], size: int):
    plan = _plan(shapes, size, random.Random(3))
    assert plan == _plan(shapes, size, random.Random(3))
    counts = Counter(image for batch in plan for image in batch)
    assert set(counts) == set(range(len(shapes)))
    filled = -len(shapes) % size if len(shapes) >= size else 0
    assert sum(counts.values()) == len(shapes) + filled
    assert {len(batch) for batch in plan} == {min(size, len(shapes))}


def test_batches_hold_images_of_like_size():
    shapes = [(300, 400), (400, 300)] * 60
    mixed = [batch for batch in _plan(shapes, 4, random.Random(0)) if len({shapes[i] for i in batch}) > 1]
    assert len(mixed) <= 4  # one a stretch, where the sizes meet


def test_few_images_are_looked_at_more_often():
    passes = [n * epochs_for(n, 4) for n in (1, 4, 16, 32, 100, 400)]
    assert passes == sorted(passes)
    assert epochs_for(4, 4) > epochs_for(30, 4) > epochs_for(400, 4) > 0


@pytest.mark.slow
def test_it_learns_discs_from_distractors(tmp_path: Path):
    """Honest, if small: other fields than those it was trained on, drawn from other seeds."""
    torch.manual_seed(0)
    train = read_snapshot(disc_snapshot(tmp_path / "train", 8))
    judge = read_snapshot(disc_snapshot(tmp_path / "judge", 6, first_seed=100))
    samples = [load_sample(train, image, 160) for image in train.images]
    held_out = [load_sample(judge, image, 160) for image in judge.images]
    architecture = Architecture("efficientnet_lite0", 32, 64, anchor_sides(samples, 4), 0.5)
    model = build_detector(architecture, frozen_stages=2, pretrained=True)
    untrained = coco_metrics(detect(model, held_out), truth_of(held_out))
    train_detector(
        model,
        samples,
        [],
        DetectorSettings(),
        epochs=25,
        seed=0,
        tell=lambda _: None,
        wanted=lambda: True,
    )
    trained = coco_metrics(detect(model, held_out), truth_of(held_out))
    assert untrained["map_50"] < 0.3
    assert trained["map_50"] > 0.8
