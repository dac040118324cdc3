"""White cells of blood: mAP on 120 other images after training on more and more of the 400, and after how many minutes.

Run: python -m tests.benchmarks.blood_curve [--images 25 50 100 200 400]
Bars, after all 400: map_50 0.98, map 0.78. How long a training of 400 takes is no bar; the curve says what it brings.
"""

import argparse

from tests.benchmarks.product import BLOOD, BLOOD_FORMAT, product, report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[25, 50, 100, 200, 400])
    options = parser.parse_args()
    train, val = BLOOD / "train", BLOOD / "val"
    curve = []
    for images in options.images:
        with product() as it:
            study = ["--study", "blood"]
            annotations = ["--annotations", train / "labels", *BLOOD_FORMAT]
            it.call("import_images", train / "images", *study, *annotations, "--limit", str(images))
            trained = it.call("train", "detector", *study, "--set", "validation=none")
            it.call("import_images", val / "images", *study)
            it.call("propose", *study)
            judged = it.call("evaluate", *study, "--truth", val / "labels", *BLOOD_FORMAT)
            curve.append({"trained_on": images, "minutes": round(trained["seconds"] / 60, 2), **judged})
            report(f"blood_curve_{images}", **curve[-1])
    report("blood_curve", curve=curve, bars={"map_50": 0.98, "map": 0.78} if 400 in options.images else {})


if __name__ == "__main__":
    main()
