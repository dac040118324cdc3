"""What a worker leaves behind, in a session of its own and deaf to SIGTERM, is ended as well."""

import json
import subprocess
import sys
from pathlib import Path

import psutil

from config.embedded import REPOSITORY

# A worker whose job runs in a session of its own, as a training run does; both ignore SIGTERM.
WORKER = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
job = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", job], start_new_session=True, stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(600)
"""

SUPERVISOR = """
import json, signal, sys, time
from pathlib import Path
from config import supervisor

supervisor.adopt_orphans()
log = Path(sys.argv[1])
worker = supervisor.Child(
    "stubborn worker", [sys.executable, "-c", sys.argv[2]], log,
    stop_signals=((signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0)),
)
worker.start()
while not log.read_text().strip():
    time.sleep(0.02)
job = int(log.read_text())
supervisor.stop_all([worker])
print(json.dumps([worker.process.pid, job]))
"""


def test_stopping_ends_grandchildren_in_sessions_of_their_own(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path / "worker.log"), WORKER],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert [pid for pid in json.loads(done.stdout) if psutil.pid_exists(pid)] == []


def test_a_child_that_keeps_dying_is_started_again_more_and_more_slowly(tmp_path: Path) -> None:
    from config.supervisor import Child

    child = Child("brief worker", [sys.executable, "-c", "print('no broker'); raise SystemExit(3)"], tmp_path / "log")
    waits = []
    for _ in range(4):
        child.start()
        assert child.process is not None
        child.process.wait(30)
        child.look_after()
        assert child.start_again_at is not None
        waits.append(child.start_again_at - child.started_at)
    assert waits == sorted(waits)
    assert child.deaths == 4
    assert child.last_words() == "no broker"
