"""The process that trains: a child of its own group, which can be cancelled, killed and outlived."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from config.keeper import die_with_parent
from training.progress import Tail

# Between the polite request to end and the kill.
GRACE_SECONDS = 10.0
POLL_SECONDS = 0.05
# glibc's allocator keeps freed memory rather than give it back to the kernel: each step frees and takes the same
# hundreds of megabytes, and faulting them in again cost about a fifth of the time of a step on two cores.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024**2),
    "MALLOC_TRIM_THRESHOLD_": str(8 * 1024**3),
    "MALLOC_TOP_PAD_": str(256 * 1024**2),
}
# The matrices of heads and last steps are small: two threads of numpy's algebra mostly waited for one another, and
# ensemble and MILLIE took 60 s in place of 18 to learn from stored features on two cores. torch has threads of its own.
ONE_BLAS_THREAD = {"OPENBLAS_NUM_THREADS": "1"}


class TrainingProcess:
    """Runs a command in `folder`'s company: its standard error goes to log.txt there, its output to result.txt.

    Files and no pipes: a worker that dies takes nothing down by a broken pipe, and the log outlives both. Leaving
    the context ends the process and everything it started. `environment` is what it gets beside this process's own.
    """

    def __init__(
        self, command: list[str], folder: Path, working_folder: Path, *, environment: Mapping[str, str] | None = None
    ) -> None:
        self._log = Tail(folder / "log.txt")
        self._result = folder / "result.txt"
        with (folder / "log.txt").open("wb") as log, self._result.open("wb") as result:
            self._child = subprocess.Popen(
                command,
                cwd=working_folder,
                stdin=subprocess.DEVNULL,
                stdout=result,
                stderr=log,
                env=KEEP_MEMORY | ONE_BLAS_THREAD | os.environ | {"PYTHONUNBUFFERED": "1"} | dict(environment or {}),
                # A group of its own: Ctrl-C in a terminal is for us to pass on, and data loaders end with it.
                start_new_session=True,
                # A worker killed outright takes it along at once, also while it still loads its libraries.
                preexec_fn=die_with_parent(signal.SIGKILL),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._child.pid

    def wait(self, seconds: float) -> int | None:
        """The exit status once it has ended (minus the signal that killed it), None after `seconds` else.

        The ended process is left for stop() to collect: until then nobody else can be given its number.
        """
        if self._child.returncode is not None:
            return self._child.returncode
        deadline = time.monotonic() + seconds
        while True:
            ended = os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is not None:
                return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(POLL_SECONDS, left))

    def stop(self, grace: float = GRACE_SECONDS) -> None:
        """End it: SIGTERM, and SIGKILL for the whole group if that was not enough. Returns when it has ended."""
        if self._child.returncode is not None:
            return
        if self.wait(0) is None:
            self._signal(signal.SIGTERM)
            self.wait(grace)
        # What it started may outlive it by mistake.
        self._signal(signal.SIGKILL)
        self._child.wait()

    def log_lines(self, last: bool = False) -> list[str]:
        """Lines of the log since the last call."""
        return self._log.lines(last)

    def result(self) -> dict[str, Any] | None:
        """The JSON object on the last line of its standard output, None where there is none."""
        lines = self._result.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        try:
            found = json.loads(lines[-1]) if lines else None
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, number)


def death_sentence(status: int, log: list[str]) -> str:
    """Why a process ended with `status`, in one sentence: the signal, or the last line of its log."""
    if status < 0:
        number = -status
        if number == signal.SIGKILL:
            return (
                f"The training process was killed (signal {number}), which the system does where memory runs out: "
                "a smaller batch or a smaller size needs less."
            )
        return f"The training process was killed (signal {number})."
    last = next((line.strip() for line in reversed(log) if line.strip()), "")
    return last or f"The training process ended with status {status} and said nothing."
