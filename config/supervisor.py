"""Runs the web server and the workers for ./run: starts again what dies, and leaves no process behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from config.embedded import REPOSITORY, keeper_pids
from config.keeper import die_with_parent
from config.orphan import SUPERVISOR

LOG_BYTES = 20_000_000
# A child that has lived for so long may die again without waiting longer for its next start.
HEALTHY_SECONDS = 60.0
LONGEST_WAIT = 30.0


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def adopt_orphans() -> None:
    """Makes this process the parent of what its descendants leave behind, so that it can end them (Linux)."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1)


@dataclass
class Child:
    """One program that must run for as long as ./run does."""

    title: str
    command: list[str]
    log: Path
    # Sent by the kernel should the supervisor itself be killed: must make the program end at once.
    death: signal.Signals = signal.SIGTERM
    # How it is stopped otherwise: each signal, and the seconds it is given.
    stop_signals: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 8.0), (signal.SIGKILL, 5.0))
    pass_fds: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    deaths: int = field(default=0, init=False)
    start_again_at: float | None = field(default=None, init=False)

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=REPOSITORY,
                env={**os.environ, SUPERVISOR: str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=self.pass_fds,
                # Ctrl-C in the terminal is for the supervisor, which stops them in order.
                start_new_session=True,
                preexec_fn=die_with_parent(self.death),
            )
        self.started_at = time.monotonic()
        self.start_again_at = None

    def look_after(self) -> None:
        """Starts it again where it has died, later each time that it dies soon."""
        if self.process is None:
            return
        now = time.monotonic()
        if self.start_again_at is not None:
            if now >= self.start_again_at:
                self.start()
            return
        status = self.process.poll()
        if status is None:
            return
        self.deaths = 1 if now - self.started_at > HEALTHY_SECONDS else self.deaths + 1
        wait = min(LONGEST_WAIT, 2.0 ** (self.deaths - 1))
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        say(f"The {self.title} {how}; it starts again in {wait:.0f} s. Its log: {self.log}")
        self._end_group()
        self.start_again_at = now + wait

    def _end_group(self) -> None:
        """Ends what a dead child has left in its process group."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def last_words(self) -> str:
        """The last line of its log, for the sentence that says why it could not start."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def stop_all(children: list[Child]) -> None:
    """Stops the children side by side, gently first, and then every process that descends from this one."""
    running = [child for child in children if child.process is not None and child.process.poll() is None]
    plans = {child.title: list(child.stop_signals) for child in running}
    deadlines = dict.fromkeys(plans, 0.0)
    while running:
        now = time.monotonic()
        for child in running:
            if now >= deadlines[child.title] and plans[child.title]:
                force, seconds = plans[child.title].pop(0)
                deadlines[child.title] = now + seconds
                assert child.process is not None
                child.process.send_signal(force)
        time.sleep(0.05)
        running = [child for child in running if child.process is not None and child.process.poll() is None]
    end_descendants()


def end_descendants(patience: float = 5.0) -> None:
    """Ends all descendants but the keepers of the services, which stop with their last user by themselves."""
    for force in (signal.SIGTERM, signal.SIGKILL):
        # A process may leave children behind when it ends: look again until there is none.
        deadline = time.monotonic() + patience
        told: set[int] = set()
        while time.monotonic() < deadline:
            left = _descendants()
            if not left:
                return
            for process in left:
                if process.pid not in told:
                    told.add(process.pid)
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.send_signal(force)
            psutil.wait_procs(left, timeout=0.1)


def _descendants() -> list[psutil.Process]:
    own = psutil.Process()
    kept = keeper_pids()
    spared = set(kept)
    for pid in kept:
        with contextlib.suppress(psutil.NoSuchProcess):
            spared |= {process.pid for process in psutil.Process(pid).children(recursive=True)}
    return [process for process in own.children(recursive=True) if process.pid not in spared]
