"""The whole-image baseline: that it learns, that no network judges whom it was taught on, and that it goes on."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from tests.training.pictured_patients import picture, pictured_patients
from training import image_network, image_round, run_diagnosis
from training.bundle import BundleError, read_bundle
from training.crop_features import Stopped
from training.decisions import DecisionError, asked_of
from training.diagnosis_settings import ImageSettings
from training.image_bundle import ImageModel
from training.image_lesson import image_lesson
from training.image_network import ImageNetwork
from training.image_pixels import small, varied
from training.image_round import carry_out
from training.judged_chances import read_judged_chances
from training.snapshot import Snapshot, SnapshotError

QUICK = ImageSettings(size=48, passes=56, batch=8, lr=2e-3, augmentation=0.0, draws=100)
ONE_STEP = ImageSettings(size=32, passes=2, batch=2, draws=100)
DECISION = "APL vs non-APL AML"


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, Path]:
    """Taught once for all that ask what a taught one says."""
    folder = tmp_path_factory.mktemp("taught")
    snapshot = pictured_patients(folder / "patients")
    out = folder / "out"
    out.mkdir()
    carry_out(snapshot, QUICK, 0, out)
    return snapshot, out


def test_what_an_image_shows_as_a_whole_is_learned(taught: tuple[Snapshot, Path]) -> None:
    snapshot, out = taught
    card = read_bundle(out / "bundle", "image").card
    assert card["metrics"]["auroc"]["value"] > 0.9 and card["metrics"]["images"] == 24
    assert [fold["fold"] for fold in card["judged"][DECISION]["folds"]] == [0, 1, 2]
    assert card["left_out"].keys() == {"APL vs healthy donor"}
    [part] = read_judged_chances(out / "judged.json")
    assert part["name"] == DECISION and len(part["ids"]) == 12


def test_a_bundle_says_of_other_images_what_it_has_learned(taught: tuple[Snapshot, Path]) -> None:
    snapshot, out = taught
    model = ImageModel.load(out / "bundle")
    chance = np.random.default_rng(9)
    # Also larger than what it was taught on, and with a long side.
    apl, other = ([model.seen(picture(kind, chance).resize((200, 150))) for _ in range(3)] for kind in (True, False))
    chain = model.chain_for({"0" * 64})
    assert chain == "all"
    assert model.probabilities(chain, apl)[DECISION][0] > model.probabilities(chain, other)[DECISION][0]
    # A patient it was taught on is judged as it was in the round.
    entry = snapshot.images[0]
    assert model.chain_for({entry["sha256"]}) == str(entry["fold"] % 3)
    own = [image for image in snapshot.images if image["group"] == entry["group"]]
    said = model.probabilities(str(entry["fold"] % 3), [model.seen(Image.open(snapshot.path(each))) for each in own])
    judged = {each["patient"]: each["probability"] for each in model.card["judged"][DECISION]["by_patient"]}
    assert said[DECISION][0] == pytest.approx(judged[entry["group"]], abs=1e-4)


def test_a_network_begins_alike_whether_it_is_the_first_of_its_process_or_not() -> None:
    begun = []
    image_network._body.cache_clear()
    for _ in range(2):
        torch.manual_seed(4)
        begun.append(ImageNetwork("efficientnet_lite0", [2]).to_tensors()["last.weight"])
    assert (begun[0] == begun[1]).all()


def test_damaged_weights_are_told(taught: tuple[Snapshot, Path], tmp_path: Path) -> None:
    _, out = taught
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "card.json").write_bytes((out / "bundle" / "card.json").read_bytes())
    (bundle / "weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(BundleError):
        ImageModel.load(bundle)


def test_no_network_judges_a_patient_that_it_was_taught_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    snapshot = pictured_patients(tmp_path / "patients")

    class Remembers:
        def __init__(self, images: Sequence[NDArray[np.uint8]]) -> None:
            self.taught_on = {image.tobytes() for image in images}
            self.judged = 0

    def scored(network: Any, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float64]]:
        assert not network.taught_on & {image.tobytes() for image in images}
        network.judged += 1
        return [np.array([0.0, 1.0])]

    made: list[Remembers] = []

    def teach(lesson: Any, *_: Any, **__: Any) -> Remembers:
        made.append(Remembers(lesson.images))
        return made[-1]

    monkeypatch.setattr(image_round, "teach_network", teach)
    monkeypatch.setattr(image_round, "mean_scores", scored)
    monkeypatch.setattr(image_round, "_keep", lambda *_: None)
    monkeypatch.setattr(image_round, "write_image_bundle", lambda *_: read_bundle)
    with pytest.raises(AttributeError, match="id"):
        carry_out(snapshot, QUICK, 0, tmp_path)
    assert [(len(each.taught_on), each.judged) for each in made] == [(16, 4), (16, 4), (16, 4), (24, 0)]


def test_a_training_that_was_ended_goes_on_to_the_same_bundle(tmp_path: Path) -> None:
    snapshot = pictured_patients(tmp_path / "patients", 6, 1)
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    for out in (whole, parted):
        out.mkdir()
    made = carry_out(snapshot, ONE_STEP, 0, whole)
    told: list[dict[str, Any]] = []

    def until_second() -> bool:
        return sum(event["event"] == "step" for event in told) < 2

    with pytest.raises(Stopped):
        carry_out(snapshot, ONE_STEP, 0, parted, tell=told.append, wanted=until_second)
    again: list[dict[str, Any]] = []
    assert carry_out(snapshot, ONE_STEP, 0, parted, tell=again.append)["bundle"] == made["bundle"]
    assert sum(event["event"] == "step" for event in again) == 2
    assert not list(parted.glob("network-*"))


def test_the_command_says_what_it_made_and_why_it_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = pictured_patients(tmp_path / "patients", 6, 1)

    def command(out: str, *more: str) -> list[str]:
        small = ["--set", "size=32", "--set", "passes=2", "--set", "batch=2", "--set", "draws=100"]
        return [str(snapshot.folder), str(tmp_path / out), "--kind", "image", *small, *more]

    assert run_diagnosis.main(command("out")) == 0
    made = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    monkeypatch.setattr(image_round, "carry_out", None)
    assert run_diagnosis.main(command("out")) == 0
    assert json.loads(capsys.readouterr().out.strip().splitlines()[-1]) == made
    assert run_diagnosis.main(command("more", "--set", "decisions=apl/healthy")) == 1
    assert "No patient with images has the diagnosis healthy donor" in capsys.readouterr().err


def test_images_that_were_picked_for_their_cells_are_left_out(tmp_path: Path) -> None:
    manifest = pictured_patients(tmp_path / "patients", 6, 1, extra=2).manifest
    decisions = asked_of(manifest, "apl/non_apl_aml")
    lesson = image_lesson(manifest, decisions, 3)
    assert len(lesson.entries) == 6 and len(manifest["images"]) == 18
    picked = {**manifest, "images": [{**image, "sample": "extra"} for image in manifest["images"]]}
    with pytest.raises(DecisionError, match="No patient has an image"):
        image_lesson(picked, decisions, 3)


def test_an_image_that_is_damaged_is_named(tmp_path: Path) -> None:
    snapshot = pictured_patients(tmp_path / "patients", 6, 1)
    path = snapshot.path(snapshot.images[0])
    path.unlink()
    path.write_bytes(b"no image")
    with pytest.raises(SnapshotError, match=path.name):
        carry_out(snapshot, ONE_STEP, 0, tmp_path)


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_parts_that_are_varied_are_squares_drawn_by_chance(strength: float) -> None:
    pixels = small(picture(True, np.random.default_rng(0)).resize((130, 90)), 60)
    assert pixels.shape[1] == 60 and 85 <= pixels.shape[2] <= 88

    def drawn(seed: int) -> NDArray[np.uint8]:
        return varied(pixels, 40, np.random.default_rng(seed), strength)

    assert drawn(1).shape == (3, 40, 40)
    np.testing.assert_array_equal(drawn(1), drawn(1))
    assert (drawn(1) != drawn(2)).any()


def test_patients_of_one_decision_alone_teach_that_one(make_network: Callable[[], ImageNetwork]) -> None:
    from training.image_teaching import _loss

    network = make_network()
    shown = np.random.default_rng(0).integers(0, 255, (2, 3, 32, 32), dtype=np.uint8)
    scores = network(network.as_input(shown))
    both = _loss(scores, [np.array([0, 1]), np.array([-1, -1])])
    both.backward()  # type: ignore[no-untyped-call]
    gradient = network.last.weight.grad
    assert gradient is not None and gradient[:2].abs().sum() > 0 and gradient[2:].abs().sum() == 0


@pytest.fixture
def make_network() -> Callable[[], ImageNetwork]:
    return lambda: ImageNetwork("efficientnet_lite0", [2, 2], pretrained=False)
