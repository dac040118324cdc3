"""White cells of blood: a round on 100 images, judged on 120 others. Bars: 6 minutes, map_50 0.95, map 0.68.

Run: python -m tests.benchmarks.blood_round
"""

from tests.benchmarks.product import BLOOD, BLOOD_FORMAT, product, report


def main() -> None:
    with product() as it:
        study = ["--study", "blood"]
        train, val = BLOOD / "train", BLOOD / "val"
        it.call(
            "import_images",
            train / "images",
            *study,
            "--annotations",
            train / "labels",
            *BLOOD_FORMAT,
            "--limit",
            "100",
        )
        trained = it.call("train", "detector", *study, "--set", "validation=none")
        it.call("import_images", val / "images", *study)
        proposed = it.call("propose", *study)
        judged = it.call("evaluate", *study, "--truth", val / "labels", *BLOOD_FORMAT)
        report(
            "blood_round",
            training_seconds=trained["seconds"],
            seconds_per_image=proposed["seconds_per_image"],
            **judged,
            bars={"training_seconds": 360, "map_50": 0.95, "map": 0.68},
        )


if __name__ == "__main__":
    main()
