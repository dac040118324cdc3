"""Fine-tuning in the small: the backbone's last blocks learn from crops, from the right patients, to the same bytes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from annotation.crop import CROP
from tests.training.coloured_cells import coloured_cells
from training import cell_features, fine_tuning, run_classifier
from training.bundle import BundleError, read_bundle
from training.cell_features import FeatureExtractor
from training.cell_network import NetworkLesson
from training.classifier_bundle import Classifier, networks_of, sees_crops
from training.classifier_round import carry_out
from training.classifier_settings import ClassifierSettings
from training.classifier_target import Target
from training.crop_features import Stopped

PROMYELOCYTE = Target("Cell type", "Promyelocyte")
TINY = ClassifierSettings(
    learns="finetune", draws=100, views=0, folds=2, epochs=1, blocks=1, batch=6, units=8, rate=0.001, threads=1
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops of 32 px: a sixty-fourth of the work."""
    monkeypatch.setattr(cell_features, "INPUT", 32)


class Stripes:
    """Cells whose class is how their stripes lie; of each row it keeps who asked for it."""

    def __init__(self, count: int, eye: FeatureExtractor) -> None:
        rng = np.random.default_rng(3)
        self.targets = np.arange(count) % 2
        self.patients = np.array([f"p{n // 4}" for n in range(count)])
        self.crops = [self._drawn(int(target), rng) for target in self.targets]
        self.features = eye.extract(self.crops)
        self.views: list[Any] = []
        self.seen: list[tuple[int, int]] = []

    def _drawn(self, target: int, rng: np.random.Generator) -> Image.Image:
        pixels = rng.normal(150, 40, (CROP, CROP, 3))
        pixels[(slice(None), slice(None, None, 2))[:: 1 - 2 * target]] += 30
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))

    def __len__(self) -> int:
        return len(self.crops)

    def crop(self, row: int) -> Image.Image:
        return self.crops[row]

    def view(self, row: int, number: int) -> Image.Image:
        self.seen.append((row, number))
        return self.crops[row]

    def lesson(self, rows: list[int]) -> NetworkLesson:
        chosen = np.array(rows)
        return NetworkLesson("stripes", 1, chosen, self.targets[chosen], self.patients[chosen], 2, 0)


def test_the_last_blocks_learn_and_the_rest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    eye = FeatureExtractor()
    cells, told = Stripes(24, eye), list[dict[str, Any]]()
    # Whatever the patients set aside say: the network is that of the last pass.
    surprises = iter([1.0, 0.5])
    monkeypatch.setattr(fine_tuning, "_surprise", lambda *given: next(surprises))
    teacher = fine_tuning.teacher(TINY, cells, told.append, lambda: True)
    network, head = teacher.teach(cells.lesson(list(range(20))))
    before, after = eye.body.state_dict(), network.to_tensors()
    changed = {name for name, value in before.items() if (after[f"body.{name}"] != value.numpy()).any()}
    assert changed and all(name.startswith("blocks.6.") for name in changed)
    # Each view is another, and nobody else's cell is looked at; a fifth of the five patients is set aside.
    assert len(set(number for _, number in cells.seen)) == len(cells.seen) == 16
    assert len({cells.patients[row] for row, _ in cells.seen}) == 4 and max(row for row, _ in cells.seen) < 20
    steps = [event for event in told if event["event"] == "step"]
    assert [event["step"] for event in steps] == [1, 2, 3] and steps[-1]["eta_seconds"] == 0
    assert {(event["fold"], event["steps"], event["epochs"]) for event in steps} == {(1, 3, 1)}
    # What is written is read as the same.
    scores = network.scores(cells.crops[:2])
    read = fine_tuning.load(network.facts, after)
    assert (read.scores(cells.crops[:2]) == scores).all()
    assert network.scored(network.maps(cells.crops[0])).numpy() == pytest.approx(scores[0], abs=1e-4)
    assert head.probabilities(scores).sum(axis=1) == pytest.approx([1, 1])
    assert network.facts == {"backbone": "efficientnet_lite0", "side": 32, "hidden": [8]}


def test_where_no_pass_helps_the_network_is_what_it_began_with(monkeypatch: pytest.MonkeyPatch) -> None:
    eye = FeatureExtractor()
    cells = Stripes(12, eye)
    surprises = iter([0.5, 1.0])
    monkeypatch.setattr(fine_tuning, "_surprise", lambda *given: next(surprises))
    network, _ = fine_tuning.teacher(TINY, cells, lambda event: None, lambda: True).teach(cells.lesson([*range(12)]))
    after = network.to_tensors()
    assert all((after[f"body.{name}"] == value.numpy()).all() for name, value in eye.body.state_dict().items())


def test_an_end_is_heeded_within_a_step() -> None:
    cells, asked = Stripes(12, FeatureExtractor()), list[int]()

    def wanted() -> bool:
        # Patients that are set aside are looked at first, four crops of them.
        asked.append(1)
        return len(asked) < 6

    with pytest.raises(Stopped):
        fine_tuning.teacher(TINY, cells, lambda event: None, wanted).teach(cells.lesson([*range(12)]))
    assert len(asked) == 6


def test_a_round_makes_a_bundle_that_sees_crops_and_goes_on_after_a_kill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot, out = coloured_cells(tmp_path, patients=4, each=4), tmp_path / "out"
    taught: list[int | None] = []
    teach = fine_tuning.FineTuning.teach

    def watched(self: Any, lesson: NetworkLesson) -> Any:
        taught.append(lesson.fold)
        return teach(self, lesson)

    monkeypatch.setattr(fine_tuning.FineTuning, "teach", watched)
    arguments = [str(snapshot.folder), str(out), "--group", "Cell type", "--label", "Promyelocyte"]
    arguments += [text for name, value in TINY.as_dict().items() for text in ("--set", f"{name}={value}")]
    assert run_classifier.main(arguments) == 0
    said = json.loads(capsys.readouterr().out)
    bundle = read_bundle(out / "bundle", "classifier")
    assert said["bundle"] == bundle.id and sees_crops(bundle.card) and taught == [0, 1, None]
    # Killed after the first fold: it is not learned again, and the bytes are the same.
    made = (out / "bundle" / "weights.safetensors").read_bytes()
    (out / "result.json").unlink()
    next(out.glob("taught-*/1-1.npy")).unlink()
    assert run_classifier.main(arguments) == 0
    assert taught == [0, 1, None, 1, None] and json.loads(capsys.readouterr().out)["bundle"] == bundle.id
    assert (out / "bundle" / "weights.safetensors").read_bytes() == made

    classifier, eye = Classifier.load(out / "bundle"), networks_of(out / "bundle")
    assert classifier.sees_crops and classifier.backbone == eye.name and eye.name.startswith("finetune:")
    crop = Image.new("RGB", (CROP, CROP), (170, 60, 80))
    found = classifier.probabilities(eye.extract([crop, crop]))
    assert found["Promyelocyte"].shape == (2,) and 0 <= found["Promyelocyte"][0] <= 1
    card = bundle.card["architecture"]
    assert card["networks"] == [{"backbone": "efficientnet_lite0", "side": 32, "hidden": [8]}]
    with pytest.raises(BundleError, match="not those of its networks"):
        monkeypatch.setattr(fine_tuning, "load", lambda facts, tensors: {}["gone"])
        networks_of(out / "bundle")


def test_layers_are_heads_with_layers(tmp_path: Path) -> None:
    from tests.training.coloured_cells import MeanColour

    settings = ClassifierSettings(learns="layers", draws=100, views=0, layers=1, units=16, dropout=0.0)
    (tmp_path / "out").mkdir()
    carry_out(coloured_cells(tmp_path, 6, 6), PROMYELOCYTE, settings, 0, MeanColour(), tmp_path / "out")
    card = read_bundle(tmp_path / "out" / "bundle").card
    assert card["metrics"]["auroc"]["value"] > 0.9
    assert card["architecture"]["heads"][0]["hidden"] == [16] and not sees_crops(card)
    found = Classifier.load(tmp_path / "out" / "bundle").probabilities(np.array([[0.7, 0.2, 0.3]], np.float32))
    assert found["Promyelocyte"][0] > 0.7
