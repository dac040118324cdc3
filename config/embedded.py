"""The embedded PostgreSQL and Valkey, from the side of the processes that use them.

Whoever needs a service joins it: a shared lock on `users.lock` is held for as long as the process lives, so the
kernel takes it back even after kill -9, and no count of users can be wrong. The first to join starts a keeper
(config/keeper.py), which runs the server as its child and waits for an exclusive lock on the same file: getting
it means that the last user has gone, and the server is stopped.

    <data folder>/services/<service>/users.lock    held shared by each user, exclusively by a keeper that stops
                                     keeper.lock   held by the keeper for as long as its server may run
                                     start.lock    held while one user finds or starts the keeper
                                     state.json    the server's address, written by the keeper
                                     keeper.log, server.log
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from config.data_folder import prepare_data_folder
from config.environment import EnvironmentProblem

REPOSITORY = Path(__file__).resolve().parent.parent
# Linux allows 107 characters, and PostgreSQL's socket in the folder is called .s.PGSQL.5432.
SOCKET_FOLDER_LENGTH = 107 - len("/.s.PGSQL.5432")


@dataclass(frozen=True)
class Services:
    """Addresses of the embedded services that were asked for; empty where one was not."""

    database_url: str
    broker_url: str


@dataclass
class _Membership:
    """This process among the users of one service."""

    folder: Path
    users: IO[str]
    owner: int
    keeper: subprocess.Popen[bytes] | None
    address: str


_memberships: dict[Path, _Membership] = {}


def ensure_services(data_folder: Path, postgres: bool = True, valkey: bool = True) -> Services:
    """Joins the services of this data folder, starting those that nobody runs yet; they stop with their last user.

    Costs about a millisecond where they run. Raises EnvironmentProblem with the reason where one cannot start.
    """
    names = [name for name, wanted in (("postgres", postgres), ("valkey", valkey)) if wanted]
    folders = {name: data_folder / "services" / name for name in names}
    if not all(_is_joined(folder) for folder in folders.values()):
        prepare_data_folder(data_folder)
        for name, folder in folders.items():
            if not _is_joined(folder):
                _join(name, folder, data_folder)
    return Services(
        database_url=_memberships[folders["postgres"]].address if postgres else "",
        broker_url=_memberships[folders["valkey"]].address if valkey else "",
    )


def _is_joined(folder: Path) -> bool:
    """Whether this process is a user and the keeper still lives (it may have been killed)."""
    return folder in _memberships and is_locked(folder / "keeper.lock")


def _join(name: str, folder: Path, data_folder: Path) -> None:
    keeper = None
    held = _memberships.get(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        users = held.users if held else open(folder / "users.lock", "a")  # noqa: SIM115 (held until release)
        try:
            # Waits here while a keeper is stopping its server.
            fcntl.flock(users, fcntl.LOCK_SH)
            with open(folder / "start.lock", "a") as start:
                fcntl.flock(start, fcntl.LOCK_EX)
                if not is_locked(folder / "keeper.lock"):
                    keeper = _start_keeper(name, folder, data_folder)
            address = json.loads((folder / "state.json").read_text(encoding="utf-8"))["address"]
        except BaseException:
            if not held:
                users.close()
            raise
    except OSError as error:
        raise EnvironmentProblem(f"The embedded {name} cannot run under {folder}: {error.strerror}.") from None
    if not _memberships:
        atexit.register(release)
    _memberships[folder] = _Membership(folder, users, os.getpid(), keeper, address)


def _start_keeper(name: str, folder: Path, data_folder: Path) -> subprocess.Popen[bytes]:
    """Starts the keeper and waits until its server answers; raises EnvironmentProblem with what it says else."""
    reading, writing = os.pipe()
    with open(folder / "keeper.log", "w") as log, os.fdopen(reading, encoding="utf-8") as answer:
        try:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "config.keeper", name, str(data_folder), str(writing)],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(writing,),
                # Ctrl-C in a terminal goes to the users, never to the servers under them.
                start_new_session=True,
            )
        finally:
            os.close(writing)
        said = answer.read().strip()
    if said == "ready":
        return keeper
    keeper.wait()
    raise EnvironmentProblem(said or f"The embedded {name} did not start; {folder / 'keeper.log'} says why.")


def is_locked(path: Path) -> bool:
    """Whether another process holds the exclusive lock on this file."""
    try:
        with open(path, "a") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True


def keeper_pids() -> set[int]:
    """The keepers that this process started: a supervisor leaves them out when it ends its children."""
    return {held.keeper.pid for held in _memberships.values() if held.keeper is not None}


def release(patience: float = 30.0) -> None:
    """Leaves the services, and waits until those that this process was the last to use have stopped."""
    # A forked child shares its parent's lock: unlocking there would take it from the parent too.
    left = [held for held in _memberships.values() if held.owner == os.getpid()]
    _memberships.clear()
    for held in left:
        fcntl.flock(held.users, fcntl.LOCK_UN)
    deadline = time.monotonic() + patience
    for held in left:
        while is_locked(held.folder / "keeper.lock") and time.monotonic() < deadline:
            if not _last_user(held.users) and not is_locked(held.folder / "users.lock"):
                break  # others use it
            time.sleep(0.02)
        held.users.close()
        if held.keeper is not None and not is_locked(held.folder / "keeper.lock"):
            held.keeper.wait()


def _last_user(users: IO[str]) -> bool:
    """Whether nobody else holds the lock, neither a user nor a keeper that is stopping."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(users, fcntl.LOCK_UN)
    return True


def socket_folder(wanted: Path) -> Path:
    """A folder for a unix socket: the wanted one, or a short one under the system's temporary folder.

    A socket's path has 107 characters at most, and PostgreSQL reads commas and quotes in it as syntax. The short
    folder is private and named by the hash of the wanted one, so it is found again.
    """
    if len(os.fsencode(wanted)) <= SOCKET_FOLDER_LENGTH and re.fullmatch(r"[\w./+-]+", str(wanted), re.ASCII):
        wanted.mkdir(parents=True, exist_ok=True)
        return wanted
    name = f"marrowloop-{os.getuid()}-{hashlib.sha256(os.fsencode(wanted)).hexdigest()[:16]}"
    for parent in (Path(tempfile.gettempdir()), Path("/tmp")):
        short = parent / name
        if len(os.fsencode(short)) > SOCKET_FOLDER_LENGTH:
            continue
        short.mkdir(mode=0o700, exist_ok=True)
        # Somebody else could have made a folder of this name first, to listen in.
        if short.is_symlink() or short.lstat().st_uid not in (os.getuid(), _owner(wanted)):
            raise EnvironmentProblem(f"The folder {short} belongs to somebody else; remove it or set TMPDIR.")
        return short
    raise EnvironmentProblem(f"The path {wanted} is too long for a socket, and so is TMPDIR; set a shorter TMPDIR.")


def _owner(path: Path) -> int:
    """The user id of the nearest folder that exists: as root, that of PostgreSQL's own user."""
    while not path.exists():
        path = path.parent
    return path.stat().st_uid
