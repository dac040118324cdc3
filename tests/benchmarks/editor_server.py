"""The product as ./run serves it, on a data folder of its own; this program is a user of its database beside it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.product import REPOSITORY


@contextmanager
def served() -> Iterator[str]:
    """Bundle and serve; the address of the running product. Django is set up here on the same data folder."""
    from config.set_up import SetUpProblem, bundle

    try:
        bundle()
    except SetUpProblem as problem:
        sys.exit(str(problem))
    with tempfile.TemporaryDirectory(prefix="marrowloop-benchmark-") as folder:
        os.environ.update(
            MARROWLOOP_DATA=folder,
            MARROWLOOP_LOG_LEVEL="WARNING",
            DJANGO_SETTINGS_MODULE="config.settings",
            # The database is asked between the steps of the browser, in the thread that also drives it.
            DJANGO_ALLOW_ASYNC_UNSAFE="true",
        )
        for name in ("DATABASE_URL", "BROKER_URL"):
            os.environ.pop(name, None)
        # The demo study would take a minute and is not measured.
        (Path(folder) / "demo-made").touch()
        command = [sys.executable, "-m", "config.launch", "--port", "0"]
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as server:
            try:
                address = _address(server)
                import django

                django.setup()
                yield address
            finally:
                server.send_signal(signal.SIGTERM)
                server.wait(60)
                _leave_services()


def _leave_services() -> None:
    """Before the folder goes: the embedded services stop with their last user."""
    from django.db import connections

    from config.embedded import release

    connections.close_all()
    release()


def _address(server: "subprocess.Popen[str]") -> str:
    assert server.stdout is not None
    address = None
    for line in server.stdout:
        if found := re.search(r"runs at (http://\S+?)/$", line.rstrip()):
            address = found[1]
        # The last line of the greeting: nothing more comes.
        if line.startswith("Its data"):
            break
    if address is None:
        sys.exit("The product did not start; its last words are above.")
    return address
