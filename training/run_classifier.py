"""`python -m training.run_classifier SNAPSHOT OUT --group NAME [--label NAME]`: train a classifier from a snapshot,
with no Django in the process.

Writes OUT/bundle and OUT/progress.jsonl (one event a line), a log on stderr, and one JSON line last on stdout. The same
command again goes on with the features that are computed, and says what it made where it was done.
"""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.classifier_folds import FoldsError
from training.classifier_lesson import lesson_of
from training.classifier_settings import ClassifierSettings, resolve_classifier_settings
from training.classifier_target import Target
from training.code_version import VERSION
from training.command import add_common_arguments, read_settings, until_asked_to_end
from training.contract import ContractError, write_json
from training.crop_features import NAME, Extractor, Stopped
from training.run import ENDED, OutError, Progress, alone, done, made_before, make_room, refuse, say_aloud
from training.settings import SettingsError
from training.snapshot import Snapshot, read_snapshot


def open_extractor(settings: ClassifierSettings) -> Extractor:
    # Imported late: a refused snapshot costs no seconds of loading torch.
    from training.cell_features import FeatureExtractor

    return FeatureExtractor(settings.backbone)


def main(
    arguments: list[str] | None = None, extractor: Callable[[ClassifierSettings], Extractor] = open_extractor
) -> int:
    options = _parser().parse_args(arguments)
    try:
        settings = read_settings(options, resolve_classifier_settings)
        snapshot = read_snapshot(options.snapshot)
        target = Target(options.group, options.label)
        lesson_of(snapshot.manifest, target, settings.folds)
        options.out.mkdir(parents=True, exist_ok=True)
    except (ContractError, SettingsError, ValueError, OSError) as problem:
        return refuse(problem)
    wanted = until_asked_to_end(os.getppid() if options.end_with_parent else None)
    try:
        with alone(options.out):
            return _train(options, snapshot, target, settings, extractor, wanted)
    except OutError as problem:
        return refuse(problem)


def _train(
    options: argparse.Namespace,
    snapshot: Snapshot,
    target: Target,
    settings: ClassifierSettings,
    extractor: Callable[[ClassifierSettings], Extractor],
    wanted: Callable[[], bool],
) -> int:
    from training.classifier_round import carry_out

    out: Path = options.out
    identity = {
        "snapshot": snapshot.hash,
        "target": target.as_json(),
        "settings": settings.as_dict(),
        "seed": options.seed,
        "version": VERSION,
    }
    result = made_before(out, identity)
    if result is not None:
        say_aloud("This training was done before.")
        return done(result)
    progress = Progress(out / "progress.jsonl")
    try:
        eye = extractor(settings)
    except (ValueError, OSError) as problem:
        return refuse(problem)
    try:
        make_room(out / "bundle", made_here=begun_before(out, identity))
        if settings.threads:
            import torch

            torch.set_num_threads(settings.threads)
        result = carry_out(
            snapshot,
            target,
            settings,
            options.seed,
            eye,
            out,
            known=options.features,
            views=options.views,
            tell=progress.tell,
            wanted=wanted,
        )
        write_json(out / "result.json", {"identity": identity, "result": result})
    except Stopped:
        progress.tell({"event": "stopped", "message": "The training was ended; the same command goes on with it."})
        return ENDED
    except (ContractError, FoldsError, OSError) as problem:
        progress.tell({"event": "failed", "reason": str(problem)})
        return refuse(problem)
    progress.tell({"event": "done", **result})
    return done(result)


def begun_before(out: Path, identity: dict[str, Any]) -> bool:
    """Whether an earlier process of this very training began here; noted for the next one."""
    note = out / "identity.json"
    with contextlib.suppress(OSError, ValueError):
        if json.loads(note.read_text(encoding="utf-8")) == identity:
            return True
    write_json(note, identity)
    return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.run_classifier", description="Train a classifier from a snapshot."
    )
    add_common_arguments(parser, f"folder that gets bundle/, progress.jsonl and {NAME}")
    parser.add_argument("--group", required=True, metavar="NAME", help="group of labels, as the snapshot names it")
    parser.add_argument("--label", metavar="NAME", help="one label of the group, against all others")
    parser.add_argument("--features", type=Path, metavar="FILE", help="features that are known already (.npz)")
    parser.add_argument(
        "--views", type=Path, metavar="FILE", help="features of views, for this round and the next (.npz)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
