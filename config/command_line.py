"""The command line: `manage.py` works by itself, and ends an expected failure in one sentence on stderr."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from collections.abc import Callable
from pathlib import Path

from config.environment import EnvironmentProblem

# These work on the code, or on the database as it is; all others find a database that is ready for them.
NEED_NO_TABLES = {
    *("check", "collectstatic", "diffsettings", "findstatic", "help", "makemigrations", "migrate", "optimizemigration"),
    *("showmigrations", "spectacular", "sqlmigrate", "squashmigrations", "test", "version"),
}


def sentence_for(error: BaseException) -> str | None:
    """One sentence for a failure that is expected on a machine; None for what is a mistake of ours."""
    if isinstance(error, EnvironmentProblem):
        return str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full: {error.filename or 'nothing more can be written'}."
    # Imported only once something has failed: a command should not wait for them.
    import django.core.exceptions
    import django.db
    import kombu.exceptions

    cause = " ".join(str(error).split())
    if isinstance(error, django.core.exceptions.ImproperlyConfigured):
        return f"The settings are wrong: {cause}"
    if isinstance(error, django.db.OperationalError):
        if getattr(error.__cause__, "sqlstate", None) == "53100":
            return f"The disk of the database is full: {cause}"
        if getattr(error.__cause__, "sqlstate", None) is None:
            return f"The database cannot be reached: {cause}"
        return f"The database refused: {cause}"
    if isinstance(error, kombu.exceptions.OperationalError):
        return f"The broker cannot be reached: {cause}"
    return None


def complain(program: Callable[[], int]) -> int:
    """Runs the program; an expected failure becomes one sentence on stderr and exit status 1."""
    try:
        return program()
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        sentence = sentence_for(error)
        if sentence is None:
            raise
        print(sentence, file=sys.stderr)
        return 1


def migrate(data_folder: Path, only_if_new: bool = False) -> None:
    """Brings the database's tables up to date, one process at a time, and marks the data folder as used."""
    from django.core.management import call_command

    marker = data_folder / "migrated"
    if only_if_new and marker.exists():
        return
    with open(data_folder / "migrate.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if only_if_new and marker.exists():
            return
        # Standard output belongs to the command's one line of JSON.
        call_command("migrate", interactive=False, verbosity=0, stdout=sys.stderr)
        marker.touch()


def manage(arguments: list[str]) -> int:
    """What manage.py does; gives the exit status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # What is written here shows patients' cells: nobody else on this machine reads it.
    os.umask(0o077)
    from django.core.management import execute_from_command_line

    asks_for_help = bool({"-h", "--help", "--version"} & set(arguments[1:]))
    if len(arguments) > 1 and arguments[1] not in NEED_NO_TABLES and not asks_for_help:
        import django
        from django.conf import settings

        django.setup()
        migrate(settings.DATA_FOLDER, only_if_new=True)
    execute_from_command_line(arguments)
    return 0
