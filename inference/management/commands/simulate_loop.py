import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.effort import effort
from annotation.formats.arguments import FormatOptions, add_format_arguments
from annotation.formats.records import FormatError
from annotation.formats.truth import TruthCell
from annotation.models import SmearImage, Study
from annotation.scheme import study_named
from inference.evaluation import evaluate, study_truth
from inference.proposals import DetectorProposals, FirstProposals, Proposer, propose
from inference.simulation import correct, shuffled, simulated_annotator, unplayed
from training.freeze import RoundRefused
from training.rounds import AUTO, carry_out, launch
from training.settings import SettingsError, parse_assignments


class Command(BaseCommand):
    help = "Play an annotator against a truth: correct proposals, retrain, propose again; one JSON line a round."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--study", required=True, metavar="NAME")
        parser.add_argument("--truth", required=True, type=Path, metavar="PATH")
        add_format_arguments(parser)
        parser.add_argument("--rounds", type=int, default=3)
        parser.add_argument("--images-per-round", type=int, default=30)
        parser.add_argument("--seed", type=int, default=0, help="orders the images, and seeds the training")
        parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the training")
        parser.add_argument(
            "--no-last-training",
            action="store_true",
            help="end with the corrections of the last round: the training after it would only say its own map_50",
        )
        parser.add_argument(
            "--parent", choices=["auto", "none"], default="auto", help="weights that a round starts from"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        study = study_named(options["study"])
        rounds, per_round = options["rounds"], options["images_per_round"]
        if rounds < 1 or per_round < 1:
            raise CommandError("At least one round of one image is needed.")
        try:
            truth, read = study_truth(study, options["truth"], FormatOptions.of(options))
            # A held-out fold would cost the loop a fifth of what was corrected: images not yet used judge it.
            settings = {"validation": "none"} | parse_assignments(options["set"])
        except (FormatError, SettingsError) as problem:
            raise CommandError(str(problem)) from None
        for skipped in read.skipped:
            self.stderr.write(f"{skipped.name}: {skipped.reason}")
        waiting = shuffled(unplayed(truth), options["seed"])
        if len(waiting) < rounds * per_round:
            raise CommandError(
                f"{rounds} rounds of {per_round} images need {rounds * per_round} images of the truth that nobody has "
                f"annotated; the study has {len(waiting)}."
            )
        # The play is about what people see of a loop that begins without a model.
        self._propose(study, FirstProposals(), waiting[:per_round])
        for number in range(1, rounds + 1):
            chosen, waiting = waiting[:per_round], waiting[per_round:]
            self._correct(study, chosen, truth)
            took = effort(chosen)
            last = number == rounds and options["no_last_training"]
            proposer = None if last else self._train(study, settings, options)
            map_50 = None
            if waiting and proposer:
                self._propose(study, proposer, waiting)
                map_50 = evaluate({image_id: truth[image_id] for image_id in waiting}).scores["map_50"]
            line = {
                "round": number,
                "images": took.images,
                "cells": took.cells,
                "accepted": took.accepted,
                "moved": took.moved,
                "deleted": took.deleted,
                "added": took.added,
                "corrections_per_cell": took.corrections_per_cell,
                "map_50": map_50,
            }
            self.stdout.write(json.dumps(line))
            self.stdout.flush()

    def _correct(self, study: Study, image_ids: list[int], truth: dict[int, list[TruthCell]]) -> None:
        user = simulated_annotator(study)
        for image_id in image_ids:
            correct(image_id, truth[image_id], user)

    def _propose(self, study: Study, proposer: Proposer, image_ids: list[int]) -> None:
        images = SmearImage.objects.filter(pk__in=image_ids).prefetch_related("names")
        made = propose(study, proposer, images)
        self.stderr.write(f"{made.run.bundle}: {made.shown} proposals shown on {made.images} images")

    def _train(self, study: Study, settings: dict[str, str], options: dict[str, Any]) -> Proposer:
        parent = AUTO if options["parent"] == "auto" else None
        try:
            round_ = launch(study, settings=settings, seed=options["seed"], parent=parent, at_once=True)
        except (RoundRefused, SettingsError) as problem:
            raise CommandError(str(problem)) from None
        carry_out(round_, echo=self.stderr.write)
        round_.refresh_from_db()
        if round_.bundle is None:
            raise CommandError(round_.reason or f"Round {round_.number} ended as {round_.state}.")
        return DetectorProposals(round_.bundle)
