"""A head on places in the small: a mark anywhere in a cell is found, and so is the place where it lies."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from annotation.crop import CROP
from tests.training.coloured_cells import coloured_cells
from training import local_head, run_classifier
from training.bundle import read_bundle
from training.cell_features import FeatureExtractor
from training.cell_head import HeadError
from training.cell_network import NetworkLesson, network_name
from training.classification_metrics import auroc
from training.classifier_bundle import Classifier, networks_of
from training.classifier_settings import ClassifierSettings
from training.crop_features import Stopped

SETTINGS = ClassifierSettings(views=0)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops of 64 px and few steps: a hundredth of the work."""
    for name, value in {"SIDE": 64, "MIDDLE": 48, "STEPS": 60, "PASSES": 1, "BATCH": 8}.items():
        monkeypatch.setattr(local_head, name, value)


class Marked:
    """Cells of which each second has a dark bar somewhere; of each row and view it keeps that it was looked at."""

    def __init__(self, count: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.targets = np.arange(count) % 2
        self.patients = np.array([f"p{n // 4}" for n in range(count)])
        # Where the bar is, or would be, as (x, y) in px of a crop.
        self.marks = rng.uniform(0.25, 0.75, (count, 2)) * CROP
        self.crops = [self._drawn(number, rng) for number in range(count)]
        self.seen: list[tuple[int, int]] = []

    def _drawn(self, number: int, rng: np.random.Generator) -> Image.Image:
        pixels = rng.normal(180, 6, (CROP, CROP, 3))
        x, y = self.marks[number].astype(int)
        # As dark as ever in the mean, so that no mean tells.
        pixels -= 0 if self.targets[number] else 110 * 16 * 48 / CROP**2
        pixels[y - 24 : y + 24, x - 8 : x + 8] -= 110 * self.targets[number]
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))

    def __len__(self) -> int:
        return len(self.crops)

    def crop(self, row: int) -> Image.Image:
        self.seen.append((row, 0))
        return self.crops[row]

    def view(self, row: int, number: int) -> Image.Image:
        self.seen.append((row, number))
        return self.crops[row]

    @property
    def features(self) -> Any:
        raise AssertionError("Nobody asks for features.")

    views = features

    def lesson(self, rows: range, targets: Any = None) -> NetworkLesson:
        chosen = np.array(rows)
        wanted = self.targets if targets is None else np.asarray(targets)
        classes = int(wanted.max()) + 1
        return NetworkLesson("marks", 1, chosen, wanted[chosen], self.patients[chosen], max(classes, 2), 0)


def taught(cells: Marked, rows: range, settings: ClassifierSettings = SETTINGS, targets: Any = None) -> Any:
    teacher = local_head.teacher(settings, cells, lambda event: None, lambda: True)
    return teacher.teach(cells.lesson(rows, targets))


def test_a_mark_is_found_anywhere_and_so_is_its_place() -> None:
    cells, others = Marked(48), Marked(40, seed=1)
    network, head = taught(cells, range(48))
    scores = network.scores(others.crops)
    assert auroc(head.probabilities(scores)[:, 1], others.targets == 1) > 0.95
    gone = []
    for number in np.flatnonzero(others.targets):
        (places,) = network.maps(others.crops[number])
        at = np.argwhere(places[0, 0].numpy() == places[0, 0].max().item())[0][::-1]
        gone.append(np.hypot(*((at + 0.5) * CROP / places.shape[-1] - others.marks[number])))
    # A place is an eighth of the crop wide.
    assert np.median(gone) < CROP / 8


def test_the_front_is_the_body_up_to_its_finest_map() -> None:
    whole, front = FeatureExtractor().body, local_head.Front("efficientnet_lite0").body
    image = torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64)
    with torch.inference_mode():
        (found,) = front(image)
        assert torch.equal(found, whole(image)[0])
    assert sum(each.numel() for each in front.parameters()) < 0.05 * sum(each.numel() for each in whole.parameters())


def test_a_network_is_read_as_it_was_written_and_the_same_lesson_gives_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local_head, "STEPS", 8)
    cells = Marked(16)
    network, head = taught(cells, range(16))
    again, _ = taught(Marked(16), range(16))
    assert network_name("local", [network]) == network_name("local", [again])
    read = local_head.load(network.facts, network.to_tensors())
    scores = network.scores(cells.crops[:3])
    assert (read.scores(cells.crops[:3]) == scores).all() and scores.dtype == np.float32
    # What it says of a crop depends on that crop alone.
    assert (network.scores(cells.crops[2:3])[0] == scores[2]).all()
    assert head.probabilities(scores).sum(axis=1) == pytest.approx([1, 1, 1])
    with pytest.raises(RuntimeError):
        local_head.load({**network.facts, "classes": 3}, network.to_tensors())
    with pytest.raises(ValueError, match="seen at 512 px"):
        local_head.load({**network.facts, "side": 512}, network.to_tensors())


def test_gradients_go_to_the_places_that_decide_and_none_outside_the_middle() -> None:
    cells = Marked(16)
    network, _ = taught(cells, range(16))
    (places,) = network.maps(cells.crops[1])
    assert places.shape == (1, 1, 8, 8)
    places.requires_grad_(True)
    scored = network.scored([places])
    assert scored.detach().numpy() == pytest.approx(network.scores([cells.crops[1]])[0], abs=1e-5)
    scored[1].backward()
    gradient = places.grad[0, 0].numpy()  # type: ignore[index]
    assert (gradient > 0).sum() == local_head.LOUDEST and gradient.sum() == pytest.approx(1)
    assert not gradient[0].any() and not gradient[:, 0].any() and not gradient[-1].any() and not gradient[:, -1].any()


def test_nobody_elses_cells_are_looked_at_and_what_is_set_aside_only_calibrates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local_head, "STEPS", 3)
    cells = Marked(24)
    settings = ClassifierSettings(views=1)
    network, _ = taught(cells, range(16), settings)
    assert sorted(set(cells.seen)) == [(row, view) for row in range(16) for view in range(2)]
    assert len(cells.seen) == 32
    parts = local_head.parts_of(cells.patients[:16], cells.targets[:16], 0, local_head.ASIDE)
    assert parts is not None
    aside = np.flatnonzero(parts == 0)
    assert 0 < len(aside) < 8
    # Their pictures are others', and the network is the same; of one that teaches it is not.
    for rows, alike in ((aside, True), ([np.flatnonzero(parts == 1)[0]], False)):
        other = Marked(24)
        for row in rows:
            other.crops[row] = Image.new("RGB", (CROP, CROP), (10, 200, 10))
        found, _ = taught(other, range(16), settings)
        assert (network_name("local", [found]) == network_name("local", [network])) is alike


def test_more_than_two_classes_have_a_map_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_head, "STEPS", 2)
    cells = Marked(12)
    network, head = taught(cells, range(12), targets=np.arange(12) % 3)
    scores = network.scores(cells.crops[:2])
    assert scores.shape == (2, 3) and network.maps(cells.crops[0])[0].shape == (1, 3, 8, 8)
    assert head.probabilities(scores).shape == (2, 3)


def test_an_end_is_heeded_within_a_step_and_one_label_teaches_nothing() -> None:
    cells, told = Marked(12), list[dict[str, Any]]()

    def wanted() -> bool:
        return len(told) < 2

    with pytest.raises(Stopped):
        local_head.teacher(SETTINGS, cells, told.append, wanted).teach(cells.lesson(range(12)))
    assert [event["event"] for event in told] == ["features", "features"]
    told.clear()
    with pytest.raises(Stopped):
        local_head.teacher(SETTINGS, cells, told.append, lambda: len(told) < 4).teach(cells.lesson(range(12)))
    assert [event["event"] for event in told] == ["features", "features", "step", "step"]
    assert told[3]["step"] == 2 and told[3]["steps"] == 60 and told[3]["eta_seconds"] > 0 and told[3]["fold"] == 1
    with pytest.raises(HeadError, match="needs two"):
        taught(cells, range(12), targets=np.zeros(12, int))


def test_a_round_learns_locally_and_its_bundle_sees_crops(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_head, "STEPS", 20)
    snapshot, out = coloured_cells(tmp_path, patients=4, each=4), tmp_path / "out"
    arguments = [str(snapshot.folder), str(out), "--group", "Cell type", "--label", "Promyelocyte"]
    for name, value in {"learns": "local", "views": 0, "folds": 2, "draws": 100}.items():
        arguments += ["--set", f"{name}={value}"]
    assert run_classifier.main(arguments) == 0
    bundle = read_bundle(out / "bundle", "classifier")
    card = bundle.card
    assert bundle.id == json.loads(capsys.readouterr().out)["bundle"] and card["metrics"]["auroc"]["value"] > 0.9
    facts = {"backbone": "efficientnet_lite0", "side": 64, "middle": 48, "classes": 2}
    assert card["architecture"]["networks"] == [facts]
    eye = networks_of(out / "bundle")
    assert eye.name.startswith("local:")
    crop = Image.new("RGB", (CROP, CROP), (170, 60, 80))
    found = Classifier.load(out / "bundle").probabilities(eye.extract([crop]))
    assert 0 <= found["Promyelocyte"][0] <= 1
