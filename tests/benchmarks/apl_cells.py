"""Cells of apl-patients told apart, cross-validated threefold by patient, and how soon a rare class is found.

Run: python -m tests.benchmarks.apl_cells [--features FILE.npy] [--views FILE.npy]
The files keep the features, and those of the cells' views, between runs; where they are missing they are computed and
timed. `baseline_no_views` is the same without views. Cells drawn in addition
(sample=extra) train and are not judged, nor do they enter the simulation; `with_extra` judges them too. Cells are cut
at their picture's centre, at 0.1 µm a pixel: how borders are found is measured elsewhere. Bars, on 2 cores: AUROC of
promyelocytes and of blasts against all others 0.95 each, features of 3,505 crops in 240 s, all heads at 10,000 cells in
5 s, 90 % of the promyelocytes found in a quarter of the cells that random order shows.
"""

import argparse
import csv
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from annotation.crop import crop_square, cut
from annotation.folds import next_slot
from tests.benchmarks.product import SHARED, report
from training.cell_features import FeatureExtractor
from training.cell_head import fit_head
from training.classification_metrics import auroc, binary_estimates, multiclass_estimates
from training.classifier_folds import FOLDS, LEAST_JUDGED, classes_of, classifier_folds
from training.classifier_settings import ClassifierSettings
from training.crop_features import as_stored
from training.patient_shares import beside_own_patient
from training.stain_augmentation import view

APL = SHARED / "apl-patients"
UM_PER_PIXEL = 0.1
JUDGED = ("promyelocyte", "blast")
# Of a vector: the last map alone, at one scale and without texture, is what the baseline sees.
ONE_MAP = slice(152, 472)
SIMULATED = 3
PAGE = 30


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--features", type=Path)
    cells = list(csv.DictReader((APL / "cells.csv").open()))
    parser.add_argument("--views", type=Path)
    options = parser.parse_args()
    features, timed = features_of(cells, options.features)
    views = views_of(cells, options.views)
    names = sorted({cell["cell_class"] for cell in cells})
    targets = np.array([names.index(cell["cell_class"]) for cell in cells])
    patients = np.array([cell["patient"] for cell in cells])
    random = np.array([cell["sample"] == "random" for cell in cells])
    folds = folds_of(targets, names, patients)
    report("apl_cells_features", **timed, **retrained(features, targets, patients))
    chosen = classes_of(targets[random], patients[random].tolist(), LEAST_JUDGED)
    judged = {number: names[number] for number in chosen}
    alone = features[None]
    kinds = {"baseline_one_map": alone[..., ONE_MAP], "baseline_no_views": alone, "default": np.append(alone, views, 0)}
    for kind, seen in kinds.items():
        unseen, evened = np.zeros((len(cells), len(names))), np.zeros((len(cells), len(names)))
        for fold in range(FOLDS):
            taught = folds != fold
            own, whose = (np.tile(each[taught], len(seen)) for each in (targets, patients))
            head = fit_head(np.concatenate(seen[:, taught]), own, None, whose, classes=len(names))
            unseen[~taught] = head.probabilities(seen[0, ~taught])
            # Decided as if rare classes were less rare: half way to all being as frequent.
            shares = np.maximum(np.bincount(targets[taught], minlength=len(names)), 1) / taught.sum()
            evened[~taught] = unseen[~taught] / np.sqrt(shares)
        found: dict[str, Any] = {}
        for name in JUDGED:
            of = names.index(name)
            estimates = binary_estimates(unseen[random, of], targets[random] == of, patients[random].tolist())
            found[name] = {key: each.as_dict() for key, each in estimates.items()}
            found[name]["by_fold"] = [
                round(auroc(unseen[own, of], targets[own] == of), 4)
                for own in (random & (folds == f) for f in range(3))
            ]
            found[name]["with_extra"] = round(auroc(unseen[:, of], targets == of), 4)
        said = multiclass_estimates(
            targets[random], unseen[random].argmax(axis=1), patients[random].tolist(), judged, len(names), draws=300
        )
        found["macro_f1"] = said["macro_f1"].as_dict()
        found["macro_f1_balanced"] = multiclass_estimates(
            targets[random], evened[random].argmax(axis=1), patients[random].tolist(), judged, len(names), draws=300
        )["macro_f1"].as_dict()
        found["f1"] = {name: each.as_dict() for name, each in said["f1"].items()}
        report("apl_cells", features=kind, **found)
    shown = [
        shown_until(features[random], targets[random], patients[random], names.index("promyelocyte"), seed)
        for seed in range(SIMULATED)
    ]
    cells_found, wanted = int(random.sum()), int((targets[random] == names.index("promyelocyte")).sum())
    by_chance = np.ceil(0.9 * wanted) * (cells_found + 1) / (wanted + 1)
    report(
        "apl_cells_labelling",
        cells=cells_found,
        promyelocytes=wanted,
        shown=shown,
        by_chance=round(by_chance),
        share=round(float(np.mean(shown)) / by_chance, 3),
    )


def features_of(cells: list[dict[str, str]], file: Path | None) -> tuple[np.ndarray, dict[str, Any]]:
    if file is not None and file.exists():
        return np.load(file).astype(np.float32), {"features": str(file), "crops": len(cells)}
    extractor = FeatureExtractor()
    begun, busy, vectors = time.monotonic(), time.process_time(), []
    for cell in cells:
        vectors.append(as_stored(extractor.extract([crop_of(cell)])[0]))
    seconds, cpu = time.monotonic() - begun, time.process_time() - busy
    timed = {"features_seconds": round(seconds, 1), "features_cpu_seconds": round(cpu, 1), "crops": len(cells)}
    table = np.stack(vectors)
    if file is not None:
        np.save(file, table)
    return table.astype(np.float32), timed


def crop_of(cell: dict[str, str]) -> Image.Image:
    with Image.open(APL / "cells" / cell["file"]) as image:
        x, y = image.width / 2, image.height / 2
        return cut(image, crop_square((x, y, x, y), UM_PER_PIXEL, None))


def views_of(cells: list[dict[str, str]], file: Path | None) -> np.ndarray:
    """(views, n, C): as many as a round looks at."""
    if file is not None and file.exists():
        return np.load(file).astype(np.float32)
    extractor = FeatureExtractor()
    begun = time.process_time()
    table = np.array(
        [
            [
                as_stored(extractor.extract([view(crop_of(cell), np.random.default_rng([row, number]))])[0])
                for row, cell in enumerate(cells)
            ]
            for number in range(1, ClassifierSettings().views + 1)
        ]
    )
    report("apl_cells_views", views=len(table), cpu_seconds=round(time.process_time() - begun, 1))
    if file is not None:
        np.save(file, table)
    return table.astype(np.float32)


def folds_of(targets: np.ndarray, names: list[str], patients: np.ndarray) -> np.ndarray:
    """As the product deals patients when they arrive in the order of patients.csv. Classes that hardly any patient has
    are no reason to refuse: they are others."""
    slots: dict[str, int] = {}
    of_diagnosis: dict[str, list[int]] = defaultdict(list)
    for row in csv.DictReader((APL / "patients.csv").open()):
        slots[row["patient"]] = next_slot(of_diagnosis[row["diagnosis"]], len(slots))
        of_diagnosis[row["diagnosis"]].append(slots[row["patient"]])
    two = (targets == names.index("promyelocyte")).astype(int)
    return classifier_folds(two, ("others", "promyelocyte"), patients.tolist(), slots)


def retrained(features: np.ndarray, targets: np.ndarray, patients: np.ndarray) -> dict[str, float]:
    """Seconds by the clock and of the processor for a head of all classes at 10,000 cells: these and noisy copies."""
    rng = np.random.default_rng(0)
    more = np.arange(10_000) % len(features)
    noisy = features[more] + rng.normal(0, 0.01, (len(more), features.shape[1])).astype(np.float32)
    begun, busy = time.monotonic(), time.process_time()
    fit_head(noisy, targets[more], None, patients[more])
    return {
        "retrain_10000_seconds": round(time.monotonic() - begun, 2),
        "retrain_10000_cpu_seconds": round(time.process_time() - busy, 2),
    }


def shown_until(features: np.ndarray, targets: np.ndarray, patients: np.ndarray, wanted: int, seed: int) -> int:
    """How many cells somebody is shown, and labels, until 90 % of the wanted ones are among them: random ones until the
    first is found, then pages of those that the head, retrained on all labels after each page, holds most likely beside
    what else is labelled of their patients: as in the gallery (inference/interactive.py)."""
    order = np.random.default_rng(seed).permutation(len(targets))
    enough = int(np.ceil(0.9 * (targets == wanted).sum()))
    seen = np.zeros(len(targets), dtype=bool)
    while (targets[seen] == wanted).sum() < enough:
        page = order[~seen[order]]
        if (targets[seen] == wanted).any():
            known = np.unique(targets[seen], return_inverse=True)
            head = fit_head(features[seen], known[1], None, patients[seen], seed=seed)
            likely = beside_own_patient(head.probabilities(features), patients, np.flatnonzero(seen), known[1])
            page = page[np.argsort(-likely[page, known[0].tolist().index(wanted)], kind="stable")]
        # A page is labelled to its end also where the last of them is found before.
        seen[page[:PAGE]] = True
    return int(seen.sum())


if __name__ == "__main__":
    main()
