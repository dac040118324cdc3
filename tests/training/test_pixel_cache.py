"""Decoded images on disk: the same pixels as decoded, never wrong ones, never a round lost over them."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.training.snapshots import disc_snapshot
from training.detection_data import load_sample
from training.pixel_cache import FOLDER, kept_pixels, trim
from training.snapshot import SnapshotError, read_snapshot

SHA = "ab" * 32


def decoded(value: int = 7) -> NDArray[np.uint8]:
    return np.full((3, 4, 5), value, dtype=np.uint8)


def never() -> NDArray[np.uint8]:
    raise AssertionError("decoded again")


def test_pixels_are_decoded_once(tmp_path: Path):
    first = kept_pixels(SHA, 5, 4, decoded, tmp_path)
    again = kept_pixels(SHA, 5, 4, never, tmp_path)
    assert np.array_equal(first, decoded()) and np.array_equal(again, decoded())


def test_another_size_is_another_file(tmp_path: Path):
    kept_pixels(SHA, 5, 4, decoded, tmp_path)
    other = kept_pixels(SHA, 3, 2, lambda: np.zeros((3, 2, 3), dtype=np.uint8), tmp_path)
    assert other.shape == (3, 2, 3)


def test_what_is_done_to_the_pixels_stays_in_memory(tmp_path: Path):
    kept_pixels(SHA, 5, 4, decoded, tmp_path)[:] = 99
    assert np.array_equal(kept_pixels(SHA, 5, 4, never, tmp_path), decoded())


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"half" * 99], ids=["empty", "cut off", "not an array"])
def test_a_broken_file_is_decoded_anew(tmp_path: Path, content: bytes):
    kept_pixels(SHA, 5, 4, decoded, tmp_path)
    next(tmp_path.glob("??/*.npy")).write_bytes(content)
    assert np.array_equal(kept_pixels(SHA, 5, 4, lambda: decoded(9), tmp_path), decoded(9))
    assert np.array_equal(kept_pixels(SHA, 5, 4, never, tmp_path), decoded(9))


def test_a_folder_that_cannot_be_written_costs_a_decoding(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    assert np.array_equal(kept_pixels(SHA, 5, 4, decoded, tmp_path / "file"), decoded())
    assert trim(tmp_path / "file", 0) == 0


def test_what_was_unused_for_longest_goes_first(tmp_path: Path):
    shas = [f"{number:064x}" for number in range(4)]
    for age, sha in enumerate(shas):
        kept_pixels(sha, 5, 4, decoded, tmp_path)
        (file,) = tmp_path.glob(f"*/{sha}*")
        os.utime(file, (1000 + age, 1000 + age))
    kept_pixels(shas[0], 5, 4, never, tmp_path)  # used just now
    size = sum(file.stat().st_size for file in tmp_path.glob("*/*"))
    assert trim(tmp_path, size / 2) == 2
    assert {file.name[:64] for file in tmp_path.glob("*/*")} == {shas[0], shas[3]}
    assert trim(tmp_path, size) == 0


def test_a_round_sees_the_same_samples_with_and_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    snapshot = read_snapshot(disc_snapshot(tmp_path / "snapshot", 2))
    image = snapshot.images[0]
    monkeypatch.delenv(FOLDER, raising=False)
    plain = load_sample(snapshot, image, 96)
    monkeypatch.setenv(FOLDER, str(tmp_path / "cache"))
    first, again = load_sample(snapshot, image, 96), load_sample(snapshot, image, 96)
    for one in (first, again):
        assert torch.equal(one.pixels, plain.pixels) and torch.equal(one.boxes, plain.boxes)
    assert len(list((tmp_path / "cache").glob("*/*"))) == 1


def test_an_image_that_is_gone_is_not_made_up_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    snapshot = read_snapshot(disc_snapshot(tmp_path / "snapshot", 1))
    monkeypatch.setenv(FOLDER, str(tmp_path / "cache"))
    load_sample(snapshot, snapshot.images[0], 96)
    snapshot.path(snapshot.images[0]).unlink()
    with pytest.raises(SnapshotError, match="is gone"):
        load_sample(snapshot, snapshot.images[0], 96)
