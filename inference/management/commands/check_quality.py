import json
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from annotation.models import ImageQuality, SmearImage
from annotation.scheme import study_named
from inference.image_quality_jobs import judge_study


class Command(BaseCommand):
    help = (
        "Judge the images of a study that nobody has judged yet (focus, exposure, stain, density), in the foreground."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--study", required=True, metavar="NAME")
        parser.add_argument("--again", action="store_true", help="judge all images, also those that were judged before")

    def handle(self, *_: Any, **options: Any) -> None:
        study = study_named(options["study"])
        if options["again"]:
            ImageQuality.objects.filter(image__study=study).delete()
        judged = judge_study(study, self._tell)
        rows = ImageQuality.objects.filter(image__study=study)
        poor = SmearImage.objects.filter(study=study, quality__verdict=ImageQuality.Verdict.BAD).select_related(
            "quality"
        )
        for image in poor.prefetch_related("names"):
            self.stderr.write(f"{image.file_name}: {image.quality.reason}")
        verdicts = Counter(rows.values_list("verdict", flat=True))
        counts = {value: verdicts[value] for value in ImageQuality.Verdict.values}
        self.stdout.write(json.dumps({"judged": judged, "images": study.images.count(), **counts}))

    def _tell(self, done: int, total: int) -> bool:
        if done % 25 == 0 or done == total:
            self.stderr.write(f"{done} of {total} images")
        return True
