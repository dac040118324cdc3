"""What ./test does after the set-up: pytest with services and a data folder of its own, which are gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from config.chromium import ensure_chromium
from config.command_line import complain
from config.embedded import REPOSITORY, ensure_services, release
from config.embedded_postgres import remove_database

# Two browsers and two databases at once are what two cores carry; more workers than that only wait.
WORKERS = min(os.cpu_count() or 1, 4)


def run_tests() -> int:
    chosen = sys.argv[1:]
    own_workers = any(argument.startswith(("-n", "--numprocesses", "--co", "--pdb")) for argument in chosen)
    with tempfile.TemporaryDirectory(prefix="marrowloop-test-", ignore_cleanup_errors=True) as folder:
        data_folder = Path(folder)
        # As root, PostgreSQL's own user must be able to pass through.
        data_folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        os.environ["MARROWLOOP_DATA"] = folder
        os.environ["MARROWLOOP_CHROMIUM"] = ensure_chromium()
        # Every worker computes on a core of its own: two of two threads each on two cores mostly wait for one another.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        # Hundreds of processes start, and where no bytecode is to be left behind each would compile torch anew: 5 s.
        if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
            os.environ["PYTHONPYCACHEPREFIX"] = str(data_folder / "bytecode")
        try:
            # Held here for the whole run: the workers come and go.
            ensure_services(
                data_folder, postgres=not os.environ.get("DATABASE_URL"), valkey=not os.environ.get("BROKER_URL")
            )
            arguments = [*([] if own_workers else ["-n", str(WORKERS), "--dist", "loadgroup"]), *chosen]
            tests = subprocess.Popen([sys.executable, "-m", "pytest", *arguments], cwd=REPOSITORY)
            for asked in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(asked, lambda number, _: tests.send_signal(signal.SIGINT))
            try:
                return tests.wait()
            except KeyboardInterrupt:
                return tests.wait()  # pytest had the Ctrl-C too
        finally:
            release()
            remove_database(data_folder)


if __name__ == "__main__":
    sys.exit(complain(run_tests))
