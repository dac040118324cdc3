import csv
import json
import os
import tempfile
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.formats.csv import safe_text
from annotation.models import ImageQuality, Patient, Study
from inference.diagnosis import Diagnosed, DiagnosisProblem, chosen_models, diagnose_patients
from inference.field_diagnosis import diagnose_files
from training.models import Bundle

COLUMNS = ("patient", "decision", "model", "probability")
NOTICE = "For research only, not a medical device."


class Command(BaseCommand):
    help = "Suspect a diagnosis, of image files or of patients of a study. Prints one line of JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("images", nargs="*", type=Path, metavar="IMAGE", help="files, diagnosed as one patient's")
        parser.add_argument("--study", metavar="NAME")
        parser.add_argument("--patient", metavar="CODE")
        parser.add_argument("--all", action="store_true", help="all patients of the study")
        parser.add_argument("--out", type=Path, metavar="FILE.csv", help=f"with --all: columns {', '.join(COLUMNS)}")
        parser.add_argument(
            "--bundle",
            action="extend",
            nargs="+",
            default=[],
            metavar="ID",
            help="of whatever study; default: those in use in the study. Of image files also a detector",
        )
        parser.add_argument("--um-per-pixel", type=float, metavar="X", help="of image files")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            if options["images"]:
                if options["study"] or options["patient"] or options["all"]:
                    raise CommandError("Either image files are diagnosed, or patients of a study.")
                found = diagnose_files(options["images"], options["bundle"], options["um_per_pixel"])
                self.stdout.write(json.dumps(found | {"notice": NOTICE}))
                return
            self._diagnose_study(options)
        except (DiagnosisProblem, ValueError) as problem:
            raise CommandError(str(problem)) from None
        except OSError as problem:
            raise CommandError(f"A file cannot be used: {problem.strerror or problem}.") from None

    def _diagnose_study(self, options: dict[str, Any]) -> None:
        study = Study.objects.filter(name=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['study']!r}." if options["study"] else "Name a --study.")
        if bool(options["patient"]) == options["all"]:
            raise CommandError("Name one --patient, or ask for --all.")
        if options["all"] != (options["out"] is not None):
            raise CommandError("A table of all patients is written with --all --out FILE.csv.")
        patients = list(Patient.objects.filter(study=study))
        if options["patient"]:
            patients = [patient for patient in patients if patient.code == options["patient"]]
        if not patients:
            named = f" {options['patient']}" if options["patient"] else ""
            raise CommandError(f"The study {study.name} has no patient{named}.")
        bundles = chosen_models(study, options["bundle"])
        done = diagnose_patients(study, patients, bundles, self._tell)
        for sha256 in done.missing:
            self.stderr.write(f"The image {sha256[:12]} is gone from the image store; its cells are left out.")
        said = {"bundles": [described(bundle) for bundle in bundles], "seconds": done.seconds, "notice": NOTICE}
        if options["patient"]:
            quality = quality_of_patient(patients[0])
            self.stdout.write(json.dumps(done.diagnosed[0].as_json() | {"quality": quality} | said))
            return
        for each in done.diagnosed:
            if each.reason:
                self.stderr.write(f"{each.patient}: {each.reason}")
        rows = write_table(options["out"], done.diagnosed)
        without = {each.patient: each.reason for each in done.diagnosed if each.reason}
        self.stdout.write(
            json.dumps({"patients": len(patients), "rows": rows, "without": without, "out": str(options["out"])} | said)
        )

    def _tell(self, done: int, total: int) -> bool:
        if total and (done % 320 == 0 or done == total):
            self.stderr.write(f"{done} of {total} seen")
        return True


def described(bundle: Bundle) -> dict[str, Any]:
    """A bundle, and how it was judged."""
    metrics = bundle.card.get("metrics") or {}
    decisions = metrics.get("decisions") or {}
    return {
        "bundle": bundle.pk,
        "kind": bundle.kind,
        "study": bundle.card["study"],
        "auroc": {name: each["auroc"] for name, each in decisions.items()},
        "folds": bundle.card["folds"].get("k"),
    }


def quality_of_patient(patient: Patient) -> dict[str, Any]:
    """How many of the patient's images are good, doubtful or bad, those nobody has judged, and what is wrong."""
    judged = list(ImageQuality.objects.filter(image__patient=patient).values_list("verdict", "reason"))
    counts = Counter(verdict for verdict, _ in judged)
    reasons = Counter(reason for _, reason in judged if reason)
    return {
        **{str(verdict): counts[verdict] for verdict in ImageQuality.Verdict.values},
        "unjudged": patient.images.count() - len(judged),
        "reasons": [reason for reason, _ in reasons.most_common(5)],
    }


def write_table(path: Path, diagnosed: list[Diagnosed]) -> int:
    """The table, whole or not at all; how many rows. Patients without a diagnosis have none. A model is named by its
    kind, and by its bundle too where several of the kind speak."""
    kinds = {each.bundle: each.kind for patient in diagnosed for each in patient.said}
    several = {kind for kind, count in Counter(kinds.values()).items() if count > 1}
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    count = 0
    try:
        with os.fdopen(handle, "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            for patient in diagnosed:
                for each in patient.said:
                    model = f"{each.kind} {each.bundle}" if each.kind in several else each.kind
                    table.writerow([safe_text(patient.patient), each.decision, model, f"{each.probability:.6f}"])
                    count += 1
        os.chmod(part, 0o644)
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    return count
