"""`python -m training.run SNAPSHOT OUT`: train from a snapshot, with no Django in the process.

Writes OUT/bundle and OUT/progress.jsonl (one event a line), a log on stderr, and one JSON line last on stdout.
"""

import argparse
import errno
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from training.contract import ContractError
from training.settings import SettingsError, parse_assignments, resolve_settings
from training.snapshot import read_snapshot
from training.splits import SplitError

# An end that was asked for is told apart from a failure, as a shell does (128 + SIGTERM).
ENDED = 143


class Progress:
    """Events into progress.jsonl, and those worth a person's reading onto stderr."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def tell(self, event: dict[str, Any]) -> None:
        json.dump({"time": round(time.time(), 3), **event}, self._file)
        self._file.write("\n")
        self._file.flush()
        kind = event["event"]
        if event.get("message"):
            print(event["message"], file=sys.stderr, flush=True)
        elif kind == "epoch":
            fold = f"fold {event['fold']}, " if event.get("fold") is not None else ""
            score = f", map_50 {event['map_50']:.3f}, map {event['map']:.3f}" if "map_50" in event else ""
            print(f"{fold}epoch {event['epoch']}: loss {event['loss']:.3f}{score}", file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    ending = False

    def end(_signal: int, _frame: FrameType | None) -> None:
        nonlocal ending
        ending = True

    signal.signal(signal.SIGTERM, end)
    parent_pid = os.getppid()

    def wanted() -> bool:
        return not ending and not (options.end_with_parent and os.getppid() != parent_pid)

    try:
        given = json.loads(options.settings.read_text()) if options.settings else {}
        settings = resolve_settings(given | parse_assignments(options.set))
        snapshot = read_snapshot(options.snapshot)
        options.out.mkdir(parents=True, exist_ok=True)
    except (ContractError, SettingsError, ValueError, OSError) as problem:
        return _refuse(problem)
    # Imported late: a refused snapshot costs no seconds of loading torch.
    from training.backbone import BackboneError
    from training.detection_training import Stopped
    from training.detector_round import RoundOfDetector, open_parent

    progress = Progress(options.out / "progress.jsonl")
    try:
        round_ = RoundOfDetector(snapshot, settings, options.seed, open_parent(options.parent), progress.tell, wanted)
        result = round_.carry_out(options.out / "bundle")
    except Stopped:
        progress.tell({"event": "failed", "message": "The training was ended."})
        return ENDED
    except (ContractError, SplitError, BackboneError, FloatingPointError, MemoryError, OSError) as problem:
        code = _refuse(problem)
        progress.tell({"event": "failed", "reason": _sentence(problem)})
        return code
    progress.tell({"event": "done", **result})
    print(json.dumps(result), flush=True)
    return 0


def _refuse(problem: BaseException) -> int:
    print(_sentence(problem), file=sys.stderr, flush=True)
    return 1


def _sentence(problem: BaseException) -> str:
    if isinstance(problem, OSError) and problem.errno == errno.ENOSPC:
        return "There is no space left on the disk."
    return str(problem) or f"{type(problem).__name__}."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.run", description="Train a detector from a snapshot.")
    parser.add_argument("snapshot", type=Path, metavar="SNAPSHOT", help="folder of a snapshot")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder that gets bundle/ and progress.jsonl")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="JSON object of settings")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--parent", type=Path, metavar="BUNDLE", help="folder of the bundle to start from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--end-with-parent", action="store_true", help="end when the process that started it has gone")
    return parser


if __name__ == "__main__":
    sys.exit(main())
