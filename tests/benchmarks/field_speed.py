"""Seconds from a field of 2560×1920 to polygons once the model is loaded, and the most memory of the process.

Run: python -m tests.benchmarks.field_speed. Bars: 1.5 s, 2.5 GiB.
The bundle is trained for some epochs on synthetic smears, whose outlines are known: the time depends on the network's
size and on the number of cells, not on its skill. Synthetic fields stand in, since the shared data hold none of this
size.
"""

import json
import resource
import subprocess
import sys

from tests.benchmarks.product import REPOSITORY, product, report

GIB = 2**30
# Loaded once, then each field of the folder as often as said; prints JSON.
MEASURE = """
import json, resource, sys, time
from pathlib import Path
from PIL import Image
from inference.detection import Detector
detector = Detector.load(Path(sys.argv[1]))
detector_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
seconds, polygons, proposals = [], 0, 0
for file in sorted(Path(sys.argv[2]).rglob("*.png")):
    with Image.open(file) as image:
        field = image.convert("RGB")
    for _ in range(3):
        started = time.perf_counter()
        found = detector.propose(field)
        seconds.append(time.perf_counter() - started)
    proposals += len(found)
    polygons += sum(each["border"]["kind"] == "polygon" for each in found)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": sorted(seconds), "polygons": polygons, "proposals": proposals, "peak": peak,
                  "size": list(field.size)}))
"""


def main() -> None:
    with product() as it:
        study = ["--study", "speed"]
        demo = ["--patients", "2", "--images-per-patient", "2", "--size", "2560x1920", "--seed", "5"]
        it.call("make_demo", *study, *demo, "--annotated", "all")
        trained = it.call(
            "train", "detector", *study, "--set", "validation=none", "--set", "epochs=40", "--set", "size=1024"
        )
        bundle = it.folder / "bundles" / trained["bundle"]
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, bundle, it.folder / "images"],
            cwd=REPOSITORY,
            env=it.environment,
            stdout=subprocess.PIPE,
            check=True,
        )
        found = json.loads(done.stdout)
        without = it.call("propose", *study, "--images", "all", "--bundle", "watershed")
        report(
            "field_speed",
            size=found["size"],
            seconds_median=found["seconds"][len(found["seconds"]) // 2],
            seconds_most=found["seconds"][-1],
            polygons=found["polygons"],
            proposals=found["proposals"],
            peak_gib=found["peak"] / GIB,
            benchmark_peak_gib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB,
            seconds_per_field_without_a_model=without["seconds_per_image"],
            synthetic=True,
            bars={"seconds_median": 1.5, "peak_gib": 2.5},
        )


if __name__ == "__main__":
    main()
