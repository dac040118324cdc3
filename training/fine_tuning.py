"""Fine-tuning: the last blocks of the backbone and the layers after it learn from the crops themselves, in other views
at each pass. Free of Django.

It begins where layers on the stored features end (training/cell_layers.py), with a fifth of the patients set aside. The
network is that of the pass after which their classes are least surprising, or none where none helped; temperature and
offsets are fitted on them. Rare classes are drawn more often, always in another view. The batch norms keep ImageNet's
statistics, as the detector's do. On a CPU the same lesson gives the same network, where one thread computes: several
may add up in another order each time.

Tried on apl-patients, inside the training patients of one fold: two passes ranked no better than a linear head
(tests/benchmarks/fine_tuning.py), which stays the default.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from training.backbone import last_blocks
from training.cell_features import FeatureExtractor
from training.cell_head import Head, calibration, class_weights, parts_of
from training.cell_layers import fit_layers, tensor_scores
from training.cell_network import Cells, Features, NetworkLesson, Tell, Tensors, Wanted
from training.classifier_settings import ClassifierSettings
from training.crop_features import MOST_VIEWS, Stopped

# One in so many patients is set aside.
ASIDE = 5
# Of AdamW's one cycle; the longest step of the gradients.
WARM_UP, DECAY, CLIP = 0.2, 0.02, 1.0
# Threads that make views while the network learns.
MAKERS = 2


class TunedNetwork:
    """A backbone whose weights are its own, and layers on its features."""

    def __init__(self, eye: FeatureExtractor, head: Head) -> None:
        self._eye, self._head = eye, head

    @property
    def facts(self) -> dict[str, Any]:
        hidden = [len(bias) for _, bias in self._head.hidden]
        return {"backbone": self._eye.backbone, "side": self._eye.side, "hidden": hidden}

    def to_tensors(self) -> dict[str, NDArray[np.float32]]:
        body = {f"body.{name}": value.cpu().numpy() for name, value in self._eye.body.state_dict().items()}
        return body | {f"head.{name}": value for name, value in self._head.to_tensors().items()}

    def scores(self, crops: Sequence[Image.Image]) -> Features:
        return self._head.scores(self._eye.extract(crops)).astype(np.float32)

    def maps(self, crop: Image.Image) -> list[Tensor]:
        return self._eye.maps(crop)

    def scored(self, maps: Sequence[Tensor]) -> Tensor:
        return tensor_scores(self._head, self._eye.pooled(maps))


def load(facts: Mapping[str, Any], tensors: Tensors) -> TunedNetwork:
    """Raises KeyError, ValueError or RuntimeError where they do not fit together."""
    body = {
        name.removeprefix("body."): torch.from_numpy(np.asarray(value))
        for name, value in tensors.items()
        if name.startswith("body.")
    }
    head = {name.removeprefix("head."): value for name, value in tensors.items() if name.startswith("head.")}
    eye = FeatureExtractor(str(facts["backbone"]), body)
    eye.side = int(facts["side"])
    return TunedNetwork(eye, Head.from_tensors(head))


def teacher(settings: ClassifierSettings, cells: Cells, tell: Tell, wanted: Wanted) -> "FineTuning":
    return FineTuning(settings, cells, tell, wanted)


class FineTuning:
    """Teaches networks of a round, one after the other."""

    def __init__(self, settings: ClassifierSettings, cells: Cells, tell: Tell, wanted: Wanted) -> None:
        self._settings, self._cells, self._tell, self._wanted = settings, cells, tell, wanted
        # Where there is a GPU the network learns there; what it says of a crop is computed on the CPU, as always.
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @cached_property
    def _eye(self) -> FeatureExtractor:
        """What all networks begin as."""
        return FeatureExtractor(self._settings.backbone)

    def teach(self, lesson: NetworkLesson) -> tuple[TunedNetwork, Head]:
        settings = self._settings
        parts = parts_of(lesson.patients, lesson.targets, lesson.seed, ASIDE)
        aside = np.zeros(len(lesson.rows), bool) if parts is None else parts == 0
        start = self._start(lesson, ~aside)
        eye = deepcopy(self._eye)
        model = _Model(eye, start, settings.dropout).to(self._device).eval()
        for block in last_blocks(eye.body, settings.blocks):
            block.requires_grad_(True)
        learns = np.flatnonzero(~aside)
        optimizer = torch.optim.AdamW(model.learning(), settings.rate, weight_decay=DECAY)
        steps = settings.epochs * -(-len(learns) // settings.batch)
        schedule = OneCycleLR(optimizer, settings.rate, total_steps=max(steps, 2), pct_start=WARM_UP)
        kept, least, calibrated = _state(model), float("inf"), None
        for epoch in range(settings.epochs + 1):
            if epoch:
                self._pass(model, lesson, learns, epoch, optimizer, schedule)
            if not aside.any():
                kept = _state(model)
                continue
            scores = self._scores(model, lesson.rows[aside])
            found = calibration(scores, lesson.targets[aside])
            surprise = _surprise(found, scores, lesson.targets[aside])
            self._tell({"event": "log", "message": f"{lesson.name}, pass {epoch}: set aside {surprise:.4f}."})
            if surprise < least:
                kept, least, calibrated = _state(model), surprise, found
        model.load_state_dict(kept)
        model.cpu().eval().requires_grad_(False)
        network = TunedNetwork(eye, model.head())
        return network, calibrated or calibration(np.zeros((0, lesson.classes)), [])

    def _start(self, lesson: NetworkLesson, learns: NDArray[np.bool_]) -> Head:
        """Layers on the stored features, of those that learn."""
        tables = [self._cells.features, *self._cells.views]
        rows, settings = lesson.rows[learns], self._settings
        return fit_layers(
            np.concatenate([table[rows] for table in tables]),
            np.tile(lesson.targets[learns], len(tables)),
            np.tile(lesson.patients[learns], len(tables)),
            layers=settings.layers,
            units=settings.units,
            dropout=settings.dropout,
            seed=lesson.seed,
            classes=lesson.classes,
        )

    def _pass(
        self,
        model: "_Model",
        lesson: NetworkLesson,
        learns: NDArray[np.int64],
        epoch: int,
        optimizer: torch.optim.Optimizer,
        schedule: OneCycleLR,
    ) -> None:
        """Over as many crops as there are cells that learn (their places in the lesson)."""
        settings, rng = self._settings, np.random.default_rng([lesson.seed, epoch])
        weight = class_weights(lesson.targets[learns], lesson.classes, np.ones(len(learns)))
        drawn = learns[_drawn(weight, rng)]
        steps, begun = -(-len(drawn) // settings.batch), time.monotonic()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**62)))
            model.train()
            for step, (places, crops) in enumerate(self._batches(model, lesson, drawn, epoch), start=1):
                if not self._wanted():
                    raise Stopped
                truth = torch.from_numpy(lesson.targets[places]).to(self._device)
                loss = nn.functional.cross_entropy(model(crops.to(self._device)), truth)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.learning(), CLIP)
                optimizer.step()
                schedule.step()
                each = (time.monotonic() - begun) / step
                left = each * (steps * settings.epochs - (epoch - 1) * steps - step)
                self._tell(
                    {
                        "event": "step",
                        "fold": lesson.fold,
                        "epoch": epoch,
                        "epochs": settings.epochs,
                        "step": (epoch - 1) * steps + step,
                        "steps": settings.epochs * steps,
                        "loss": round(float(loss.detach()), 5),
                        "eta_seconds": round(left, 1),
                    }
                )
            model.eval()

    def _batches(
        self, model: "_Model", lesson: NetworkLesson, drawn: NDArray[np.int64], epoch: int
    ) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Places in the lesson and views of their crops (B, 3, side, side), made while the batch before it learns."""
        first = MOST_VIEWS + 1 + (epoch - 1) * len(drawn)

        def made(number: int) -> Tensor:
            crop = self._cells.view(int(lesson.rows[drawn[number]]), first + number)
            return model.eye.as_input(crop)[0]

        batch = self._settings.batch
        numbers = [range(start, min(start + batch, len(drawn))) for start in range(0, len(drawn), batch)]
        with ThreadPoolExecutor(MAKERS) as makers:
            coming = [makers.submit(made, number) for number in numbers[0]]
            for own, after in zip(numbers, [*numbers[1:], range(0)], strict=True):
                views = torch.stack([each.result() for each in coming])
                coming = [makers.submit(made, number) for number in after]
                yield drawn[own.start : own.stop], views.contiguous(memory_format=torch.channels_last)

    def _scores(self, model: "_Model", rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n, K) of crops as they are."""
        found = []
        with torch.inference_mode():
            for row in rows:
                if not self._wanted():
                    raise Stopped
                found.append(model(model.eye.as_input(self._cells.crop(int(row))).to(self._device)))
            scores: NDArray[np.float64] = torch.cat(found).double().cpu().numpy()
        return scores


class _Model(nn.Module):
    """The body of an extractor and the layers of a head, to be taught together."""

    def __init__(self, eye: FeatureExtractor, start: Head, dropout: float) -> None:
        super().__init__()
        self.eye, self.body = eye, eye.body
        steps: list[nn.Module] = []
        for weight, bias in start.hidden:
            steps += [_linear(weight, bias), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*steps, _linear(start.weight, start.bias))

    def forward(self, images: Tensor) -> Tensor:
        """(B, K) of images (B, 3, side, side)."""
        maps = self.body(images)
        pooled = [self.eye.pooled([each[n : n + 1] for each in maps]) for n in range(len(images))]
        scores: Tensor = self.layers(torch.stack(pooled))
        return scores

    def learning(self) -> list[nn.Parameter]:
        return [each for each in self.parameters() if each.requires_grad]

    def head(self) -> Head:
        linear = [each for each in self.layers if isinstance(each, nn.Linear)]
        steps = [(each.weight.detach().numpy().T.copy(), each.bias.detach().numpy().copy()) for each in linear]
        return Head(*steps[-1], hidden=tuple(steps[:-1]))


def _drawn(weight: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """(n,) numbers from 0 to n - 1 in random order, each as often as its weight (n,) says, but for less than one."""
    share = np.cumsum(weight) / weight.sum()
    at = (np.arange(len(weight)) + rng.random()) / len(weight)
    return rng.permutation(np.minimum(np.searchsorted(share, at), len(weight) - 1))


def _linear(weight: NDArray[np.float32], bias: NDArray[np.float32]) -> nn.Linear:
    """From weights (C, U) and constants (U,)."""
    linear = nn.Linear(*weight.shape)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(weight.T.copy()))
        linear.bias.copy_(torch.from_numpy(bias))
    return linear


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _surprise(head: Head, scores: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """The mean loss of cells under calibrated scores (n, K)."""
    chances = head.probabilities(scores)[np.arange(len(targets)), targets]
    return float(-np.log(np.maximum(chances, 1e-12)).mean())
