import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.models import Study
from inference.diagnosis import DiagnosisProblem, chosen_models
from inference.validation import validate, without_curves


class Command(BaseCommand):
    help = "Judge a bundle that diagnoses on the patients of another study. Prints one line of JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--study", required=True, metavar="OTHER", help="its patients' diagnoses are known")
        parser.add_argument("--bundle", required=True, metavar="ID")

    def handle(self, *_: Any, **options: Any) -> None:
        study = Study.objects.filter(name=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['study']!r}.")
        try:
            found = validate(study, chosen_models(study, [options["bundle"]])[0], self._tell)
        except (DiagnosisProblem, ValueError) as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(json.dumps(without_curves(found)))

    def _tell(self, done: int, total: int) -> bool:
        if total and (done % 320 == 0 or done == total):
            self.stderr.write(f"{done} of {total} seen")
        return True
