"""Seconds from a field of 2560×1920 to a diagnosis and to an occlusion map of 16×12 parts, once the models are loaded,
and the most memory of the process.

Run: python -m tests.benchmarks.chain_speed [--threads 2]
Bars: 10 s and 3 GiB for the chain (reading the file, detection, features, ensemble and MILLIE, quality) on a field of
170 cells, 60 s for the map. Eckardt et al. 2022 state 45.3 s an image on a cluster. The models are trained briefly on
synthetic smears: the time depends on the networks' size and on the number of cells, not on their skill. Synthetic
fields stand in, since the shared data hold none of this size. So many cells do not fit into a field at the generator's
own scale: these are drawn at 0.1 µm a pixel, denser and denser, and the first is measured in which the detector finds
170, or the densest: on 22 Nov 2026 it found 119 there, and 79 at 0.13 µm, where cells are smaller than it knows them.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from PIL import Image

from annotation.synthetic import draw_patient, draw_smear
from tests.benchmarks.product import REPOSITORY, product, report

GIB = 2**30
COLUMNS, ROWS = 16, 12
# Cells that the field holds, its µm a pixel, and cells a mm² that are drawn until so many are found.
CELLS, SCALE = 170, 0.1
DENSITIES = (5000, 6500, 8000, 9500)
BARS = {"chain_seconds": 10, "chain_peak_gib": 3, "occlusion_seconds": 60}
# The models are loaded, and the field is chosen, before anything is measured; prints JSON.
MEASURE = """
import json, resource, sys, time
from pathlib import Path
import django
django.setup()
import torch
from inference.field_diagnosis import diagnose_files
from inference.field_why import explain_file
told = json.loads(sys.argv[1])
scale, bundles = told["um_per_pixel"], told["bundles"]
torch.set_num_threads(told["threads"])
for field in map(Path, told["fields"]):
    if diagnose_files([field], bundles, scale)["counts"]["cells"] >= told["cells"]:
        break
runs = []
for _ in range(3):
    begun = time.perf_counter()
    found = diagnose_files([field], bundles, scale)
    runs.append(time.perf_counter() - begun)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
said = explain_file(field, bundles, um_per_pixel=scale, columns=told["columns"], rows=told["rows"], overlap=1.0)
print(json.dumps({
    "runs": sorted(runs), "stages": found["seconds"], "cells": found["counts"]["cells"], "peak": peak,
    "occlusion": said["seconds"], "peak_with_occlusion": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
}))
"""


def drawn_fields(folder: Path) -> list[Path]:
    patient, files = draw_patient(9, 0), []
    for density in DENSITIES:
        smear = draw_smear(replace(patient, cells=float(density)), 0, 2560, 1920, SCALE)
        files.append(folder / f"field-{density}.png")
        Image.fromarray(smear.pixels).save(files[-1])
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    with product() as it:
        study = ["--study", "chain"]
        demo = ["make_demo", "--images-per-patient", "1", "--annotated", "all", "--patients", "12"]
        it.call(*demo, *study, "--size", "1280x960", "--seed", "5")
        detector = it.call("train", "detector", *study, "--set", "validation=none", "--set", "epochs=20")
        bundles = [detector["bundle"], *(it.call("train", kind, *study)["bundle"] for kind in ("mil", "ensemble"))]
        told = {
            "bundles": bundles,
            "fields": [str(field) for field in drawn_fields(it.folder)],
            "um_per_pixel": SCALE,
            "cells": CELLS,
            "threads": options.threads,
            "columns": COLUMNS,
            "rows": ROWS,
        }
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, json.dumps(told)],
            cwd=REPOSITORY,
            env=it.environment | {"DJANGO_SETTINGS_MODULE": "config.settings"},
            stdout=subprocess.PIPE,
            check=True,
        )
        found = json.loads(done.stdout)
        report(
            "chain_speed",
            threads=options.threads,
            cells=found["cells"],
            chain_seconds=found["runs"][len(found["runs"]) // 2],
            chain_seconds_most=found["runs"][-1],
            stages=found["stages"],
            chain_peak_gib=found["peak"] / GIB,
            occlusion_seconds=found["occlusion"],
            occlusion_parts=COLUMNS * ROWS,
            peak_gib_with_occlusion=found["peak_with_occlusion"] / GIB,
            synthetic=True,
            bars=BARS,
        )


if __name__ == "__main__":
    main()
