"""`python -m training.run_diagnosis SNAPSHOT OUT --kind KIND`: train an ensemble, MILLIE or a network of whole images
from a snapshot, with no Django in the process.

Writes OUT/bundle and OUT/progress.jsonl (one event a line), a log on stderr, and one JSON line last on stdout. The same
command again goes on with the features or networks that it has, and says what it made where it was done.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.command import add_common_arguments, read_settings
from training.crop_features import NAME, Extractor
from training.decisions import DecisionError, asked_of
from training.diagnosis_lesson import diagnosis_lesson
from training.diagnosis_settings import SETTINGS, CellsSettings, ImageSettings, resolve_diagnosis_settings
from training.image_lesson import image_lesson
from training.inner_space import check_inner_trials
from training.planned import Plan, Tell, Wanted, Work, carry_out_plan
from training.search_space import SearchError
from training.snapshot import Snapshot

Open = Callable[[CellsSettings], Extractor]


def open_extractor(settings: CellsSettings) -> Extractor:
    # Imported late: a refused snapshot costs no seconds of loading torch.
    from training.cell_features import FeatureExtractor

    return FeatureExtractor(settings.backbone)


def main(arguments: list[str] | None = None, extractor: Open = open_extractor) -> int:
    options = _parser().parse_args(arguments)
    return carry_out_plan(options, lambda snapshot: _planned(options, snapshot, extractor))


def _planned(options: argparse.Namespace, snapshot: Snapshot, extractor: Open) -> Plan:
    settings = read_settings(options, lambda given: resolve_diagnosis_settings(options.kind, given))
    check_inner_trials(options.trials, settings)
    if isinstance(settings, ImageSettings):
        return _planned_of_images(options, snapshot, settings)
    assert isinstance(settings, CellsSettings)
    diagnosis_lesson(snapshot.manifest, asked_of(snapshot.manifest, settings.decisions), settings.folds)

    def begin() -> Work:
        eye = extractor(settings)

        def work(tell: Tell, wanted: Wanted) -> dict[str, Any]:
            from training.diagnosis_round import carry_out

            return carry_out(
                snapshot,
                options.kind,
                settings,
                options.seed,
                eye,
                options.out,
                known=options.features,
                views=options.views,
                readers=options.readers,
                trials=options.trials,
                tell=tell,
                wanted=wanted,
            )

        return work

    identity = {"kind": options.kind, "settings": settings.as_dict(), "trials": options.trials}
    return Plan(identity, settings.threads, begin, refuses=(DecisionError, SearchError))


def _planned_of_images(options: argparse.Namespace, snapshot: Snapshot, settings: ImageSettings) -> Plan:
    image_lesson(snapshot.manifest, asked_of(snapshot.manifest, settings.decisions), settings.folds)

    def begin() -> Work:
        from training.backbone import BackboneError
        from training.image_round import carry_out

        def work(tell: Tell, wanted: Wanted) -> dict[str, Any]:
            try:
                return carry_out(snapshot, settings, options.seed, options.out, tell=tell, wanted=wanted)
            except BackboneError as problem:
                raise DecisionError(str(problem)) from problem

        return work

    identity = {"kind": options.kind, "settings": settings.as_dict()}
    return Plan(identity, settings.threads, begin, refuses=(DecisionError,))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.run_diagnosis",
        description="Train a model that diagnoses from a snapshot.",
    )
    add_common_arguments(parser, f"folder that gets bundle/, progress.jsonl and {NAME}")
    parser.add_argument("--kind", required=True, choices=sorted(SETTINGS))
    parser.add_argument(
        "--features", type=Path, nargs="+", default=[], metavar="FILE", help="features that are known already (.npz)"
    )
    parser.add_argument(
        "--views", type=Path, metavar="FILE", help="features of views, for this round and the next (.npz)"
    )
    parser.add_argument(
        "--readers", type=Path, metavar="FILE", help="cell classifiers, for this round and the next (.npz)"
    )
    parser.add_argument("--trials", type=int, default=0, metavar="N", help="search for settings first")
    return parser


if __name__ == "__main__":
    sys.exit(main())
