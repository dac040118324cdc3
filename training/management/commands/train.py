import json
import signal
import sys
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.scheme import study_named
from training.contract import ContractError
from training.freeze import RoundRefused
from training.launching import launch, resume
from training.models import JobState, Kind, Round
from training.parent_choice import AUTO
from training.rounds import carry_out
from training.selection import ALL, STATES, Selection, SelectionError
from training.settings import SettingsError, parse_assignments
from training.unchanged import RoundUnchanged


class Command(BaseCommand):
    help = "Train a round in the foreground, without a worker. Prints its result as one line of JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=[Kind.DETECTOR.value])
        parser.add_argument("--study", required=True, metavar="NAME")
        parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting; repeatable")
        parser.add_argument(
            "--parent",
            default=AUTO,
            metavar="ID",
            help="bundle to start from (also of another study), none, or auto: the one in use, else another study's",
        )
        parser.add_argument("--images", choices=list(STATES), default=ALL, help="learn only from images of a state")
        parser.add_argument(
            "--patient", action="append", default=[], metavar="CODE", help="learn only from these patients; repeatable"
        )
        parser.add_argument(
            "--label",
            action="append",
            default=[],
            metavar="NAME",
            help="learn only from images that hold a cell labelled so; repeatable",
        )
        parser.add_argument("--trials", type=int, default=0, metavar="N", help="search for settings in so many trials")
        parser.add_argument("--again", action="store_true", help="train also where the data is unchanged")
        parser.add_argument(
            "--resume",
            type=int,
            metavar="ROUND",
            help="go on with this round of the study, which failed or was cancelled",
        )
        parser.add_argument("--seed", type=int, default=0, metavar="N")

    def handle(self, *arguments: Any, **options: Any) -> None:
        if not 0 <= options["seed"] < 2**63:
            raise CommandError("The seed must be from 0 to 2^63 - 1.")
        Round.bury_dead()
        try:
            round_ = self._resumed(options) if options["resume"] is not None else self._launched(options)
        except RoundUnchanged as unchanged:
            raise CommandError(f"{unchanged} Use --again to train anyway.") from unchanged
        except (RoundRefused, SettingsError, SelectionError, ContractError) as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"Round {round_.number}: {round_.counts['images']} images, {round_.counts['cells']} cells.")
        self.stderr.write(round_.reload().log.rstrip())
        asked = signal.signal(signal.SIGTERM, _interrupt)
        try:
            carry_out(round_, echo=self._echo)
        except KeyboardInterrupt:
            raise CommandError(f"Round {round_.number} was cancelled.", returncode=130) from None
        finally:
            signal.signal(signal.SIGTERM, asked)
        round_.refresh_from_db()
        if round_.state != JobState.SUCCEEDED:
            raise CommandError(round_.reason)
        self.stdout.write(json.dumps(result_of(round_)))

    def _launched(self, options: dict[str, Any]) -> Round:
        return launch(
            study_named(options["study"]),
            settings=parse_assignments(options["set"]),
            seed=options["seed"],
            parent=None if options["parent"] == "none" else options["parent"],
            selection=Selection(options["images"], tuple(options["patient"]), tuple(options["label"])),
            trials=options["trials"],
            again=options["again"],
            at_once=True,
        )

    def _resumed(self, options: dict[str, Any]) -> Round:
        rounds = Round.objects.filter(study__name=options["study"], kind=options["kind"], number=options["resume"])
        found = rounds.select_related("study", "parent").first()
        if found is None:
            raise RoundRefused(f"The study {options['study']} has no round {options['resume']}.")
        resume(found, at_once=True)
        return found

    def _echo(self, line: str) -> None:
        self.stderr.write(line)
        sys.stderr.flush()


def result_of(round_: Round) -> dict[str, Any]:
    """What the command prints of a round that succeeded; metrics are null where nothing judged it."""
    metrics = round_.metrics or {}
    result: dict[str, Any] = {
        "round": round_.number,
        "bundle": round_.bundle_id,
        "seconds": round(round_.seconds_taken or 0.0, 1),
        **{name: metrics.get(name) for name in ("map", "map_50", "map_75", "mar")},
    }
    if round_.folds:
        result["folds"] = round_.folds
    if round_.searched:
        result["searched"] = round_.searched
    return result


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
