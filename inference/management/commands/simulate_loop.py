import json
import math
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.effort import effort
from annotation.formats.arguments import FormatOptions, add_format_arguments
from annotation.formats.records import FormatError
from annotation.formats.truth import TruthCell
from annotation.models import ImageOrder, SmearImage, Study
from annotation.scheme import study_named
from inference.evaluation import evaluate, study_truth
from inference.proposals import DetectorProposals, Proposer, chosen_bundle, propose, proposer_of
from inference.simulation import correct, judge, next_images, set_aside, shuffled, simulated_annotator, unplayed
from training.freeze import RoundRefused
from training.launching import launch
from training.parent_choice import AUTO
from training.rounds import carry_out
from training.settings import SettingsError, parse_assignments

# The words of the command line.
ORDERS = {
    "random": ImageOrder.RANDOM,
    "uncertainty": ImageOrder.UNCERTAIN,
    "disagreement": ImageOrder.DISAGREE,
    "novelty": ImageOrder.UNLIKE,
    "teaches-most": ImageOrder.TEACHES,
}


class Command(BaseCommand):
    help = (
        "Play an annotator against a truth: correct proposals, retrain, propose again; one JSON line a round. Goes on "
        "from where the study stands: with its bundle in use, on images that nobody has annotated."
    )

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
        parser.add_argument(
            "--order",
            choices=list(ORDERS),
            default="random",
            help="which images a round takes next; the order of the worklist, or by lot",
        )
        parser.add_argument(
            "--judge-images",
            type=int,
            default=0,
            metavar="N",
            help="set aside N images of the truth, the same for all seeds and orders, that judge every round; 0: the "
            "images still waiting do, which change from round to round",
        )
        parser.add_argument(
            "--until",
            type=float,
            metavar="MAP_50",
            help="end with the first round whose map_50 reaches it",
        )
        parser.add_argument(
            "--warm-passes",
            type=int,
            default=0,
            metavar="N",
            help="image passes of a training that starts from the round before; 0: as the setting epochs says",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        study = study_named(options["study"])
        rounds, per_round = options["rounds"], options["images_per_round"]
        if rounds < 1 or per_round < 1:
            raise CommandError("At least one round of one image is needed.")
        if options["judge_images"] < 0 or options["warm_passes"] < 0:
            raise CommandError("The numbers of images to judge and of image passes cannot be negative.")
        try:
            truth, read = study_truth(study, options["truth"], FormatOptions.of(options))
            # A held-out fold would cost the loop a fifth of what was corrected: images not yet used judge it.
            settings = {"validation": "none"} | parse_assignments(options["set"])
        except (FormatError, SettingsError) as problem:
            raise CommandError(str(problem)) from None
        for skipped in read.skipped:
            self.stderr.write(f"{skipped.name}: {skipped.reason}")
        playable = unplayed(truth)
        needed = rounds * per_round + options["judge_images"]
        if len(playable) < needed:
            besides = f", with {options['judge_images']} to judge," if options["judge_images"] else ""
            raise CommandError(
                f"{rounds} rounds of {per_round} images{besides} need {needed} images of the truth that nobody has "
                f"annotated; the study has {len(playable)}."
            )
        order = ORDERS[options["order"]]
        judges = set_aside(playable, options["judge_images"])
        waiting = shuffled(sorted(set(playable) - set(judges)), options["seed"])
        self._propose(study, proposer_of(chosen_bundle(study, None)), _looked_at(waiting, per_round, order))
        for number in range(1, rounds + 1):
            chosen = next_images(waiting, per_round, order)
            waiting = [key for key in waiting if key not in chosen]
            self._correct(study, chosen, truth)
            took = effort(chosen)
            annotated = study.images.finished().count()
            if options["warm_passes"] and options["parent"] == "auto" and chosen_bundle(study, None):
                settings["epochs"] = str(math.ceil(options["warm_passes"] / annotated))
            started = time.monotonic()
            last = number == rounds
            proposer = None if last and options["no_last_training"] else self._train(study, settings, options)
            seconds = time.monotonic() - started
            scores: dict[str, float | None] = {}
            if proposer and judges:
                scores = judge(proposer, {image_id: truth[image_id] for image_id in judges})
                last = last or _reached(scores, options["until"])
                if not last:
                    self._propose(study, proposer, _looked_at(waiting, per_round, order))
            elif proposer and waiting:
                self._propose(study, proposer, waiting)
                scores = evaluate({image_id: truth[image_id] for image_id in waiting}).scores
                last = last or _reached(scores, options["until"])
            line = {
                "round": number,
                "images": took.images,
                "cells": took.cells,
                "accepted": took.accepted,
                "moved": took.moved,
                "deleted": took.deleted,
                "added": took.added,
                "corrections_per_cell": took.corrections_per_cell,
                "map_50": scores.get("map_50"),
                "map": scores.get("map"),
                "order": options["order"],
                "annotated": annotated,
                "judged_on": len(judges or waiting) if scores else 0,
                "training_seconds": round(seconds, 1) if proposer else None,
            }
            self.stdout.write(json.dumps(line))
            self.stdout.flush()
            if last:
                break

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


def _looked_at(waiting: list[int], count: int, order: ImageOrder) -> list[int]:
    """The images to propose on: no more than people take next, unless those are chosen by what is proposed."""
    return waiting[:count] if order == ImageOrder.RANDOM else waiting


def _reached(scores: dict[str, float | None], wanted: float | None) -> bool:
    found = scores.get("map_50")
    return wanted is not None and found is not None and found >= wanted
