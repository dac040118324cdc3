"""The whole chain on patients that do not exist: detector, cell classifiers, ensemble; APL against healthy donors and
against other AML.

Run: python -m tests.benchmarks.synthetic_patients [--train 36] [--judge 30] [--fields 1] [--kept FOLDER]
The generator is frozen by its version before anything is trained, and the judging patients have parameters of their
own (another seed: stain, optics, differential, granules, rods). They carry neither borders nor labels nor a diagnosis
that the chain could read: the detector proposes their cells, the classifiers name them, the ensemble decides.
Bars (AUROC by patient): APL against healthy donors 0.98, against other AML 0.95. Synthetic smears are easier than real
ones, and every figure from them says so.
"""

import argparse
import csv
import json
from pathlib import Path

from annotation.formats.via import DIAGNOSIS, PATIENT
from annotation.synthetic import GENERATOR_VERSION
from tests.benchmarks.product import product, report
from training.classification_metrics import auroc

BARS = {"APL vs healthy donor": 0.98, "APL vs non-APL AML": 0.95}
AGAINST = {"APL vs healthy donor": "healthy", "APL vs non-APL AML": "non_apl_aml"}
TRAIN_SEED, JUDGE_SEED = 101, 202


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, default=36, metavar="PATIENTS")
    parser.add_argument("--judge", type=int, default=30, metavar="PATIENTS")
    parser.add_argument("--fields", type=int, default=1, metavar="N", help="fields a patient")
    parser.add_argument("--size", default="1280x960")
    parser.add_argument("--kept", type=Path, help="an empty folder for the product's data, which is left as it is")
    options = parser.parse_args()
    fields = ["--images-per-patient", str(options.fields), "--size", options.size]
    with product(options.kept) as it:
        train, judge = ["--study", "synthetic"], ["--study", "synthetic later"]
        it.call("make_demo", *train, "--patients", str(options.train), *fields, "--seed", str(TRAIN_SEED))
        detector = it.call("train", "detector", *train)
        classifier = it.call("train", "classifier", *train, "--group", "cell-type")
        ensemble = it.call("train", "ensemble", *train)
        truth = it.folder / "truth.json"
        drawn = ["--patients", str(options.judge), *fields, "--seed", str(JUDGE_SEED), "--annotated", "0"]
        it.call("make_demo", *judge, *drawn, "--truth", truth)
        it.call("propose", *judge, "--bundle", detector["bundle"])
        told = it.folder / "told.csv"
        it.call("diagnose", *judge, "--all", "--bundle", ensemble["bundle"], "--out", told)
        report(
            "synthetic_patients",
            generator=GENERATOR_VERSION,
            auroc=judged(told, diagnoses(truth)),
            bars=BARS,
            patients={"train": options.train, "judge": options.judge},
            training={name: each for name, each in (("classifier", classifier), ("ensemble", ensemble))},
        )


def diagnoses(truth: Path) -> dict[str, str]:
    """By patient, from the attributes of the images of a VIA project."""
    project = json.loads(truth.read_text(encoding="utf-8"))
    found = (image["file_attributes"] for image in project["_via_img_metadata"].values())
    return {each[PATIENT]: each[DIAGNOSIS] for each in found}


def judged(told: Path, diagnosis: dict[str, str]) -> dict[str, dict[str, float | int]]:
    """AUROC of each decision over the patients that it is about."""
    with told.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    found: dict[str, dict[str, float | int]] = {}
    for decision, other in AGAINST.items():
        about = [row for row in rows if row["decision"] == decision and diagnosis[row["patient"]] in ("apl", other)]
        known = [row for row in about if row["probability"]]
        found[decision] = {
            "auroc": round(
                auroc(
                    [float(row["probability"]) for row in known], [diagnosis[row["patient"]] == "apl" for row in known]
                ),
                4,
            ),
            "patients": len(known),
            "without_answer": len(about) - len(known),
        }
    return found


if __name__ == "__main__":
    main()
