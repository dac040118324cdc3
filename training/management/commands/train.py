import json
import signal
import sys
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.scheme import study_named
from training.classifier_target import TargetError
from training.contract import ContractError
from training.freeze import RoundRefused
from training.launching import launch, launch_classifier, launch_diagnosis, resume
from training.models import JobState, Kind, Round
from training.parent_choice import AUTO
from training.rounds import carry_out
from training.selection import ALL, STATES, Selection, SelectionError
from training.settings import SettingsError, parse_assignments
from training.target_choice import find_target
from training.unchanged import RoundUnchanged


class Command(BaseCommand):
    help = "Train a round in the foreground, without a worker. Prints its result as one line of JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=Kind.values)
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
            help="of a detector: learn only from images that hold a cell labelled so; repeatable. Of a classifier: the "
            "label that it tells from all others",
        )
        parser.add_argument(
            "--group", metavar="NAME", help="of a classifier: the group whose labels it tells apart, or of the --label"
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
        except (RoundRefused, SettingsError, SelectionError, TargetError, ContractError) as error:
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
        if options["kind"] == Kind.CLASSIFIER:
            return self._classifier_launched(options)
        if Kind(options["kind"]).diagnoses:
            return self._diagnosis_launched(options)
        if options["group"] is not None:
            raise SettingsError("A detector learns from all borders: it has no group of labels.")
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

    def _classifier_launched(self, options: dict[str, Any]) -> Round:
        if options["parent"] != AUTO:
            raise SettingsError("A classifier starts from its backbone.")
        if len(options["label"]) > 1:
            raise TargetError("A classifier tells one label from all others, or the labels of a group.")
        study = study_named(options["study"])
        return launch_classifier(
            study,
            find_target(study, group=options["group"], label=next(iter(options["label"]), None)),
            settings=parse_assignments(options["set"]),
            seed=options["seed"],
            selection=Selection(options["images"], tuple(options["patient"])),
            trials=options["trials"],
            again=options["again"],
            at_once=True,
        )

    def _diagnosis_launched(self, options: dict[str, Any]) -> Round:
        if options["parent"] != AUTO:
            raise SettingsError("A model that diagnoses starts from its backbone.")
        if options["group"] is not None or options["label"]:
            raise TargetError("A model that diagnoses tells patients apart: what it decides is the setting decisions.")
        return launch_diagnosis(
            study_named(options["study"]),
            Kind(options["kind"]),
            settings=parse_assignments(options["set"]),
            seed=options["seed"],
            selection=Selection(options["images"], tuple(options["patient"])),
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
    """What the command prints of a round that succeeded; metrics are null where nothing judged it, and those of all
    labels together where a cell may have many of them."""
    metrics = round_.metrics or {}
    searched = {"searched": round_.searched} if round_.searched else {}
    if round_.kind == Kind.CLASSIFIER:
        return {
            "round": round_.number,
            "bundle": round_.bundle_id,
            "seconds": round(round_.seconds_taken or 0.0, 1),
            "target": round_.target,
            "folds": round_.folds,
            **{name: metrics.get(name) for name in ("auroc", "auprc", "f1", "precision", "recall")},
            **{name: metrics.get(name) for name in ("cells", "patients", "judged", "classes")},
            **searched,
        }
    if Kind(round_.kind).diagnoses:
        return {
            "round": round_.number,
            "bundle": round_.bundle_id,
            "seconds": round(round_.seconds_taken or 0.0, 1),
            "folds": round_.folds,
            **{name: metrics.get(name) for name in ("auroc", "auprc", "brier", "promised", "patients", "positives")},
            **{name: metrics.get(name) for name in ("cells", "decisions")},
            **searched,
        }
    result: dict[str, Any] = {
        "round": round_.number,
        "bundle": round_.bundle_id,
        "seconds": round(round_.seconds_taken or 0.0, 1),
        **{name: metrics.get(name) for name in ("map", "map_50", "map_75", "mar")},
    }
    if round_.folds:
        result["folds"] = round_.folds
    return result | searched


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
