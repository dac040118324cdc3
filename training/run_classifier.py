"""`python -m training.run_classifier SNAPSHOT OUT --group NAME [--label NAME]`: train a classifier from a snapshot,
with no Django in the process.

Writes OUT/bundle and OUT/progress.jsonl (one event a line), a log on stderr, and one JSON line last on stdout. The same
command again goes on with the features that are computed, and says what it made where it was done.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.classifier_folds import FoldsError
from training.classifier_lesson import lesson_of
from training.classifier_settings import ClassifierSettings, resolve_classifier_settings
from training.classifier_target import Target
from training.command import add_common_arguments, read_settings
from training.crop_features import NAME, Extractor
from training.inner_space import check_inner_trials
from training.planned import Plan, Tell, Wanted, Work, carry_out_plan
from training.search_space import SearchError
from training.snapshot import Snapshot

Open = Callable[[ClassifierSettings], Extractor]


def open_extractor(settings: ClassifierSettings) -> Extractor:
    # Imported late: a refused snapshot costs no seconds of loading torch.
    from training.cell_features import FeatureExtractor

    return FeatureExtractor(settings.backbone)


def main(arguments: list[str] | None = None, extractor: Open = open_extractor) -> int:
    options = _parser().parse_args(arguments)
    return carry_out_plan(options, lambda snapshot: _planned(options, snapshot, extractor))


def _planned(options: argparse.Namespace, snapshot: Snapshot, extractor: Open) -> Plan:
    settings = read_settings(options, resolve_classifier_settings)
    check_inner_trials(options.trials, settings)
    target = Target(options.group, options.label)
    lesson_of(snapshot.manifest, target, settings.folds)

    def begin() -> Work:
        eye = extractor(settings)

        def work(tell: Tell, wanted: Wanted) -> dict[str, Any]:
            from training.classifier_round import carry_out

            return carry_out(
                snapshot,
                target,
                settings,
                options.seed,
                eye,
                options.out,
                known=options.features,
                views=options.views,
                trials=options.trials,
                tell=tell,
                wanted=wanted,
            )

        return work

    identity = {"target": target.as_json(), "settings": settings.as_dict(), "trials": options.trials}
    return Plan(identity, settings.threads, begin, refuses=(FoldsError, SearchError))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.run_classifier", description="Train a classifier from a snapshot."
    )
    add_common_arguments(parser, f"folder that gets bundle/, progress.jsonl and {NAME}")
    parser.add_argument("--group", required=True, metavar="NAME", help="group of labels, as the snapshot names it")
    parser.add_argument("--label", metavar="NAME", help="one label of the group, against all others")
    parser.add_argument("--trials", type=int, default=0, metavar="N", help="search for settings first")
    parser.add_argument(
        "--features", type=Path, nargs="+", default=[], metavar="FILE", help="features that are known already (.npz)"
    )
    parser.add_argument(
        "--views", type=Path, metavar="FILE", help="features of views, for this round and the next (.npz)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
