"""`python -m training.search_help SNAPSHOT OUT`: take trials of a search that a round's training process leads.

Takes the same snapshot, settings, seed and parent as that process, finds the search in the database whose address
stands in MARROWLOOP_SEARCH_STORAGE, and ends when no trial is left to take. Writes OUT/progress.jsonl and a log on
stderr. No Django is in the process.
"""

import argparse
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from training.contract import ContractError
from training.run import ENDED, Progress
from training.search_space import SearchError
from training.settings import SettingsError, parse_assignments, resolve_settings
from training.snapshot import read_snapshot
from training.splits import SplitError


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        given = json.loads(options.settings.read_text()) if options.settings else {}
        settings = resolve_settings(given | parse_assignments(options.set))
        snapshot = read_snapshot(options.snapshot)
        options.out.mkdir(parents=True, exist_ok=True)
    except (ContractError, SettingsError, ValueError, OSError) as problem:
        return _refuse(str(problem))
    parent_pid = os.getppid()
    # Imported late: a refused snapshot costs no seconds of loading torch.
    from training.backbone import BackboneError
    from training.detection_training import Stopped
    from training.detector_round import open_parent
    from training.devices import DeviceError, open_team, out_of_memory
    from training.search import ADDRESS, help_search
    from training.search_trial import Bench

    address = os.environ.get(ADDRESS, "")
    if not address:
        return _refuse(f"{ADDRESS} does not say which database the trials lie in.")
    ending = False

    def end(number: int, _: Any) -> None:
        nonlocal ending
        ending = True
        # Asked again, it ends where it is.
        signal.signal(number, signal.SIG_DFL)

    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, end)

    def wanted() -> bool:
        return not ending and not (options.end_with_parent and os.getppid() != parent_pid)

    progress = Progress(options.out / "progress.jsonl")
    try:
        with open_team(settings.amp, settings.batch) as team:
            if team.size > 1:
                return _refuse("A helper is one process; start several without torchrun.")
            bench = Bench.set_up(snapshot, settings, options.seed, open_parent(options.parent), wanted, team)
            help_search(
                bench,
                address=address,
                name=options.search,
                out=options.out,
                worker=options.worker,
                tell=progress.tell,
            )
    except Stopped:
        progress.tell({"event": "stopped", "message": "The helper was ended; its trial is for another one."})
        return ENDED
    except (ContractError, SplitError, SearchError, BackboneError, DeviceError) as problem:
        return _refuse(str(problem))
    except (OSError, MemoryError, RuntimeError) as problem:
        if not out_of_memory(problem):
            raise
        return _refuse(f"The memory did not suffice for batches of {settings.batch} images at this size.")
    progress.tell({"event": "done", "message": "No trial is left to take."})
    return 0


def _refuse(reason: str) -> int:
    print(reason, file=sys.stderr, flush=True)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.search_help", description="Take trials of a search.")
    parser.add_argument("snapshot", type=Path, metavar="SNAPSHOT", help="folder of the round's snapshot")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder that gets progress.jsonl, one a helper")
    parser.add_argument("--search", required=True, metavar="NAME", help="the search, as its leader names it")
    parser.add_argument("--worker", default=f"{socket.gethostname()}:{os.getpid()}", metavar="NAME")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="JSON object of the round's settings")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--parent", type=Path, metavar="BUNDLE", help="folder of the bundle that the round starts from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--end-with-parent", action="store_true", help="end when the process that started it has gone")
    return parser


if __name__ == "__main__":
    sys.exit(main())
