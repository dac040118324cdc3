"""A round that diagnoses, from a snapshot to its bundle, with no Django: the same inputs give the same bundle."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.coloured_cells import MeanColour, coloured_cells
from training import mil, run_diagnosis
from training.bundle import BundleError, read_bundle
from training.diagnosis_bundle import DiagnosisModel
from training.snapshot import Snapshot, read_snapshot, write_snapshot

Run = Callable[..., tuple[int, dict[str, Any]]]
DECISION = "APL vs non-APL AML"


def snapshot_of(folder: Path, patients: int = 12) -> Snapshot:
    """Every second patient has APL, and nothing to show for it."""
    plain = coloured_cells(folder, patients, 6)
    manifest = {name: value for name, value in plain.manifest.items() if name != "hash"}
    roles = {"Promyelocyte": "promyelocyte", "Myeloblast": "myeloblast", "Lymphocyte": "mature"}
    manifest["labels"] = [
        {**label, "role": roles.get(label["name"], "other"), "counted": True} for label in manifest["labels"]
    ]
    for image in manifest["images"]:
        number = int(image["patient"][1:])
        image["diagnosis"] = "apl" if number % 2 else "non_apl_aml"
        image["fold"] = number // 2
    paths = {image["sha256"]: plain.path(image) for image in manifest["images"]}
    return read_snapshot(write_snapshot(manifest, paths, folder / "more"))


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def go(snapshot: Snapshot, name: str, *more: str, kind: str = "ensemble") -> tuple[int, dict[str, Any]]:
        arguments = [str(snapshot.folder), str(tmp_path / name), "--kind", kind, "--set", "draws=100", *more]
        status = run_diagnosis.main(arguments, MeanColour())
        said = capsys.readouterr().out.strip().splitlines()
        return status, json.loads(said[-1]) if said else {}

    return go


def test_the_same_again_is_the_same_bundle(tmp_path: Path, run: Run) -> None:
    snapshot = snapshot_of(tmp_path)
    status, found = run(snapshot, "first")
    assert status == 0 and [fold["fold"] for fold in found["folds"]] == [0, 1, 2]
    assert run(snapshot, "second")[1]["bundle"] == found["bundle"]
    card = read_bundle(tmp_path / "first" / "bundle", "ensemble").card
    assert card["metrics"]["decisions"].keys() == {DECISION} and "logistic" in card["metrics"]["decisions"][DECISION]
    assert card["left_out"].keys() == {"APL vs healthy donor"}
    # Diagnoses that cells say nothing of are not told.
    assert card["metrics"]["auroc"]["low"] < 0.5


def test_a_bundle_is_read_as_it_was_written(tmp_path: Path, run: Run) -> None:
    snapshot = snapshot_of(tmp_path)
    run(snapshot, "out")
    model = DiagnosisModel.load(tmp_path / "out" / "bundle")
    assert sorted(model.chains) == ["0", "1", "2", "all"]
    image = snapshot.images[0]
    assert model.chain_for({image["sha256"]})[0] == str(image["fold"] % 3)
    assert model.chain_for({"0" * 64})[0] == "all"
    (tmp_path / "out" / "bundle" / "weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(BundleError):
        DiagnosisModel.load(tmp_path / "out" / "bundle")


def test_too_few_patients_are_a_sentence(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    snapshot = snapshot_of(tmp_path, 4)
    arguments = [str(snapshot.folder), str(tmp_path / "out"), "--kind", "ensemble"]
    assert run_diagnosis.main(arguments, MeanColour()) != 0
    assert "Only 2 patients with cells have the diagnosis" in capsys.readouterr().err


def test_a_chain_reads_cells_as_they_were_labelled(tmp_path: Path, run: Run) -> None:
    snapshot = snapshot_of(tmp_path)
    run(snapshot, "out")
    chain = DiagnosisModel.load(tmp_path / "out" / "bundle").chains["all"]
    seen = chain.cells(np.array([[170, 60, 80], [70, 60, 170]], dtype=np.float32) / 255)
    assert seen.reading is not None and seen.reading.malignant is not None
    assert seen.reading.types.argmax(axis=1).tolist() == [0, 1]


def test_a_search_chooses_for_each_chain_among_its_own_patients(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot, few = snapshot_of(tmp_path, 18), ("--trials", "2", "--set", "images=5")
    status, found = run(snapshot, "out", *few)
    assert status == 0
    card = read_bundle(tmp_path / "out" / "bundle", "ensemble").card
    assert card["searched"] == found["searched"] and len(card["trials"]) == 4 * 2
    assert card["searched"]["scopes"].keys() == {"0", "1", "2", "all"}
    assert card["settings"] | card["searched"]["settings"] == card["settings"]
    assert {row["scope"] for row in card["trials"]} == {"0", "1", "2", "all"}
    # Another process makes the same of the trials that are kept.
    (tmp_path / "out" / "result.json").unlink()
    assert run(snapshot, "out", *few)[1]["bundle"] == found["bundle"]
    monkeypatch.setattr(mil, "_STEPS", 2)
    assert run(snapshot, "mil", "--trials", "2", "--set", "networks=1", "--set", "views=0", kind="mil")[0] == 0
    model = DiagnosisModel.load(tmp_path / "mil" / "bundle")
    searched = model.card["searched"]["scopes"]
    for name, chain in model.chains.items():
        assert chain.control == searched[name]["settings"].get("control", 0.4)
    assert run(snapshot, "image", "--trials", "2", kind="image") == (1, {})
