"""`python -m tests.chaos.world --kills N --seed S`: rounds and annotation go on while processes are killed at random.

Runs the product in a data folder of its own, on a PostgreSQL and a Valkey of its own: a worker of the queue `training`
that is started again whenever it dies (as ./run and every server do), and an annotator who never rests
(tests/chaos/annotator.py). Again and again it sends SIGKILL to one of them: the training process, the worker, the pool
process within it, the annotator, or all at once. After each kill it holds the world against what was promised:

- no lost annotation: each change that was confirmed is in the database, as an operation and in the cell's version;
- no round stuck: within a minute it has ended, with a reason, or a living worker has it; and it ends in the end;
- no half-written bundle: every folder of the store reads whole, and every bundle of a row is there.

One JSON line last on stdout. Exit 1 where a promise was broken, with each breach in the line.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import psutil

from config.keeper import die_with_parent

if TYPE_CHECKING:
    from training.models import Round

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGES = 6
# So soon a round must have ended or be in a living worker's hands again.
PICKED_UP_SECONDS = 60.0
# And so soon after the last kill it must have ended: loading torch takes its time where other programs compute too.
END_SECONDS = 240.0
SETTINGS = {"size": 96, "epochs": 40, "pyramid": 16, "batch": 2, "threads": 1, "lr": 0.001, "frozen_stages": 7}
# Steps that this makes; and how long one waits at most until so many have been taken.
STEPS = 80
MOMENT_SECONDS = 90.0
TARGETS = ("training process", "worker", "pool process", "annotator", "everything")


class World:
    """The processes that may be killed, and what is known of them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.rng = random.Random(seed)
        self.journal = folder / "journal.jsonl"
        self.breaches: list[str] = []
        self.killed: Counter[str] = Counter()
        self.longest_pick_up = 0.0
        self.confirmed = 0
        self.round: Round
        self._worker: subprocess.Popen[bytes] | None = None
        self._annotator: subprocess.Popen[bytes] | None = None
        self._annotators = 0

    # --- what lives in it ---

    def settle(self) -> None:
        """A study with annotated images to train on, and one more image for the annotator."""
        from django.conf import settings
        from django.contrib.auth.models import User
        from django.core.management import call_command

        from annotation.models import Cell, ImageName, Membership, Role, SmearImage
        from annotation.scheme import study_named
        from annotation.store import ImageStore
        from tests.training.snapshots import disc_field

        call_command("migrate", verbosity=0)
        self.user = User.objects.create_user("anna", password="smear-and-stain-1")
        self.study = study_named("Chaos")
        Membership.objects.create(study=self.study, user=self.user, role=Role.ANNOTATOR)
        for seed in range(IMAGES + 1):
            picture, discs = disc_field(seed)
            sha256 = ImageStore(settings.IMAGE_STORE).put(picture)
            image = SmearImage.objects.create(
                study=self.study,
                sha256=sha256,
                width=picture.width,
                height=picture.height,
                fold=SmearImage.next_fold(self.study),
                state="annotated" if seed < IMAGES else "new",
            )
            ImageName.objects.create(image=image, name=f"field-{seed}.png")
            for x, y, r in discs if seed < IMAGES else []:
                cell = Cell(image=image)
                cell.place({"kind": "circle", "cx": x, "cy": y, "r": r}, image)
                cell.save()
        self.busy = image

    def keep_alive(self) -> None:
        """Start again what has died."""
        if self._worker is None or self._worker.poll() is not None:
            self._worker = self._start(
                "worker",
                *("celery", "--app", "config.celery", "worker", "--queues", "training", "--concurrency", "1"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"),
            )
        if self._annotator is None or self._annotator.poll() is not None:
            self._annotators += 1
            numbers = map(str, (self.busy.pk, self.user.pk, self.journal, self._annotators))
            self._annotator = self._start("annotator", "tests.chaos.annotator", *numbers)

    def _start(self, name: str, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # Nothing of this world outlives it.
                preexec_fn=die_with_parent(signal.SIGKILL),
            )

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Those that live, by what they are called in TARGETS."""
        found: dict[str, list[psutil.Process]] = {target: [] for target in TARGETS}
        with contextlib.suppress(psutil.NoSuchProcess):
            if self._worker is not None and self._worker.poll() is None:
                worker = psutil.Process(self._worker.pid)
                found["worker"] = [worker]
                for child in worker.children(recursive=True):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        line = child.cmdline()
                        if "training.run" in line:
                            found["training process"].append(child)
                        # The keeper of a service is no part of the worker, though it may have started it.
                        elif "celery" in " ".join(line) and child.ppid() == worker.pid:
                            found["pool process"].append(child)
        if self._annotator is not None and self._annotator.poll() is None:
            found["annotator"] = [psutil.Process(self._annotator.pid)]
        found["everything"] = [process for some in list(found.values()) for process in some]
        return found

    def kill_one(self) -> None:
        """SIGKILL to what chance chooses among those that live."""
        living = {name: some for name, some in self.processes().items() if some}
        # Rarely is a round in training for as long as all of it lives: it is what is to be killed most.
        weights = {"training process": 3, "worker": 3, "pool process": 2, "annotator": 2, "everything": 2}
        names = sorted(living)
        if names:
            (name,) = self.rng.choices(names, [weights[name] for name in names])
            for process in living[name]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self.killed[name] += 1

    def end(self) -> None:
        for process in (self._worker, self._annotator):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()

    # --- what was promised ---

    def check(self, when: str) -> None:
        for promise in (self.nothing_lost, self.bundles_whole):
            self.breaches += [f"{when}: {breach}" for breach in promise()]

    def nothing_lost(self) -> list[str]:
        """Each change that was confirmed to the annotator stands in the database."""
        from annotation.models import Cell, Operation
        from tests.chaos.annotator import lines_of

        lines = lines_of(self.journal)
        confirmed = {line["confirmed"]: line for line in lines if "confirmed" in line}
        operations = {
            str(pk): (cell, version) for pk, cell, version in Operation.objects.values_list("pk", "cell", "version")
        }
        versions = dict(Cell.objects.filter(image=self.busy).values_list("pk", "version"))
        self.confirmed = len(confirmed)
        breaches = []
        for name, line in confirmed.items():
            if line["status"] not in ("applied", "replayed"):
                breaches.append(f"the change {name} was {line['status']}: {line['reason']}")
            elif name not in operations:
                breaches.append(f"the change {name} is lost")
            elif versions.get(operations[name][0], 0) < operations[name][1]:
                breaches.append(f"the cell of the change {name} is older than the change")
        return breaches

    def bundles_whole(self) -> list[str]:
        from django.conf import settings

        from training.bundle import BundleError, read_bundle
        from training.models import Bundle, JobState, Round

        folder = Path(settings.BUNDLE_FOLDER)
        breaches = []
        found = set()
        for bundle in folder.iterdir() if folder.is_dir() else []:
            if bundle.name.startswith("."):
                continue
            try:
                found.add(read_bundle(bundle).id)
            except BundleError as error:
                breaches.append(str(error))
        missing = set(Bundle.objects.values_list("pk", flat=True)) - found
        breaches += [f"the bundle {name} has no folder" for name in missing]
        if Round.objects.filter(state=JobState.SUCCEEDED, bundle=None).exists():
            breaches.append("a round succeeded without a bundle")
        return breaches

    # --- the round at hand ---

    def launch(self, seed: int) -> None:
        from training.launching import launch

        self.keep_alive()
        self.round = launch(self.study, settings=SETTINGS, seed=seed, parent=None, again=True)

    def ended(self) -> bool:
        return self.round.reload().is_ended

    def steps(self) -> int:
        """How many steps of the present round have been told of, those that were done again counted again."""
        progress = self.round.folder / "out" / "progress.jsonl"
        return (
            progress.read_text(encoding="utf-8", errors="replace").count('"event": "step"') if progress.exists() else 0
        )

    def wait_for_a_moment(self) -> None:
        """Until some moment between the round's message and its end; mostly within its steps, now and then before."""
        if self.rng.random() < 0.25:
            self.wait(lambda: False, self.rng.uniform(0, 8))
            return
        wanted = self.steps() + self.rng.randint(1, STEPS)
        self.wait(lambda: self.ended() or self.steps() >= wanted, MOMENT_SECONDS)

    def picked_up(self, since: datetime) -> bool:
        """Whether it has ended, or a worker that lives has been at work on it since then."""
        round_ = self.round.reload()
        if round_.is_ended:
            return True
        beaten = round_.heartbeat_at is not None and round_.heartbeat_at > since
        return round_.state == "running" and beaten and _lives(round_.worker)

    def wait(self, true: Callable[[], bool], seconds: float) -> float | None:
        """How long it took, while everything is kept alive; None where it did not come about."""
        began = time.monotonic()
        while True:
            self.keep_alive()
            if true():
                return time.monotonic() - began
            if time.monotonic() - began > seconds:
                return None
            time.sleep(0.1)


def wreak(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill so many times; what came of it."""
    from django.conf import settings
    from django.utils import timezone

    from training.models import ENDED, Round

    world = World(folder, seed)
    world.settle()
    began = time.monotonic()
    try:
        # A first round that nobody disturbs: the world must be one in which rounds succeed.
        world.launch(0)
        if world.wait(world.ended, END_SECONDS) is None:
            world.breaches.append("the undisturbed round did not end")
        for number in range(1, kills + 1):
            if world.ended():
                world.launch(number)
            world.wait_for_a_moment()
            at = timezone.now()
            world.kill_one()
            took = world.wait(partial(world.picked_up, at), PICKED_UP_SECONDS)
            if took is None:
                world.breaches.append(f"kill {number}: {world.round} was {world.round.state} for a minute")
            world.longest_pick_up = max(world.longest_pick_up, took or PICKED_UP_SECONDS)
            world.check(f"kill {number}")
            print(
                f"kill {number}: {dict(world.killed)}; {world.round}: {world.round.state}", file=sys.stderr, flush=True
            )
        if world.wait(world.ended, END_SECONDS) is None:
            world.breaches.append(f"{world.round} did not end")
        world.check("at the end")
    finally:
        world.end()
    rounds = list(Round.objects.all())
    world.breaches += [
        f"round {r.number} {r.state} without a reason" for r in rounds if r.state == "failed" and not r.reason
    ]
    world.breaches += [f"round {r.number} is {r.state}" for r in rounds if r.state not in ENDED]
    return {
        "kills": sum(world.killed.values()),
        "seed": seed,
        "breaches": world.breaches,
        "killed": dict(world.killed),
        "changes_confirmed": world.confirmed,
        "rounds": dict(Counter(r.state for r in rounds)),
        "continued_from_a_checkpoint": sum(r.log.count("Continues from the checkpoint") for r in rounds),
        "reasons": dict(Counter(r.reason for r in rounds if r.reason)),
        "longest_pick_up_seconds": round(world.longest_pick_up, 1),
        "silence_seconds": settings.JOB_SILENCE_SECONDS,
        "seconds": round(time.monotonic() - began),
    }


def _lives(worker: str) -> bool:
    """Whether the pool process that claimed a round ("host:pid:name") still is one."""
    with contextlib.suppress(psutil.NoSuchProcess, ValueError, IndexError):
        return psutil.Process(int(worker.split(":")[1])).status() != psutil.STATUS_ZOMBIE
    return False


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.world")
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    django.setup()
    result = wreak(Path(os.environ["MARROWLOOP_DATA"]), options.kills, options.seed)
    print(json.dumps(result), flush=True)
    return 1 if result["breaches"] else 0


if __name__ == "__main__":
    sys.exit(main())
