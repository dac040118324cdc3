"""`python -m training.run_diagnosis SNAPSHOT OUT --kind KIND`: train an ensemble or MILLIE from a snapshot, with no
Django in the process.

Writes OUT/bundle and OUT/progress.jsonl (one event a line), a log on stderr, and one JSON line last on stdout. The same
command again goes on with the features that are computed, and says what it made where it was done.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.code_version import VERSION
from training.command import add_common_arguments, read_settings, until_asked_to_end
from training.contract import ContractError, write_json
from training.crop_features import NAME, Extractor, Stopped
from training.decisions import DecisionError, parse_decisions
from training.diagnosis_lesson import diagnosis_lesson
from training.diagnosis_settings import SETTINGS, CellsSettings, resolve_diagnosis_settings
from training.run import ENDED, OutError, Progress, alone, done, made_before, make_room, refuse, say_aloud
from training.run_classifier import begun_before
from training.settings import SettingsError
from training.snapshot import Snapshot, read_snapshot

Open = Callable[[CellsSettings], Extractor]


def open_extractor(settings: CellsSettings) -> Extractor:
    # Imported late: a refused snapshot costs no seconds of loading torch.
    from training.cell_features import FeatureExtractor

    return FeatureExtractor(settings.backbone)


def main(arguments: list[str] | None = None, extractor: Open = open_extractor) -> int:
    options = _parser().parse_args(arguments)
    try:
        settings = read_settings(options, lambda given: resolve_diagnosis_settings(options.kind, given))
        assert isinstance(settings, CellsSettings)
        snapshot = read_snapshot(options.snapshot)
        diagnosis_lesson(snapshot.manifest, parse_decisions(settings.decisions), settings.folds)
        options.out.mkdir(parents=True, exist_ok=True)
    except (ContractError, SettingsError, ValueError, OSError) as problem:
        return refuse(problem)
    wanted = until_asked_to_end(os.getppid() if options.end_with_parent else None)
    try:
        with alone(options.out):
            return _train(options, snapshot, settings, extractor, wanted)
    except OutError as problem:
        return refuse(problem)


def _train(
    options: argparse.Namespace,
    snapshot: Snapshot,
    settings: CellsSettings,
    extractor: Open,
    wanted: Callable[[], bool],
) -> int:
    from training.diagnosis_round import carry_out

    out: Path = options.out
    identity: dict[str, Any] = {
        "snapshot": snapshot.hash,
        "kind": options.kind,
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
            options.kind,
            settings,
            options.seed,
            eye,
            out,
            known=options.features,
            tell=progress.tell,
            wanted=wanted,
        )
        write_json(out / "result.json", {"identity": identity, "result": result})
    except Stopped:
        progress.tell({"event": "stopped", "message": "The training was ended; the same command goes on with it."})
        return ENDED
    except (ContractError, DecisionError, OSError) as problem:
        progress.tell({"event": "failed", "reason": str(problem)})
        return refuse(problem)
    progress.tell({"event": "done", **result})
    return done(result)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.run_diagnosis", description="Train an ensemble or MILLIE from a snapshot."
    )
    add_common_arguments(parser, f"folder that gets bundle/, progress.jsonl and {NAME}")
    parser.add_argument("--kind", required=True, choices=sorted(SETTINGS))
    parser.add_argument("--features", type=Path, metavar="FILE", help="features that are known already (.npz)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
