import signal
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.scheme import study_named
from training.models import JobState, Round
from training.search_jobs import help_with


class Command(BaseCommand):
    help = "Take trials of the search of a study's running round, beside its own worker, until none is left."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--study", required=True, metavar="NAME")

    def handle(self, *arguments: Any, **options: Any) -> None:
        study = study_named(options["study"])
        Round.bury_dead()
        running = Round.objects.filter(study=study, state=JobState.RUNNING, trials__gt=0).first()
        if running is None:
            raise CommandError(f"No round of the study {study.name} is searching now.")
        asked = signal.signal(signal.SIGTERM, _interrupt)
        try:
            helper = help_with(running.pk)
        except KeyboardInterrupt:
            raise CommandError("The helper was ended; its trial is for another one.", returncode=130) from None
        finally:
            signal.signal(signal.SIGTERM, asked)
        if helper is None:
            raise CommandError(f"Round {running.number} needs no help now: it trains already, or another round waits.")
        self.stderr.write(helper.reload().log.rstrip())
        if helper.state != JobState.SUCCEEDED:
            raise CommandError(helper.reason)
        self.stdout.write(helper.reason)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
