"""Outlines of white cells against hand-drawn masks: threefold, each cell judged by a detector that never saw it.

Run: python -m tests.benchmarks.outlines [--folds 0 1 2]. Bar: mean IoU 0.90. Beside it ellipses in the boxes found.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from statistics import fmean, median

from PIL import Image

from annotation.borders import inscribed_ellipse
from annotation.formats.mask import read
from inference.detection import Detector
from inference.overlap import Field, Scored, Truth, best_overlaps
from tests.benchmarks.product import SHARED, product, report

MASKS = SHARED / "wbc-masks"
FOLDS = 3
STUDY = ["--study", "white cells"]
HOW = ["--format", "mask"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(FOLDS)))
    options = parser.parse_args()
    files = sorted((MASKS / "images").iterdir())
    rows = []
    for fold in options.folds:
        with product() as it, tempfile.TemporaryDirectory() as folder:
            train, judge = Path(folder) / "train", Path(folder) / "judge"
            for number, file in enumerate(files):
                part = judge if number % FOLDS == fold else train
                part.mkdir(exist_ok=True)
                shutil.copy(file, part)
            it.call("import_images", train, *STUDY, "--annotations", MASKS / "masks", *HOW)
            trained = it.call("train", "detector", *STUDY, "--set", "validation=none")
            it.call("import_images", judge, *STUDY)
            it.call("propose", *STUDY)
            judged = it.call("evaluate", *STUDY, "--truth", MASKS / "masks", *HOW)
            ellipses = ellipse_overlaps(it.folder / "bundles" / trained["bundle"], sorted(judge.iterdir()))
            rows.append(
                {
                    "fold": fold,
                    "training_seconds": trained["seconds"],
                    **judged,
                    "ellipses_mean_iou": fmean(ellipses),
                    "ellipses_median_iou": median(ellipses),
                }
            )
            report(f"outlines_fold_{fold}", **rows[-1])
    report(
        "outlines",
        mean_iou=fmean(row["mean_iou"] for row in rows),
        ellipses_mean_iou=fmean(row["ellipses_mean_iou"] for row in rows),
        folds=rows,
        bars={"mean_iou": 0.90},
    )


def ellipse_overlaps(bundle: Path, files: list[Path]) -> list[float]:
    """What the same boxes would be worth as ellipses, as proposals without a mask branch are."""
    detector = Detector.load(bundle)
    truth = {record.name: record for record in read(MASKS / "masks").images}
    fields = []
    for file in files:
        with Image.open(file) as image:
            found = detector.find(image.convert("RGB"))
        seen = found.boxes[found.scores >= detector.score_threshold].tolist()
        fields.append(
            Field(
                [Truth(region.border) for region in truth[file.stem].regions],
                [Scored(inscribed_ellipse(*box), 1.0) for box in seen],
            )
        )
    return best_overlaps(fields)


if __name__ == "__main__":
    main()
