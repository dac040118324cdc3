"""Does it pay to choose which image is corrected next? Images needed for map_50 0.95, ordered against random.

Run: python -m tests.benchmarks.image_order [--orders teaches-most random] [--seeds 0 1 2]
A seed a process, on one core each:
     OMP_NUM_THREADS=1 taskset -c 0 python -m tests.benchmarks.image_order --seeds 0 > seed-0.json
     python -m tests.benchmarks.image_order --combine seed-*.json
White cells of blood: steps of 10 images to 60, each training from the bundle of the step before, with as many image
passes in each order. The judges are 100 images that are never corrected, the same for all orders, seeds and steps.
The first 10 images are drawn by lot and their training is shared by all orders of a seed, as is usual where ways of
choosing are compared: what differs is how they go on from there. A seed draws these and the images of the random
worklist, orders what another worklist does not tell apart, and seeds the training.
The figure is the number of images at which map_50 first reaches 0.95, interpolated between two steps (10 where the
first step is there already; null where 60 do not reach it). A play ends there, as no later step can change the figure;
with --all-steps it goes on to 60. Goal: ordered needs at most 80% of random.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from tests.benchmarks.product import BLOOD, BLOOD_FORMAT, Product, product, report

ORDERS = ("random", "uncertainty", "disagreement", "novelty", "teaches-most")
REACHED = 0.95
STEP, STEPS = 10, 6
# The name of a play's line, by which it is found again in a file to combine.
PLAY = "image_order_play"


class NotOfOneKind(Exception):
    """Plays that cannot be held against each other."""


def images_needed(images: Sequence[int], map_50: Sequence[float], wanted: float = REACHED) -> float | None:
    """At how many images the curve first reaches a value, on straight lines between its points."""
    before: tuple[int, float] | None = None
    for count, value in zip(images, map_50, strict=True):
        if value >= wanted:
            if before is None:
                return float(count)
            return before[0] + (count - before[0]) * (wanted - before[1]) / (value - before[1])
        before = count, value
    return None


def combined(plays: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What plays of several orders and seeds say together. Raises NotOfOneKind where they were played otherwise."""
    if any(play["conditions"] != plays[0]["conditions"] for play in plays):
        raise NotOfOneKind("These plays had different conditions.")
    by_order: dict[str, dict[int, dict[str, Any]]] = {}
    for play in plays:
        if play["seed"] in by_order.setdefault(play["order"], {}):
            raise NotOfOneKind(f"There are two plays of the order {play['order']} and the seed {play['seed']}.")
        by_order[play["order"]][play["seed"]] = play
    needed = {
        order: {seed: images_needed(play["annotated"], play["map_50"]) for seed, play in sorted(of_seeds.items())}
        for order, of_seeds in by_order.items()
    }
    return {
        "wanted": REACHED,
        "conditions": plays[0]["conditions"],
        "orders": {
            order: {
                "images_needed": {seed: _rounded(value) for seed, value in found.items()},
                "mean_images_needed": _rounded(_mean(found.values())),
                # As far as all seeds got: a play that has reached the value ends.
                "map_50": [
                    round(fmean(step), 4)
                    for step in zip(*(play["map_50"] for play in by_order[order].values()), strict=False)
                ],
            }
            for order, found in needed.items()
        },
        "ratio_to_random": {
            order: _ratios(found, needed["random"])
            for order, found in needed.items()
            if order != "random" and "random" in needed
        },
        "bars": {"ratio_to_random": 0.8},
    }


def _ratios(found: dict[int, float | None], random: dict[int, float | None]) -> dict[str, Any]:
    """The ratio a seed, where both got there, and that of the means over the seeds of both, where all did."""
    both = [seed for seed in found if seed in random]
    mean, other = _mean(found[seed] for seed in both), _mean(random[seed] for seed in both)
    return {
        "by_seed": {
            seed: round(value / against, 3)
            for seed in both
            if (value := found[seed]) is not None and (against := random[seed]) is not None
        },
        "of_means": round(mean / other, 3) if mean is not None and other is not None else None,
    }


def _mean(values: Iterable[float | None]) -> float | None:
    """None where one of them is not known, or there is none."""
    known = list(values)
    return fmean(v for v in known if v is not None) if known and None not in known else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", nargs="+", choices=ORDERS, default=["teaches-most", "random"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS, help="fewer, to save time")
    parser.add_argument("--images", type=int, default=400, help="import only so many, to save time")
    parser.add_argument("--judges", type=int, default=100)
    parser.add_argument("--warm-passes", type=int, default=200, help="image passes of each training after the first")
    parser.add_argument("--all-steps", action="store_true", help="go on where the value is reached already")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the training")
    parser.add_argument(
        "--combine", type=Path, nargs="+", metavar="FILE", help="play nothing: combine what earlier runs printed"
    )
    options = parser.parse_args()
    plays = []
    for play in _read(options.combine) if options.combine else _played(options):
        plays.append(play)
        if not options.combine:
            report(PLAY, **play)
    if not plays:
        sys.exit("There is no play to report on.")
    try:
        report("image_order", **combined(plays))
    except NotOfOneKind as problem:
        sys.exit(str(problem))


def _read(files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for file in files:
        for line in file.read_text().splitlines():
            content = json.loads(line)
            if content["benchmark"] == PLAY:
                yield content


def _played(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One play for each seed and order."""
    conditions = {
        name: getattr(options, name) for name in ("images", "judges", "steps", "warm_passes", "all_steps", "set")
    }
    for seed in options.seeds:
        with product() as it:
            it.call("import_images", BLOOD / "train" / "images", "--study", "order", "--limit", str(options.images))
            started = time.monotonic()
            first = _play(it, "random", seed, 1, options)
            shared = time.monotonic() - started
            done = first[-1]["map_50"] >= REACHED and not options.all_steps
            for order in options.orders:
                started = time.monotonic()
                lines = first
                if options.steps > 1 and not done:
                    with it.copied() as copy:
                        lines = first + _play(copy, order, seed, options.steps - 1, options)
                yield {
                    "order": order,
                    "seed": seed,
                    "conditions": conditions,
                    "annotated": [line["annotated"] for line in lines],
                    "map_50": [line["map_50"] for line in lines],
                    "map": [line["map"] for line in lines],
                    "corrections": [line["moved"] + line["deleted"] + line["added"] for line in lines],
                    "cells": [line["cells"] for line in lines],
                    "training_seconds": [line["training_seconds"] for line in lines],
                    "shared_seconds": round(shared),
                    "seconds": round(time.monotonic() - started),
                }


def _play(it: Product, order: str, seed: int, steps: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """So many more steps in an order, from where the study stands."""
    print(f"{order}, seed {seed}", file=sys.stderr, flush=True)
    play = ["--rounds", steps, "--images-per-round", STEP, "--order", order, "--seed", seed]
    play += ["--judge-images", options.judges, "--warm-passes", options.warm_passes]
    play += [] if options.all_steps else ["--until", REACHED]
    settings = [argument for setting in options.set for argument in ("--set", setting)]
    truth = ["--truth", BLOOD / "train" / "labels", *BLOOD_FORMAT]
    return it.lines("simulate_loop", "--study", "order", *truth, *map(str, play), *settings)


if __name__ == "__main__":
    main()
