"""Does it pay to choose which image is corrected next? Images needed for map_50 0.95, ordered against random.

Run: python -m tests.benchmarks.image_order [--orders teaches-most random] [--seeds 0 1 2]
White cells of blood: steps of 10 images to 60, each training from the bundle of the step before, with as many image
passes in each order. The judges are 100 images that are never corrected, the same for all orders, seeds and steps. A
seed draws the images of the random worklist, orders what another worklist does not tell apart, and seeds the training.
The figure is the number of images at which map_50 first reaches 0.95, interpolated between two steps (10 where the
first step is there already; null where 60 do not reach it). Goal: ordered needs at most 80% of random. Beside it
stands map_50 after each step, and its mean over the steps, which varies less than one crossing does.
"""

import argparse
import sys
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from tests.benchmarks.product import BLOOD, BLOOD_FORMAT, product, report

ORDERS = ("random", "uncertainty", "disagreement", "novelty", "teaches-most")
REACHED = 0.95
STEP, STEPS = 10, 6


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", nargs="+", choices=ORDERS, default=["teaches-most", "random"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS, help="fewer, to save time")
    parser.add_argument("--images", type=int, default=400, help="import only so many, to save time")
    parser.add_argument("--judges", type=int, default=100)
    parser.add_argument("--warm-passes", type=int, default=300, help="image passes of each training after the first")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the training")
    options = parser.parse_args()
    needed: dict[str, dict[int, float | None]] = {order: {} for order in options.orders}
    curves: dict[str, list[list[float]]] = {order: [] for order in options.orders}
    for seed in options.seeds:
        for order in options.orders:
            lines = _play(order, seed, options)
            curve = [line["map_50"] for line in lines]
            curves[order].append(curve)
            needed[order][seed] = images_needed([line["annotated"] for line in lines], curve)
            report(
                f"image_order_{order}_seed_{seed}",
                images_needed=_rounded(needed[order][seed]),
                map_50=[round(value, 4) for value in curve],
                map=[round(line["map"], 4) for line in lines],
                corrections=[line["moved"] + line["deleted"] + line["added"] for line in lines],
                cells=[line["cells"] for line in lines],
                training_seconds=[line["training_seconds"] for line in lines],
            )
    report(
        "image_order",
        wanted=REACHED,
        seeds=options.seeds,
        warm_passes=options.warm_passes,
        images=options.images,
        judges=options.judges,
        orders={
            order: {
                "images_needed": {seed: _rounded(value) for seed, value in found.items()},
                "mean_images_needed": _mean(list(found.values())),
                "map_50": [round(fmean(step), 4) for step in zip(*curves[order], strict=True)],
                "mean_map_50": round(fmean(value for curve in curves[order] for value in curve), 4),
            }
            for order, found in needed.items()
        },
        ratio_to_random={
            order: _ratios(found, needed["random"])
            for order, found in needed.items()
            if order != "random" and "random" in needed
        },
        bars={"ratio_to_random": 0.8},
    )


def _play(order: str, seed: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    with product() as it:
        it.call("import_images", BLOOD / "train" / "images", "--study", "order", "--limit", str(options.images))
        settings = [argument for setting in options.set for argument in ("--set", setting)]
        play = ["--rounds", options.steps, "--images-per-round", STEP, "--order", order, "--seed", seed]
        play += ["--judge-images", options.judges, "--warm-passes", options.warm_passes, *settings]
        truth = ["--truth", BLOOD / "train" / "labels", *BLOOD_FORMAT]
        print(f"{order}, seed {seed}", file=sys.stderr, flush=True)
        return it.lines("simulate_loop", "--study", "order", *truth, *map(str, play))


def _ratios(found: dict[int, float | None], random: dict[int, float | None]) -> dict[str, Any]:
    """The ratio a seed, where both got there, and that of the means over all seeds, where all did."""
    mean, other = _mean(list(found.values())), _mean(list(random.values()))
    return {
        "by_seed": {
            seed: round(value / against, 3)
            for seed, value in found.items()
            if value is not None and (against := random[seed]) is not None
        },
        "of_means": round(mean / other, 3) if mean is not None and other is not None else None,
    }


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _rounded(fmean(known)) if known and len(known) == len(values) else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


if __name__ == "__main__":
    main()
