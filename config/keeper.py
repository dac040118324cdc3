"""The keeper of one embedded service: runs the server as its child, and stops it with its last user.

    python -m config.keeper postgres|valkey DATA_FOLDER ANSWER_FD

Says `ready`, or one sentence about what went wrong, on ANSWER_FD. See config/embedded.py for the locks.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Protocol

from config.environment import EnvironmentProblem

START_SECONDS = 120.0


class Server(Protocol):
    """A server that a keeper can run."""

    title: str
    address: str
    # In the order of growing force, each given `STOP_SECONDS` to work.
    stop_signals: tuple[signal.Signals, ...]

    def prepare(self) -> None:
        """Makes its folders and mends what a crash has left."""

    def command(self) -> tuple[list[str], dict[str, Any]]:
        """The command line, and further arguments for subprocess.Popen."""

    def answers(self) -> bool:
        """Whether it takes requests now."""


STOP_SECONDS = 10.0


def die_with_parent(death: signal.Signals, parent: int | None = None) -> Callable[[], None]:
    """A function for `preexec_fn`: the kernel sends `death` to the child when its parent has gone, however it went.

    `parent` is the process that must still be there when it is called, by default the one that made the function.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    parent = parent or os.getpid()

    def ask_the_kernel() -> None:
        # A shell's background jobs begin deaf to SIGINT and SIGQUIT, and so would what they start. Nobody is deaf to
        # SIGKILL, and the kernel refuses to be told so.
        if death != signal.SIGKILL:
            signal.signal(death, signal.SIG_DFL)
        pr_set_pdeathsig = 1
        libc.prctl(pr_set_pdeathsig, int(death))
        if os.getppid() != parent:
            os._exit(1)

    return ask_the_kernel


def end_leftover(pid: int, folder: Path, stop_signals: tuple[signal.Signals, ...]) -> None:
    """Ends a server that outlived its keeper: the process of this id, if it really works in this folder."""
    for stop in stop_signals:
        deadline = time.monotonic() + STOP_SECONDS
        sent = False
        while time.monotonic() < deadline:
            if not works_in(pid, folder):
                return
            if not sent:
                os.kill(pid, stop)
                sent = True
            time.sleep(0.05)


def works_in(pid: int, folder: Path) -> bool:
    """Whether a process of this id lives and has this folder as its working directory."""
    try:
        return os.readlink(f"/proc/{pid}/cwd") == str(folder.resolve())
    except OSError:
        return False


def start(server: Server, log: Path) -> subprocess.Popen[bytes]:
    """Starts the server and waits until it answers; raises EnvironmentProblem with the log's last complaint."""
    server.prepare()
    arguments, options = server.command()
    if log.exists() and log.stat().st_size > 10_000_000:
        log.replace(log.with_suffix(".old.log"))
    with open(log, "ab") as output:
        began = output.tell()
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=die_with_parent(server.stop_signals[0]),
            **options,
        )
    deadline = time.monotonic() + START_SECONDS
    while not server.answers():
        if process.poll() is not None or time.monotonic() > deadline:
            stop(process, server)
            raise EnvironmentProblem(f"The embedded {server.title} did not start: {complaint(log, began)}")
        time.sleep(0.02)
    return process


def complaint(log: Path, began: int) -> str:
    """The most telling line of what was logged since byte `began`."""
    with open(log, "rb") as file:
        file.seek(began)
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "rror", "No space"))]
    return (telling or lines or [f"{log} is empty."])[-1]


def stop(process: subprocess.Popen[bytes], server: Server) -> None:
    """Stops the server, gently first."""
    for force in server.stop_signals:
        if process.poll() is not None:
            return
        process.send_signal(force)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)


def take(lock: IO[str]) -> None:
    """Takes the exclusive lock. Others only look at it for an instant, so it is free within a second."""
    deadline = time.monotonic() + 5.0
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise EnvironmentProblem("Another keeper already runs this service.") from None
            time.sleep(0.02)


def wait_for_last_user(users: IO[str], gone: threading.Event) -> None:
    """Sets `gone` once nobody holds the lock; from then on whoever comes waits until this keeper has ended."""
    while True:
        try:
            fcntl.flock(users, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno != errno.EINTR:
                raise
            continue
        gone.set()
        return


def keep(server: Server, folder: Path, answer: IO[str]) -> None:
    """Runs the server until its last user has gone, starting it again if it dies."""
    with open(folder / "keeper.lock", "a") as own, open(folder / "users.lock", "a") as users:
        take(own)
        process = start(server, folder / "server.log")
        record(folder, server, process)
        # Whoever asked may have gone in the meantime.
        with contextlib.suppress(BrokenPipeError):
            answer.write("ready\n")
            answer.close()
        gone = threading.Event()
        threading.Thread(target=wait_for_last_user, args=(users, gone), daemon=True).start()
        deaths = 0
        while not gone.wait(1.0):
            if process.poll() is None:
                continue
            deaths += 1
            print(f"{server.title} ended with {process.returncode}; starting it again.", file=sys.stderr, flush=True)
            if gone.wait(min(30.0, 0.5 * deaths)):
                break
            try:
                process = start(server, folder / "server.log")
                record(folder, server, process)
            except EnvironmentProblem as problem:
                print(problem, file=sys.stderr, flush=True)
        stop(process, server)
        (folder / "state.json").unlink(missing_ok=True)
        # Before users.lock is let go: whoever waits there must not take us for running.
        fcntl.flock(own, fcntl.LOCK_UN)


def record(folder: Path, server: Server, process: subprocess.Popen[bytes]) -> None:
    """Writes the address for the users, whole or not at all."""
    fresh = folder / "state.json.new"
    fresh.write_text(json.dumps({"address": server.address, "pid": process.pid}), encoding="utf-8")
    fresh.replace(folder / "state.json")


def main(name: str, data_folder: Path, answer_fd: int) -> int:
    # Imported here: each process keeps one of them.
    server: Server
    folder = data_folder / "services" / name
    for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Only the last user's going ends a keeper: a stray signal would take the database from the others.
        signal.signal(asked, signal.SIG_IGN)
    with os.fdopen(answer_fd, "w", encoding="utf-8") as answer:
        try:
            if name == "postgres":
                from config.embedded_postgres import Postgres

                server = Postgres(data_folder)
            else:
                from config.embedded_valkey import Valkey

                server = Valkey(data_folder)
            keep(server, folder, answer)
        except (EnvironmentProblem, OSError) as problem:
            sentence = str(problem)
            if isinstance(problem, OSError):
                sentence = f"The embedded {name} cannot run under {data_folder}: {problem.strerror or problem}."
            print(sentence, file=sys.stderr, flush=True)
            if not answer.closed:
                answer.write(sentence + "\n")
            return 1
    return 0


if __name__ == "__main__":
    # A thread may still wait for the lock: leave without it.
    os._exit(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
