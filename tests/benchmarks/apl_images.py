"""APL told from other AML by a network of whole images (training/image_round.py): the baseline beside apl_patients.

Run: python -m tests.benchmarks.apl_images [--set KEY=VALUE ...] [--seeds 1]
The images of this set are pictures of single cells, those that were drawn at random; a patient is judged by the mean
over them. Threefold by patient, dealt anew for each seed; the interval draws patients anew.
"""

import argparse
import csv
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from annotation.store import pixel_hash
from tests.benchmarks.apl_cells import APL
from tests.benchmarks.product import report
from training.bundle import read_bundle
from training.diagnosis_settings import ImageSettings, resolve_diagnosis_settings
from training.image_round import carry_out
from training.settings import parse_assignments
from training.snapshot import SCHEMA, Snapshot, read_snapshot, write_snapshot


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    settings = resolve_diagnosis_settings("image", {"decisions": "apl/non_apl_aml", **parse_assignments(options.set)})
    assert isinstance(settings, ImageSettings)
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            made = carry_out(_snapshot(Path(folder), seed), settings, seed, Path(folder))
            card = read_bundle(Path(folder) / "bundle").card
            folds = [fold["auroc"] for fold in made["folds"]]
            report(
                "apl_images",
                seed=seed,
                auroc=card["metrics"]["auroc"],
                mean_of_folds=round(float(np.mean(folds)), 4),
                folds=folds,
                images=card["metrics"]["images"],
                seconds=made["seconds"],
                size=settings.size,
                passes=settings.passes,
            )


def _snapshot(folder: Path, seed: int) -> Snapshot:
    chance = np.random.default_rng(seed)
    rows = list(csv.DictReader((APL / "patients.csv").open()))
    apl = {row["patient"]: row["diagnosis"] == "APL" for row in rows}
    slots: dict[str, int] = {}
    for kind in (True, False):
        own = [patient for patient in apl if apl[patient] is kind]
        slots |= {own[place]: number for number, place in enumerate(chance.permutation(len(own)).tolist())}
    entries: dict[str, dict[str, Any]] = {}
    paths: dict[str, Path] = {}
    store = folder / "store"
    store.mkdir()
    for row in csv.DictReader((APL / "cells.csv").open()):
        if row["sample"] == "extra":
            continue
        with Image.open(APL / "cells" / row["file"]) as file:
            image = file.convert("RGB")
        sha256, patient = pixel_hash(image), row["patient"]
        paths[sha256] = store / f"{sha256}.png"
        image.save(paths[sha256], compress_level=1)
        entries[sha256] = {
            "sha256": sha256,
            "file": f"images/{sha256}.png",
            "width": image.width,
            "height": image.height,
            "um_per_pixel": None,
            "names": [],
            "patient": patient,
            "diagnosis": "apl" if apl[patient] else "non_apl_aml",
            "group": f"p:{patient}",
            "fold": slots[patient] % 60,
            "borders": [],
            "sample": "random",
        }
    images = [entries[sha256] for sha256 in sorted(entries)]
    manifest = {"schema": SCHEMA, "study": "apl-patients", "labels": [], "images": images}
    return read_snapshot(write_snapshot(manifest, paths, folder / "snapshots"))


if __name__ == "__main__":
    main()
