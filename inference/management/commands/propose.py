import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.models import SmearImage
from annotation.scheme import study_named
from inference.proposals import ProposalProblem, chosen_bundle, propose, proposer_of


class Command(BaseCommand):
    help = "Propose borders on images of a study, in the foreground, with the bundle in use or without a model."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--study", required=True, metavar="NAME")
        parser.add_argument(
            "--bundle",
            metavar="ID",
            help="of whatever study; default: the bundle in use; `watershed`: first proposals without a model",
        )
        parser.add_argument("--images", choices=["unannotated", "all"], default="unannotated")

    def handle(self, *_: Any, **options: Any) -> None:
        study = study_named(options["study"])
        images = SmearImage.objects.filter(study=study).prefetch_related("names")
        if options["images"] == "unannotated":
            images = images.unannotated()
        try:
            proposer = proposer_of(chosen_bundle(study, options["bundle"], elsewhere=True))
        except (ProposalProblem, ValueError) as problem:
            raise CommandError(str(problem)) from None
        made = propose(study, proposer, images, self._tell)
        for name in made.missing:
            self.stderr.write(f"{name}: its file is gone from the image store.")
        self.stdout.write(
            json.dumps(
                {
                    "images": made.images,
                    "proposals": made.proposals,
                    "seconds_per_image": round(made.seconds_per_image, 3),
                    "shown": made.shown,
                    "bundle": made.run.bundle,
                }
            )
        )

    def _tell(self, done: int, total: int) -> bool:
        if done % 25 == 0 or done == total:
            self.stderr.write(f"{done} of {total} images")
        return True
