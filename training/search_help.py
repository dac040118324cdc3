"""`python -m training.search_help SNAPSHOT OUT`: take trials of a search that a round's training process leads.

Takes the same snapshot, settings, seed and parent as that process, finds the search in the database whose address
stands in MARROWLOOP_SEARCH_STORAGE, and ends when no trial is left to take. Writes OUT/progress.jsonl and a log on
stderr. No Django is in the process.
"""

import argparse
import os
import socket
import sys

from training.command import add_arguments, settings_of, until_asked_to_end
from training.contract import ContractError
from training.run import ENDED, Progress
from training.search_space import SearchError
from training.settings import SettingsError
from training.snapshot import read_snapshot
from training.splits import SplitError


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        settings = settings_of(options)
        snapshot = read_snapshot(options.snapshot)
        options.out.mkdir(parents=True, exist_ok=True)
    except (ContractError, SettingsError, ValueError, OSError) as problem:
        return _refuse(str(problem))
    parent = os.getppid() if options.end_with_parent else None
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
    wanted = until_asked_to_end(parent)
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
    add_arguments(parser, "folder that gets progress.jsonl, one a helper")
    parser.add_argument("--search", required=True, metavar="NAME", help="the search, as its leader names it")
    parser.add_argument("--worker", default=f"{socket.gethostname()}:{os.getpid()}", metavar="NAME")
    return parser


if __name__ == "__main__":
    sys.exit(main())
