"""What small things lie in a cell, wherever they lie (Auer rods above all): a small convolution on the finest map of a
frozen backbone, of which the few places that speak loudest decide. Means over a cell drown what fills a hundredth of
it. Free of Django.

The map (stride 8) is that of the middle of a crop, where the cell is; each place knows how far from there it lies, so
that neighbours can be told. Which places hold what is wanted is never said: labels are of cells.

Tried on synthetic cells (21 Nov 2026), judged by 40 patients of a seed of their own, AUROC of Auer rods. Of 432 cells:
as it is, but without views, 0.939; a soft maximum of all places in place of the five loudest 0.926; without norms
between the layers nothing in 340 steps. Of 1,520 cells: without those norms 0.958, as it is 0.969, with a second layer
of 3 x 3 0.964, with one view of each cell 0.977; half as many steps again, or maps turned and averaged, gained nothing.
As a round teaches it, with two views and an eighth of the patients set aside to calibrate, 0.967.
"""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import OneCycleLR

from training.backbone import build_body, freeze_norms, input_scale
from training.cell_head import Head, HeadError, calibration, class_weights, parts_of
from training.cell_network import Cells, NetworkLesson, Tell, Tensors, Wanted
from training.classifier_settings import ClassifierSettings
from training.crop_features import Stopped
from training.folded_norm import fold_norms

# Side in px at which the backbone sees a crop, and of the middle of it that is looked at: 19 µm of 26.
SIDE, MIDDLE = 256, 192
# Channels of the head, and how many places decide.
WIDTH, LOUDEST = 32, 5
# Cells a step, and steps at least: few cells are passed over more often, as nothing is learned in the first few
# hundred steps, until some places have been found.
BATCH, STEPS, PASSES = 32, 800, 16
RATE, DECAY, WARM_UP = 1e-2, 1e-2, 0.15
# One in so many patients is set aside, by whom scores are calibrated.
ASIDE = 8


class Places(nn.Module):
    """Maps (n, C, h, w) to how loudly each place speaks for each class that it can speak for, (n, K', h, w): for two
    classes that is the second alone."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.scale = nn.BatchNorm2d(channels, affine=False)
        self.layers = nn.Sequential(
            nn.Conv2d(channels + 1, WIDTH, 1, bias=False),
            nn.BatchNorm2d(WIDTH),
            nn.ReLU(),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False),
            nn.BatchNorm2d(WIDTH),
            nn.ReLU(),
            nn.Conv2d(WIDTH, 1 if classes == 2 else classes, 1),
        )

    def forward(self, maps: Tensor) -> Tensor:
        height, width = maps.shape[2:]
        far = torch.linspace(-1, 1, height)[:, None] ** 2 + torch.linspace(-1, 1, width)[None] ** 2
        seen = torch.cat([self.scale(maps), far.to(maps).expand(len(maps), 1, height, width)], dim=1)
        found: Tensor = self.layers(seen)
        return found


def loudest(places: Tensor) -> Tensor:
    """(n, K) scores, of places (n, K', h, w): means of the few that speak loudest."""
    flat = places.flatten(2)
    found = flat.topk(min(LOUDEST, flat.shape[2]), dim=2).values.mean(dim=2)
    return torch.cat([torch.zeros_like(found), found], dim=1) if found.shape[1] == 1 else found


class Front:
    """A frozen body of which the finest map is looked at, that of the middle of a crop; of EfficientNets without what
    comes after it. `weights` are in place of ImageNet's. Raises BackboneError, and RuntimeError for weights of another.
    """

    def __init__(self, backbone: str, weights: Mapping[str, Tensor] | None = None) -> None:
        body = build_body(backbone, pretrained=weights is None)
        blocks, stages = getattr(body, "blocks", None), getattr(body, "_stage_out_idx", None)
        if isinstance(blocks, nn.Sequential) and isinstance(stages, dict):
            body.blocks = blocks[: min(stages)]
        freeze_norms(body)
        fold_norms(body)
        if weights is not None:
            body.load_state_dict(weights)
        self.backbone = backbone
        self.body = body.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        scale, shift = input_scale(backbone)
        self._scale, self._shift = np.array(scale, dtype=np.float32), np.array(shift, dtype=np.float32)

    def map(self, crop: Image.Image) -> Tensor:
        """(1, C, h, w) of a crop."""
        edge = (SIDE - MIDDLE) // 2
        whole = crop.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        pixels = np.asarray(whole.crop((edge, edge, edge + MIDDLE, edge + MIDDLE)), dtype=np.float32)
        image = torch.from_numpy(pixels / self._scale - self._shift).permute(2, 0, 1)[None]
        found: Tensor = self.body(image.contiguous(memory_format=torch.channels_last))[0]
        return found


class LocalNetwork:
    """As training/cell_network.py, CellNetwork has it. Its only map is how loudly each place speaks, so that gradients
    show the places that decided."""

    def __init__(self, front: Front, places: Places) -> None:
        self._front, self._places = front, places

    @property
    def facts(self) -> dict[str, Any]:
        return {"backbone": self._front.backbone, "side": SIDE, "middle": MIDDLE, "classes": self._places.classes}

    def to_tensors(self) -> dict[str, NDArray[np.float32]]:
        parts: dict[str, nn.Module] = {"front": self._front.body, "places": self._places}
        return {
            f"{part}.{name}": value.numpy().astype(np.float32)
            for part, module in parts.items()
            for name, value in module.state_dict().items()
        }

    def scores(self, crops: Sequence[Image.Image]) -> NDArray[np.float32]:
        with torch.inference_mode():
            # One by one, as batches would round differently by their size.
            found = [self.scored(self.maps(crop)).numpy() for crop in crops]
        return np.stack(found) if found else np.zeros((0, self._places.classes), np.float32)

    def maps(self, crop: Image.Image) -> list[Tensor]:
        """One map (1, K', h, w) of the whole crop, around whose middle nothing speaks."""
        places = self._places(self._front.map(crop))
        side = round(places.shape[-1] * SIDE / MIDDLE)
        before = (side - places.shape[-1]) // 2
        after = side - places.shape[-1] - before
        return [functional.pad(places, (before, after, before, after))]

    def scored(self, maps: Sequence[Tensor]) -> Tensor:
        side = maps[0].shape[-1]
        kept = round(side * MIDDLE / SIDE)
        before = (side - kept) // 2
        return loudest(maps[0][:, :, before : before + kept, before : before + kept])[0]


def load(facts: Mapping[str, Any], tensors: Tensors) -> LocalNetwork:
    """Raises KeyError, ValueError or RuntimeError where they do not fit together."""
    if (facts["side"], facts["middle"]) != (SIDE, MIDDLE):
        raise ValueError(f"its crops are seen at {facts['side']} px, of which {facts['middle']} are looked at")
    front = Front(str(facts["backbone"]), _below(tensors, "front."))
    places = Places(len(tensors["places.scale.running_mean"]), int(facts["classes"]))
    places.load_state_dict(_below(tensors, "places."))
    return LocalNetwork(front, places.eval().requires_grad_(False))


def teacher(settings: ClassifierSettings, cells: Cells, tell: Tell, wanted: Wanted) -> "LocalTeacher":
    return LocalTeacher(settings, cells, tell, wanted)


class LocalTeacher:
    """Teaches the networks of a round one after the other; what the frozen backbone sees of a cell is kept for all."""

    def __init__(self, settings: ClassifierSettings, cells: Cells, tell: Tell, wanted: Wanted) -> None:
        self._settings, self._cells, self._tell, self._wanted = settings, cells, tell, wanted
        self._front = Front(settings.backbone)
        # By view (0: the crop itself) and row.
        self._seen: dict[tuple[int, int], Tensor] = {}

    def teach(self, lesson: NetworkLesson) -> tuple[LocalNetwork, Head]:
        if len(np.unique(lesson.targets)) < 2:
            raise HeadError("All cells have one label: a head needs two to tell apart.")
        parts = parts_of(lesson.patients, lesson.targets, lesson.seed, ASIDE)
        aside = np.zeros(len(lesson.rows), bool) if parts is None else parts == 0
        if len(np.unique(lesson.targets[~aside])) < 2:
            aside[:] = False
        self._see_all(lesson.rows)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(lesson.seed)
            places = Places(self._see(int(lesson.rows[0]), 0).shape[0], lesson.classes)
            self._learn(places, lesson, np.flatnonzero(~aside))
        network = LocalNetwork(self._front, places.eval().requires_grad_(False))
        with torch.inference_mode():
            found = [loudest(places(self._see(int(row), 0)[None].float())) for row in lesson.rows[aside]]
        scores = torch.cat(found).numpy() if found else np.zeros((0, lesson.classes))
        return network, calibration(scores, lesson.targets[aside])

    def _see_all(self, rows: NDArray[np.int64]) -> None:
        pairs = [(int(row), view) for row in rows for view in range(1 + self._settings.views)]
        missing = [pair for pair in pairs if pair not in self._seen]
        begun = time.monotonic()
        for done, (row, view) in enumerate(missing, start=1):
            self._see(row, view)
            if done % BATCH == 0 or done == len(missing):
                left = (time.monotonic() - begun) / done * (len(missing) - done)
                self._tell({"event": "features", "done": done, "cells": len(missing), "eta_seconds": round(left, 1)})

    def _see(self, row: int, view: int) -> Tensor:
        """(C, h, w) in half precision, of a crop or a view of it."""
        if (row, view) not in self._seen:
            if not self._wanted():
                raise Stopped
            crop = self._cells.view(row, view) if view else self._cells.crop(row)
            with torch.inference_mode():
                self._seen[row, view] = self._front.map(crop)[0].half().contiguous()
        return self._seen[row, view]

    def _learn(self, places: Places, lesson: NetworkLesson, learns: NDArray[np.int64]) -> None:
        """Of so many of the lesson's cells, turned and mirrored anew in each step."""
        rng = np.random.default_rng(lesson.seed)
        weight = torch.from_numpy(
            class_weights(lesson.targets[learns], lesson.classes, np.ones(len(learns))).astype(np.float32)
        )
        truth = torch.from_numpy(lesson.targets[learns])
        batch = min(BATCH, len(learns))
        steps = max(STEPS, math.ceil(PASSES * len(learns) / batch))
        optimizer = torch.optim.AdamW(places.parameters(), RATE, weight_decay=DECAY)
        schedule = OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=WARM_UP)
        begun, order = time.monotonic(), np.zeros(0, int)
        places.train()
        for step in range(1, steps + 1):
            if not self._wanted():
                raise Stopped
            if len(order) < batch:
                order = np.concatenate([order, rng.permutation(len(learns))])
            own, order = order[:batch], order[batch:]
            drawn = rng.integers(1 + self._settings.views, size=batch)
            maps = [self._see(int(lesson.rows[learns[at]]), int(view)) for at, view in zip(own, drawn, strict=True)]
            seen = _turned(torch.stack(maps).float(), int(rng.integers(8)))
            each = functional.cross_entropy(loudest(places(seen)), truth[own], reduction="none")
            loss = (each * weight[own]).sum() / weight[own].sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            left = (time.monotonic() - begun) / step * (steps - step)
            told: dict[str, Any] = {"fold": lesson.fold, "epoch": 1 + (step - 1) * PASSES // steps, "epochs": PASSES}
            told |= {"step": step, "steps": steps, "loss": float(loss.detach()), "eta_seconds": round(left, 1)}
            self._tell({"event": "step", **told})


def _turned(maps: Tensor, way: int) -> Tensor:
    """Maps (n, C, h, w) in one of eight ways: turned by quarters, and from 4 on mirrored."""
    turned = torch.rot90(maps, way % 4, (2, 3))
    return turned.flip(3) if way > 3 else turned


def _below(tensors: Tensors, prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): torch.from_numpy(np.array(value))
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
