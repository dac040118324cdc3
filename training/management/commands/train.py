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
from training.models import JobState, Kind, Round
from training.rounds import AUTO, carry_out, launch
from training.settings import SettingsError, parse_assignments


class Command(BaseCommand):
    help = "Train a round in the foreground, without a worker. Prints its result as one line of JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=Kind.values)
        parser.add_argument("--study", required=True, metavar="NAME")
        parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting; repeatable")
        parser.add_argument(
            "--parent", default=AUTO, metavar="ID", help="bundle to start from, none, or auto (the one in use)"
        )
        parser.add_argument("--seed", type=int, default=0, metavar="N")

    def handle(self, *arguments: Any, **options: Any) -> None:
        if options["seed"] < 0:
            raise CommandError("The seed must not be negative.")
        Round.bury_dead()
        try:
            round_ = launch(
                study_named(options["study"]),
                settings=parse_assignments(options["set"]),
                seed=options["seed"],
                parent=None if options["parent"] == "none" else options["parent"],
                at_once=True,
            )
        except (RoundRefused, SettingsError, ContractError) as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"Round {round_.number}: {round_.counts['images']} images, {round_.counts['cells']} cells.")
        self.stderr.write(round_.log.rstrip())
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
    return result


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
