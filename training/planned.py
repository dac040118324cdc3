"""The frame of the commands that train from files and can be ended at any time: run_classifier and run_diagnosis.

One training at a time writes to OUT; the same again says what it made; every refusal is one sentence, last on stderr.
"""

import argparse
import contextlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.code_version import VERSION
from training.command import until_asked_to_end
from training.contract import ContractError, write_json
from training.crop_features import Stopped
from training.run import ENDED, OutError, Progress, alone, done, made_before, make_room, refuse, say_aloud
from training.settings import SettingsError
from training.snapshot import Snapshot, read_snapshot

Tell = Callable[[dict[str, Any]], None]
Wanted = Callable[[], bool]
# Trains, and gives what the command prints. Raises Stopped where it is no longer wanted.
Work = Callable[[Tell, Wanted], dict[str, Any]]


@dataclass(frozen=True)
class Plan:
    """What is to be trained. identity: what makes another training the same one, beside snapshot, seed and version.
    begin: loads what sees; may raise ValueError or OSError with a sentence. refuses: what its work raises with a
    sentence, beside ContractError and OSError."""

    identity: Mapping[str, Any]
    threads: int
    begin: Callable[[], Work]
    refuses: tuple[type[Exception], ...] = ()


def carry_out_plan(options: argparse.Namespace, planned: Callable[[Snapshot], Plan]) -> int:
    """The exit status. `planned` raises SettingsError, ContractError or another ValueError for what cannot be
    trained."""
    try:
        snapshot = read_snapshot(options.snapshot)
        plan = planned(snapshot)
        options.out.mkdir(parents=True, exist_ok=True)
    except (ContractError, SettingsError, ValueError, OSError) as problem:
        return refuse(problem)
    wanted = until_asked_to_end(os.getppid() if options.end_with_parent else None)
    try:
        with alone(options.out):
            return _train(options, snapshot, plan, wanted)
    except OutError as problem:
        return refuse(problem)


def _train(options: argparse.Namespace, snapshot: Snapshot, plan: Plan, wanted: Wanted) -> int:
    out: Path = options.out
    identity = {"snapshot": snapshot.hash, **plan.identity, "seed": options.seed, "version": VERSION}
    result = made_before(out, identity)
    if result is not None:
        say_aloud("This training was done before.")
        return done(result)
    progress = Progress(out / "progress.jsonl")
    try:
        work = plan.begin()
    except (ValueError, OSError) as problem:
        return refuse(problem)
    try:
        make_room(out / "bundle", made_here=_begun_before(out, identity))
        if plan.threads:
            import torch

            torch.set_num_threads(plan.threads)
        result = work(progress.tell, wanted)
        write_json(out / "result.json", {"identity": identity, "result": result})
    except Stopped:
        progress.tell({"event": "stopped", "message": "The training was ended; the same command goes on with it."})
        return ENDED
    except Exception as problem:
        if not isinstance(problem, (ContractError, OSError, *plan.refuses)):
            raise
        progress.tell({"event": "failed", "reason": str(problem)})
        return refuse(problem)
    progress.tell({"event": "done", **result})
    return done(result)


def _begun_before(out: Path, identity: dict[str, Any]) -> bool:
    """Whether an earlier process of this very training began here; noted for the next one."""
    note = out / "identity.json"
    with contextlib.suppress(OSError, ValueError):
        if json.loads(note.read_text(encoding="utf-8")) == identity:
            return True
    write_json(note, identity)
    return False
