"""A snapshot, bundle or predictions file that is not what it should be is refused with one clear sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from inference.predictions import PredictionsError, read_predictions, write_predictions
from tests.training.snapshots import disc_snapshot
from training.bundle import BundleError, bundle_id, copy_bundle, read_bundle, write_bundle
from training.contract import content_hash
from training.snapshot import SnapshotError, read_snapshot, write_snapshot

CARD: dict[str, Any] = {
    "kind": "detector",
    "architecture": {"name": "faster_rcnn"},
    "inputs": {"size": 400},
    "classes": ["cell"],
    "snapshot": "0" * 64,
    "study": "discs",
    "folds": {},
    "groups": [],
    "images": [],
    "settings": {},
    "seed": 0,
    "versions": {},
    "metrics": None,
    "score_threshold": 0.5,
    "parent": None,
    "history": [],
}


def save_small(path: Path) -> None:
    save_file({"weight": torch.arange(4.0)}, path)


def rewrite(path: Path, change: Callable[[dict[str, Any]], None], *, rehash: bool = True) -> None:
    content = json.loads(path.read_text())
    change(content)
    if rehash:
        content["hash"] = content_hash(content)
    path.write_text(json.dumps(content))


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    return disc_snapshot(tmp_path, 3)


def test_a_snapshot_reads_back_and_is_named_by_its_hash(snapshot: Path):
    read = read_snapshot(snapshot)
    assert read.hash == snapshot.name
    assert len(read.images) == 3
    assert all(read.path(image).is_file() for image in read.images)


def test_the_same_data_is_written_once(snapshot: Path, tmp_path: Path):
    manifest = json.loads((snapshot / "manifest.json").read_text())
    paths = {image["sha256"]: snapshot / image["file"] for image in manifest["images"]}
    assert write_snapshot(manifest, paths, snapshot.parent) == snapshot
    assert [p.name for p in snapshot.parent.iterdir()] == [snapshot.name]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.update(schema="marrowloop.snapshot/2"), "schema"),
        (lambda m: m.pop("study"), "lacks the field 'study'"),
        (lambda m: m["images"][0].update(width="160"), "wrong type"),
        (lambda m: m["images"][0].update(fold=60), "out of range"),
        (lambda m: m["images"][0].update(file="../../etc/passwd"), "wrong form"),
        (lambda m: m["images"][1].update(group=m["images"][0]["group"]), "two folds"),
        (lambda m: m["images"][0]["borders"][0].pop("ignored"), "lacks the field 'ignored'"),
        (lambda m: m["images"][0]["borders"][0].update(bounds=[5, 5, 5, 9]), "without extent"),
        (lambda m: m["images"].append(m["images"][0]), "twice"),
    ],
)
def test_a_wrong_snapshot_is_refused(snapshot: Path, change: Callable[[dict[str, Any]], None], words: str):
    rewrite(snapshot / "manifest.json", change)
    with pytest.raises(SnapshotError, match=words):
        read_snapshot(snapshot)


def test_a_snapshot_changed_after_it_was_written_is_refused(snapshot: Path):
    rewrite(snapshot / "manifest.json", lambda m: m["images"][0].update(um_per_pixel=0.1), rehash=False)
    with pytest.raises(SnapshotError, match="hash does not fit"):
        read_snapshot(snapshot)


def test_a_snapshot_without_an_image_file_is_refused(snapshot: Path):
    next((snapshot / "images").iterdir()).unlink()
    with pytest.raises(SnapshotError, match="lacks the file"):
        read_snapshot(snapshot)


def test_text_that_is_no_json_is_refused(snapshot: Path):
    (snapshot / "manifest.json").write_text("{")
    with pytest.raises(SnapshotError, match="cannot be read"):
        read_snapshot(snapshot)


def test_a_bundle_reads_back(tmp_path: Path):
    made = write_bundle(tmp_path / "bundle", CARD, save_small)
    read = read_bundle(tmp_path / "bundle", "detector")
    assert read.card == made.card
    assert read.id == bundle_id(read.card) == read.card["hash"][:12]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(schema="marrowloop.bundle/9"), "schema"),
        (lambda c: c.pop("score_threshold"), "score_threshold"),
        (lambda c: c.update(seed="0"), "wrong type"),
        (lambda c: c.update(kind="classifier"), "is a classifier, not a detector"),
    ],
)
def test_a_wrong_bundle_is_refused(tmp_path: Path, change: Callable[[dict[str, Any]], None], words: str):
    write_bundle(tmp_path / "bundle", CARD, save_small)
    rewrite(tmp_path / "bundle" / "card.json", change)
    with pytest.raises(BundleError, match=words):
        read_bundle(tmp_path / "bundle", "detector")


def test_other_weights_are_refused(tmp_path: Path):
    write_bundle(tmp_path / "bundle", CARD, save_small)
    save_file({"weight": torch.zeros(4)}, tmp_path / "bundle" / "weights.safetensors")
    with pytest.raises(BundleError, match="not those that its card names"):
        read_bundle(tmp_path / "bundle")


def test_a_bundle_that_could_not_be_finished_leaves_nothing(tmp_path: Path):
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_bundle(tmp_path / "bundle", CARD, fail)
    assert list(tmp_path.iterdir()) == []


def test_a_copied_bundle_is_checked_on_both_sides(tmp_path: Path):
    made = write_bundle(tmp_path / "bundle", CARD, save_small)
    assert copy_bundle(tmp_path / "bundle", tmp_path / "store" / made.id).card == made.card
    write_bundle(tmp_path / "other", CARD | {"seed": 1}, save_small)
    with pytest.raises(BundleError, match="Another bundle"):
        copy_bundle(tmp_path / "other", tmp_path / "store" / made.id)


BUNDLES = [{"id": "abc", "kind": "detector", "score_threshold": 0.5}]


def proposed(**changes: Any) -> dict[str, Any]:
    return {"border": {"kind": "circle", "cx": 20.0, "cy": 20.0, "r": 5.0}, "score": 0.9} | changes


def predicted(**changes: Any) -> dict[str, Any]:
    image = {"sha256": "a" * 64, "name": "a.png", "width": 64, "height": 64, "seconds": 0.1, "proposals": [proposed()]}
    return image | changes


def test_predictions_read_back(tmp_path: Path):
    image = predicted(proposals=[proposed(), proposed(tightness=0.98)])
    written = write_predictions(tmp_path / "p.json", BUNDLES, [image])
    assert read_predictions(tmp_path / "p.json") == written


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (predicted(sha256="x"), "no sha256"),
        (predicted(width="64"), "wrong type"),
        (predicted(proposals=[proposed(border={"kind": "blob"})]), "no valid border"),
        (predicted(proposals=[proposed(score=1.5)]), "the score 1.5"),
        (predicted(proposals=[proposed(tightness=-1)]), "the tightness -1"),
        (predicted(proposals=[proposed(tightness=None)]), "'tightness' .* wrong type"),
    ],
)
def test_wrong_predictions_are_neither_written_nor_read(tmp_path: Path, image: dict[str, Any], words: str):
    with pytest.raises(PredictionsError, match=words):
        write_predictions(tmp_path / "p.json", BUNDLES, [image])
    content = {"schema": "marrowloop.predictions/1", "bundles": BUNDLES, "images": [image]}
    content["hash"] = content_hash(content)
    (tmp_path / "p.json").write_text(json.dumps(content))
    with pytest.raises(PredictionsError, match=words):
        read_predictions(tmp_path / "p.json")
