"""A data folder with services of its own, and the processes that belong to it."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from config.embedded_postgres import remove_database


@pytest.fixture(scope="module")
def fresh_folder() -> Iterator[Path]:
    """A data folder that PostgreSQL's own user can reach where the tests run as root; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="marrowloop-own-"))
    folder.chmod(0o711)
    yield folder / "var"
    if (folder / "var").exists():
        remove_database(folder / "var")
    shutil.rmtree(folder, ignore_errors=True)


def environment_for(data_folder: Path, **more: str) -> dict[str, str]:
    """This environment without the services of the test run itself."""
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "BROKER_URL")}
    return {**kept, "MARROWLOOP_DATA": str(data_folder), **more}


def processes_of(data_folder: Path) -> list[psutil.Process]:
    """Every living process that was started for this data folder: its environment says so."""
    found = []
    for process in psutil.process_iter():
        try:
            own = process.environ().get("MARROWLOOP_DATA") == str(data_folder)
            if own and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False
