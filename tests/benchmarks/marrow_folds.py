"""Nucleated cells of real marrow, cross-validated by group in 4 folds. Bars: map_50 0.96, map 0.66, 8 minutes a fold.

Run: python -m tests.benchmarks.marrow_folds
"""

from tests.benchmarks.product import MARROW, MARROW_FORMAT, MARROW_TRUTH, product, report


def main() -> None:
    with product() as it:
        study = ["--study", "marrow"]
        images = MARROW / "images"
        patients = ["--patients", MARROW / "patients.csv"]
        it.call("import_images", images, *study, "--annotations", MARROW_TRUTH, *MARROW_FORMAT, *patients)
        trained = it.call("train", "detector", *study, "--set", "folds=4")
        # The bundle is a refit on all: here it only shows how long a field takes.
        proposed = it.call("propose", *study, "--images", "all")
        report(
            "marrow_folds",
            **{key: trained[key] for key in ("map", "map_50", "map_75", "mar", "folds")},
            most_seconds_a_fold=max(fold["seconds"] for fold in trained["folds"]),
            seconds_per_field=proposed["seconds_per_image"],
            bars={"map_50": 0.96, "map": 0.66, "seconds_a_fold": 480, "seconds_per_field": 1.5},
        )


if __name__ == "__main__":
    main()
