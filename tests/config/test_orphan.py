"""What ./run started ends after it, deaf to the kernel's word or not; what nobody supervises goes on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from config.embedded import REPOSITORY
from config.keeper import die_with_parent
from config.orphan import SUPERVISOR, end_when_orphaned
from tests.config.conftest import wait_until

# Deaf, with a child of its own in its group, as a worker that lost its signal while it began.
DEAF = """
import signal, subprocess, sys, time
from config.orphan import end_when_orphaned
for deaf in (signal.SIGTERM, signal.SIGQUIT):
    signal.signal(deaf, signal.SIG_IGN)
assert end_when_orphaned(look=0.05, grace=0.2) is not None
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""
KILLED = """
import sys
from pathlib import Path
from config import supervisor

log = Path(sys.argv[1])
child = supervisor.Child("deaf worker", [sys.executable, "-c", sys.argv[2]], log)
child.start()
while not log.read_text().strip():
    pass
print(child.process.pid, log.read_text().strip(), flush=True)
sys.stdin.read()
"""


def test_a_deaf_child_and_what_it_started_end_after_a_killed_supervisor(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "log"), DEAF],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as supervisor:
        assert supervisor.stdout is not None
        pids = [int(pid) for pid in supervisor.stdout.readline().split()]
        assert len(pids) == 2 and all(map(psutil.pid_exists, pids))
        supervisor.kill()
    assert wait_until(lambda: not any(_lives(pid) for pid in pids))


def test_what_nobody_supervises_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SUPERVISOR, raising=False)
    assert end_when_orphaned() is None
    # The word of a supervisor further up is not about this process.
    monkeypatch.setenv(SUPERVISOR, str(os.getpid()))
    assert end_when_orphaned() is None


def test_who_begins_after_the_supervisor_has_ended_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    monkeypatch.setenv(SUPERVISOR, str(gone.pid))
    with pytest.raises(SystemExit):
        end_when_orphaned()


@pytest.mark.parametrize("death", [signal.SIGTERM, signal.SIGKILL])
def test_a_child_may_be_given_any_death(death: signal.Signals) -> None:
    assert subprocess.run(["true"], preexec_fn=die_with_parent(death)).returncode == 0


def test_a_child_hears_its_death_signal_though_a_shells_background_job_does_not() -> None:
    """Where ./run was started with & by a script, SIGQUIT is ignored, and stays so over exec."""
    code = "import signal; print(signal.getsignal(signal.SIGQUIT) is signal.SIG_DFL)"
    kept = signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    try:
        command = [sys.executable, "-c", code]
        plain = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        mended = subprocess.run(command, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent(signal.SIGQUIT))
    finally:
        signal.signal(signal.SIGQUIT, kept)
    assert (plain.stdout, mended.stdout) == ("False\n", "True\n")


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
