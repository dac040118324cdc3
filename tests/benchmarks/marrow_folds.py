"""Nucleated cells of real marrow, cross-validated by group in 4 folds.

Run: python -m tests.benchmarks.marrow_folds [--after-blood]
Bars from scratch: map_50 0.96, map 0.66, 8 minutes a fold. --after-blood first trains a detector on the 400 blood
fields of `train` in another study, whose bundle the folds then start from by themselves: 0.98, 0.78, 10 minutes.
"""

import argparse

from tests.benchmarks.product import BLOOD, BLOOD_FORMAT, MARROW, MARROW_FORMAT, MARROW_TRUTH, product, report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--after-blood", action="store_true")
    options = parser.parse_args()
    with product() as it:
        study = ["--study", "marrow"]
        if options.after_blood:
            train = BLOOD / "train"
            blood = ["--study", "blood"]
            it.call("import_images", train / "images", *blood, "--annotations", train / "labels", *BLOOD_FORMAT)
            before = it.call("train", "detector", *blood, "--set", "validation=none")
        images = MARROW / "images"
        patients = ["--patients", MARROW / "patients.csv"]
        it.call("import_images", images, *study, "--annotations", MARROW_TRUTH, *MARROW_FORMAT, *patients)
        trained = it.call("train", "detector", *study, "--set", "folds=4")
        # The bundle is a refit on all: here it only shows how long a field takes.
        proposed = it.call("propose", *study, "--images", "all")
        report(
            "marrow_folds",
            after_blood=options.after_blood,
            **({"seconds_on_blood": before["seconds"]} if options.after_blood else {}),
            **{key: trained[key] for key in ("map", "map_50", "map_75", "mar", "folds")},
            most_seconds_a_fold=max(fold["seconds"] for fold in trained["folds"]),
            seconds_per_field=proposed["seconds_per_image"],
            bars=(
                {"map_50": 0.98, "map": 0.78, "seconds_a_fold": 600}
                if options.after_blood
                else {"map_50": 0.96, "map": 0.66, "seconds_a_fold": 480, "seconds_per_field": 1.5}
            ),
        )


if __name__ == "__main__":
    main()
