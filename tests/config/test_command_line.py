"""manage.py works by itself: in a new data folder it starts the services and makes the tables."""

import subprocess
import sys
from pathlib import Path

from config.embedded import REPOSITORY
from tests.config.conftest import environment_for, processes_of, wait_until

COUNT = "from annotation.models import Study; print(Study.objects.count())"


def manage(folder: Path, *arguments: str, **more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(REPOSITORY / "manage.py"), *arguments],
        env=environment_for(folder, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    )


def test_two_commands_at_once_in_a_new_folder(fresh_folder: Path) -> None:
    both = [manage(fresh_folder, "shell", "-v0", "-c", COUNT) for _ in range(2)]
    for process in both:
        said, errors = process.communicate(timeout=90)
        assert (process.returncode, said.strip()) == (0, "0"), errors
    assert wait_until(lambda: not processes_of(fresh_folder), 2.0)


def test_an_unreachable_database_is_one_sentence(fresh_folder: Path) -> None:
    process = manage(
        fresh_folder.with_name("unreachable"),
        *("shell", "-v0", "-c", COUNT),
        DATABASE_URL="postgresql://u:secret@127.0.0.1:1/db",
        BROKER_URL="memory://",
    )
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said == ""
    assert errors.startswith("The database cannot be reached: ")
    assert len(errors.splitlines()) == 1
    assert "secret" not in errors


def test_a_bad_value_is_one_sentence(fresh_folder: Path) -> None:
    process = manage(fresh_folder, "check", MARROWLOOP_DEBUG="perhaps")
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert errors == "MARROWLOOP_DEBUG must be one of 1, true, yes, on, 0, false, no, off, not 'perhaps'.\n"
