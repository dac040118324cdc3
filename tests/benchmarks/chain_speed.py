"""Seconds from a field of 2560×1920 to a diagnosis and to an occlusion map of 16×12 parts, once the models are loaded,
and the most memory of the process.

Run: python -m tests.benchmarks.chain_speed [--threads 2]
Bars: 10 s and 3 GiB for the chain (reading the file, detection, features, ensemble and MILLIE, quality), 60 s for the
map. Eckardt et al. 2022 state 45.3 s an image on a cluster. The models are trained briefly on synthetic smears: the
time depends on the networks' size and on the number of cells, not on their skill. Synthetic fields stand in, since the
shared data hold none of this size.
"""

import argparse
import json
import subprocess
import sys

from tests.benchmarks.product import REPOSITORY, product, report

GIB = 2**30
COLUMNS, ROWS = 16, 12
BARS = {"chain_seconds": 10, "chain_peak_gib": 3, "occlusion_seconds": 60}
# The models are loaded by a small field first; prints JSON.
MEASURE = """
import json, resource, sys, time
from pathlib import Path
import django
django.setup()
import torch
from inference.field_diagnosis import diagnose_files
from inference.field_why import explain_file
small, field, columns, rows, threads, *bundles = sys.argv[1:]
torch.set_num_threads(int(threads))
diagnose_files([Path(small)], bundles)
runs = []
for _ in range(3):
    begun = time.perf_counter()
    found = diagnose_files([Path(field)], bundles)
    runs.append(time.perf_counter() - begun)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
said = explain_file(Path(field), bundles, columns=int(columns), rows=int(rows), overlap=1.0)
print(json.dumps({
    "runs": sorted(runs), "stages": found["seconds"], "counts": found["counts"], "cells": said["cells"], "peak": peak,
    "occlusion": said["seconds"], "peak_with_occlusion": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    with product() as it:
        study, large, small = ["--study", "chain"], ["--study", "large"], ["--study", "small"]
        demo = ["make_demo", "--images-per-patient", "1", "--annotated", "all"]
        it.call(*demo, *study, "--patients", "12", "--size", "1280x960", "--seed", "5")
        detector = it.call("train", "detector", *study, "--set", "validation=none", "--set", "epochs=20")
        bundles = [detector["bundle"], *(it.call("train", kind, *study)["bundle"] for kind in ("mil", "ensemble"))]
        files = []
        for where, size in ((small, "640x480"), (large, "2560x1920")):
            before = set((it.folder / "images").rglob("*.png"))
            it.call(*demo, *where, "--patients", "1", "--size", size, "--seed", "9")
            files.append(*(set((it.folder / "images").rglob("*.png")) - before))
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, *files, str(COLUMNS), str(ROWS), str(options.threads), *bundles],
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
