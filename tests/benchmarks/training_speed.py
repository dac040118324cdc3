"""Images a second of our training, against a plain loop with the same body at the same scale, at equal mAP.

Run: python -m tests.benchmarks.training_speed [--images 60] [--passes 420]. Bar: twice as many.
The plain loop is torchvision's own: its default numbers of proposals and regions, trainable norms, every image decoded
in every epoch, two images a step. Both learn from the same images for as many passes, one after the other in one
process, and are judged on the same others; ours learns its box refinement as well.
"""

import argparse
import random
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from annotation.formats.truth import read_truth
from tests.benchmarks.product import BLOOD, report
from training.augmentation import Strengths, View, augment
from training.backbone import DEFAULT, LEVELS, build_body, feature_info
from training.detection_data import Sample, anchor_sides, as_input, at_scale, scale_of
from training.detection_metrics import coco_metrics
from training.detection_training import detect, train_detector, truth_of
from training.detector import MEAN, RATIOS, STD, Architecture, FixedScale, build_detector
from training.detector_start import HEAD, LOOKS
from training.settings import DetectorSettings

SIZE = 400


def samples_of(part: str, count: int) -> tuple[list[Sample], list[Path]]:
    files = sorted((BLOOD / part / "images").iterdir())
    files = files[:: max(1, len(files) // count)][:count]
    sizes = {}
    for file in files:
        with Image.open(file) as image:
            sizes[file.name] = image.size
    truth = read_truth(BLOOD / part / "labels", "yolo", BLOOD / "classes.txt", None, ["WBC"], (), sizes)
    samples = []
    for file in files:
        pixels, scale = decoded(file)
        boxes = [
            [b["x"], b["y"], b["x"] + b["width"], b["y"] + b["height"]]
            for b in (cell.border for cell in truth.images.get(file.name, []))
        ]
        there = torch.tensor(boxes).reshape(-1, 4) * scale
        samples.append(Sample(file.name, file.name, pixels, there, torch.zeros(0, 4), [torch.zeros(0, 2)] * len(boxes)))
    return samples, files


def decoded(file: Path) -> tuple[Tensor, float]:
    with Image.open(file) as image:
        scale = scale_of(image.width, image.height, SIZE)
        small = at_scale(image.convert("RGB"), scale)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1).contiguous(), scale


class PlainBody(nn.Module):
    """The same body and pyramid, with norms that learn."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = build_body(DEFAULT, pretrained=True)
        depths = feature_info(self.body).channels()[-LEVELS:]
        self.pyramid = FeaturePyramidNetwork(depths, channels, extra_blocks=LastLevelMaxPool())
        self.out_channels = channels

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps: dict[str, Tensor] = self.pyramid(OrderedDict((str(i), m) for i, m in enumerate(self.body(images))))
        return maps


def plain_network(settings: DetectorSettings, anchors: tuple[float, ...]) -> FasterRCNN:
    model = FasterRCNN(
        PlainBody(settings.pyramid),
        num_classes=None,
        image_mean=list(MEAN),
        image_std=list(STD),
        rpn_anchor_generator=AnchorGenerator(tuple((side,) for side in anchors), (RATIOS,) * len(anchors)),
        box_roi_pool=MultiScaleRoIAlign([str(i) for i in range(LEVELS)], output_size=7, sampling_ratio=2),
        box_head=TwoMLPHead(settings.pyramid * 49, HEAD),
        box_predictor=FastRCNNPredictor(HEAD, 2),
    )
    model.transform = FixedScale(0, 0, list(MEAN), list(STD))
    return model


def train_plainly(
    model: FasterRCNN, samples: list[Sample], files: list[Path], settings: DetectorSettings, passes: int
) -> None:
    rng = random.Random(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.lr / 2, momentum=0.9, weight_decay=1e-4)
    steps = passes // 2
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.lr / 2, total_steps=steps, pct_start=0.15)
    strengths = Strengths(settings.scale, settings.colour, settings.brightness)
    model.train()
    order: list[int] = []
    for _ in range(steps):
        if len(order) < 2:
            order = rng.sample(range(len(samples)), len(samples))
        view = View.draw(strengths, rng)
        images, targets = [], []
        for index in (order.pop(), order.pop()):
            pixels, _ = decoded(files[index])
            image, boxes = augment(as_input(pixels), samples[index].boxes, view, strengths, rng)
            images.append(image)
            targets.append({"boxes": boxes, "labels": torch.ones(len(boxes), dtype=torch.int64)})
        loss: Tensor = sum(model(images, targets).values(), torch.zeros(()))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 4.0)
        optimizer.step()
        schedule.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--passes", type=int, default=420)
    options = parser.parse_args()
    settings = DetectorSettings()
    samples, files = samples_of("train", options.images)
    judges, _ = samples_of("val", 60)
    anchors = anchor_sides(samples, LEVELS + 1)
    rows: dict[str, Any] = {}

    torch.manual_seed(0)
    model = build_detector(
        Architecture(settings.backbone, settings.pyramid, HEAD, anchors, settings.nms, LOOKS),
        frozen_stages=settings.frozen_stages,
        pretrained=True,
    )
    epochs = max(1, options.passes // len(samples))
    started = time.monotonic()
    train_detector(model, samples, [], settings, epochs=epochs, seed=0, tell=lambda _: None, wanted=lambda: True)
    seconds = time.monotonic() - started
    rows["ours"] = {
        "images_per_second": epochs * len(samples) / seconds,
        **coco_metrics(detect(model, judges), truth_of(judges)),
    }

    torch.manual_seed(0)
    plain = plain_network(settings, anchors)
    started = time.monotonic()
    train_plainly(plain, samples, files, settings, epochs * len(samples))
    seconds = time.monotonic() - started
    rows["plain"] = {
        "images_per_second": epochs * len(samples) / seconds,
        **coco_metrics(detect(plain, judges), truth_of(judges)),
    }
    report(
        "training_speed",
        **rows,
        ratio=rows["ours"]["images_per_second"] / rows["plain"]["images_per_second"],
        threads=torch.get_num_threads(),
        bars={"ratio": 2},
    )


if __name__ == "__main__":
    main()
