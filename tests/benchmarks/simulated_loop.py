"""Corrections per cell as the loop goes on, by a simulated annotator.

Run: python -m tests.benchmarks.simulated_loop blood|marrow [--seeds 0 1 2] [--images-per-round N]
Bars for the third round, mean of the seeds: on blood 0.25 with 30 images a round and 0.12 with 60
(`blood --images-per-round 60`), on marrow 0.4 with 4 fields a round.
The training after the third round is left out: nobody would correct what it proposes.
"""

import argparse
from statistics import fmean

from tests.benchmarks.product import (
    BLOOD,
    BLOOD_FORMAT,
    MARROW,
    MARROW_FORMAT,
    MARROW_TRUTH,
    product,
    report,
)

SETS = {
    "blood": (BLOOD / "train" / "images", BLOOD / "train" / "labels", BLOOD_FORMAT, [], 30, {30: 0.25, 60: 0.12}),
    "marrow": (MARROW / "images", MARROW_TRUTH, MARROW_FORMAT, ["--patients", MARROW / "patients.csv"], 4, {4: 0.4}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", choices=SETS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--limit", type=int, help="import only so many images, to save time")
    parser.add_argument("--images-per-round", type=int)
    options = parser.parse_args()
    images, truth, how, patients, usual, bars = SETS[options.set]
    per_round = options.images_per_round or usual
    limit = ["--limit", str(options.limit)] if options.limit else []
    runs = []
    for seed in options.seeds:
        with product() as it:
            it.call("import_images", images, "--study", "loop", *patients, *limit)
            arguments = [
                "--rounds",
                "3",
                "--images-per-round",
                str(per_round),
                "--seed",
                str(seed),
                "--no-last-training",
            ]
            runs.append(it.lines("simulate_loop", "--study", "loop", "--truth", truth, *how, *arguments))
            report(f"simulated_loop_{options.set}_seed_{seed}", rounds=runs[-1])
    means = [fmean(run[number]["corrections_per_cell"] for run in runs) for number in range(3)]
    report(
        f"simulated_loop_{options.set}",
        seeds=options.seeds,
        corrections_per_cell=[round(value, 3) for value in means],
        map_50=[round(fmean(run[number]["map_50"] for run in runs), 3) for number in range(2)],
        falls=means[0] > means[1] > means[2],
        images_per_round=per_round,
        bars={"third_round": bars[per_round]} if per_round in bars else {},
    )


if __name__ == "__main__":
    main()
