"""`python -m training.run SNAPSHOT OUT`: train from a snapshot, with no Django in the process.

Writes OUT/bundle and OUT/progress.jsonl (one event a line), a log on stderr, and one JSON line last on stdout. The same
command again goes on from OUT/checkpoint.pt where it was ended or killed before, and says what it made where it was
done. Under `torchrun` several processes train together.
"""

import argparse
import contextlib
import fcntl
import io
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from training.bundle import BundleError, read_bundle
from training.command import add_arguments, settings_of, until_asked_to_end
from training.contract import ContractError, write_json
from training.pixel_cache import trim
from training.search_space import SearchError, check_trials
from training.settings import DetectorSettings, SettingsError
from training.snapshot import Snapshot, read_snapshot
from training.splits import SplitError

# An end that was asked for is told apart from a failure, as a shell does (128 + SIGTERM).
ENDED = 143
# A process that was told to end may still be in its last step when the next one starts.
LOCK_SECONDS = 30.0


class OutError(ValueError):
    """The folder OUT cannot be trained into; one sentence."""


class Progress:
    """Events into progress.jsonl, and those worth a person's reading onto stderr.

    A disk that is full for a while costs events, never the training.
    """

    def __init__(self, path: Path | None) -> None:
        self._file: io.TextIOWrapper | None = None
        if path is not None:
            # Never anew: whoever follows the file has read what an earlier process wrote.
            self._file = path.open("a", encoding="utf-8")
            if self._file.tell():
                # A process that was killed may have left half a line.
                self._file.write("\n")
                self.tell({"event": "process"})

    def tell(self, event: dict[str, Any]) -> None:
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            self._file.write(json.dumps({"time": round(time.time(), 3), **event}) + "\n")
            self._file.flush()
        kind = event["event"]
        if event.get("message"):
            say_aloud(event["message"])
        elif kind == "epoch":
            fold = f"fold {event['fold']}, " if event.get("fold") is not None else ""
            score = f", map_50 {event['map_50']:.3f}, map {event['map']:.3f}" if "map_50" in event else ""
            say_aloud(f"{fold}epoch {event['epoch']}: loss {event['loss']:.3f}{score}")


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        settings = settings_of(options)
        check_trials(options.trials, settings)
        snapshot = read_snapshot(options.snapshot)
        options.out.mkdir(parents=True, exist_ok=True)
    except (ContractError, SettingsError, ValueError, OSError) as problem:
        return refuse(problem)
    parent = os.getppid() if options.end_with_parent else None
    # Imported late: a refused snapshot costs no seconds of loading torch. Until then SIGTERM ends the process at once.
    from training.devices import DeviceError, Team, open_team

    wanted = until_asked_to_end(parent)

    def work(team: Team) -> int:
        with alone(options.out) if team.leads else contextlib.nullcontext():
            return _train(options, snapshot, settings, team, wanted)

    try:
        with open_team(settings.amp, settings.batch) as team:
            return work(team)
    except (DeviceError, OutError) as problem:
        return refuse(problem)


def _train(
    options: argparse.Namespace,
    snapshot: Snapshot,
    settings: DetectorSettings,
    team: Any,
    wanted: Callable[[], bool],
) -> int:
    from training.backbone import BackboneError
    from training.checkpoint import Checkpoint, no_space_or
    from training.detection_training import Stopped
    from training.detector_round import RoundOfDetector, identity_of, open_parent
    from training.devices import TeamError, out_of_memory

    out: Path = options.out
    progress = Progress(None)
    said: list[str] = []
    try:
        parent = open_parent(options.parent)
        searched: dict[str, Any] | None = None
        if options.trials:
            progress = Progress(out / "progress.jsonl")
            settings, searched = _search(options, snapshot, settings, parent, team, progress.tell, wanted)
        identity = identity_of(snapshot, settings, options.seed, parent)
        result = made_before(out, identity)
        if team.any(result is not None):
            say_aloud("This training was done before.")
            return done(result) if team.leads else 0
        checkpoint = Checkpoint(
            out / "checkpoint.pt", identity, said.append, seconds=options.checkpoint_seconds, writes=team.leads
        )
        if team.any(checkpoint.found) and team.any(not checkpoint.found):
            # On several machines: each process would go on from another place.
            raise OutError(f"Not all processes of this training see its checkpoint: {out} must be a folder they share.")
        if team.leads:
            trim()
            make_room(out / "bundle", made_here="final" in checkpoint.outcomes)
            if searched is None:
                progress = Progress(out / "progress.jsonl")

        def say(sentence: str) -> None:
            progress.tell({"event": "log", "message": sentence})

        for sentence in said:
            say(sentence)
        checkpoint.say = say
        round_ = RoundOfDetector(
            snapshot, settings, options.seed, parent, progress.tell, wanted, checkpoint=checkpoint, team=team
        )
        result = round_.carry_out(out / "bundle") | ({"searched": searched} if searched else {})
        if team.leads:
            # Before the checkpoint goes: a process killed in between leaves one or the other.
            write_json(out / "result.json", {"identity": identity, "result": result})
            checkpoint.remove()
    except Stopped:
        progress.tell({"event": "stopped", "message": "The training was ended; the same command goes on with it."})
        return ENDED
    except (ContractError, SplitError, SearchError, BackboneError, TeamError, FloatingPointError) as problem:
        reason = str(problem)
    except (OSError, MemoryError, RuntimeError) as problem:
        if out_of_memory(problem):
            reason = (
                f"The memory did not suffice for batches of {settings.batch} images at this size: "
                "a smaller batch or a smaller size needs less."
            )
        elif isinstance(problem, OSError):
            reason = no_space_or(problem)
        else:
            raise
    else:
        progress.tell({"event": "done", **result})
        return done(result) if team.leads else 0
    progress.tell({"event": "failed", "reason": reason})
    # Last on stderr, which is where whoever started it looks.
    say_aloud(reason)
    return 1


def _search(
    options: argparse.Namespace,
    snapshot: Snapshot,
    settings: DetectorSettings,
    parent: Any,
    team: Any,
    tell: Callable[[dict[str, Any]], None],
    wanted: Callable[[], bool],
) -> tuple[DetectorSettings, dict[str, Any]]:
    """Settings that trials found (training/search.py), and what Round.searched keeps. Raises SearchError and others."""
    # Imported late: a training without a search needs no Optuna.
    from training.search import ADDRESS, search
    from training.search_trial import Bench

    if team.size > 1:
        raise SearchError("A search has one process a trial: start helpers beside it (training.search_help) instead.")
    bench = Bench.set_up(snapshot, settings, options.seed, parent, wanted, team)
    address = os.environ.get(ADDRESS, "")
    return search(bench, options.trials, address=address, name=options.search, out=options.out, tell=tell)


@contextlib.contextmanager
def alone(out: Path) -> Iterator[None]:
    """One training at a time writes to OUT. Raises OutError where another one does not end."""
    with open(out / "lock", "a") as lock:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise OutError(f"Another training writes to {out}.") from None
                time.sleep(0.1)
        yield


def made_before(out: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The result of this very training, where it lies whole in OUT; None where there is none yet."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads((out / "result.json").read_text(encoding="utf-8"))
        result: dict[str, Any] = noted["result"]
        if noted["identity"] == identity and read_bundle(out / "bundle").id == result["bundle"]:
            return result
    return None


def make_room(bundle: Path, made_here: bool) -> None:
    """Take away the bundle of a process that was killed before it could say so. Raises BundleError for any other."""
    if bundle.exists():
        if not made_here:
            raise BundleError(f"There is something at {bundle} already.")
        shutil.rmtree(bundle)


def done(result: dict[str, Any] | None) -> int:
    """The last line that whoever started it reads."""
    print(json.dumps(result), flush=True)
    return 0


def refuse(problem: BaseException) -> int:
    """Say what is wrong, last on stderr, which is where whoever started it looks."""
    say_aloud(str(problem) or f"{type(problem).__name__}.")
    return 1


def say_aloud(sentence: str) -> None:
    # The log may lie on the disk that is full.
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.run", description="Train a detector from a snapshot.")
    add_arguments(parser, "folder that gets bundle/ and progress.jsonl")
    parser.add_argument("--trials", type=int, default=0, metavar="N", help="search for settings first (search.py)")
    parser.add_argument("--search", default="search", metavar="NAME", help="what helpers know the search by")
    parser.add_argument(
        "--checkpoint-seconds",
        type=float,
        # Also by the environment, for those who start it through a worker.
        default=os.environ.get("MARROWLOOP_CHECKPOINT_SECONDS", "20"),
        metavar="SECONDS",
        help="time between two checkpoints; 20",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
