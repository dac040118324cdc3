"""The embedded services live exactly as long as somebody uses them, whatever happens to the users."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import psycopg
import pytest

from config.embedded import REPOSITORY, is_locked, socket_folder
from config.embedded_postgres import remove_database
from config.environment import database_url
from tests.config.conftest import environment_for, processes_of, wait_until

# They share one data folder: a worker of its own makes one.
pytestmark = pytest.mark.xdist_group("embedded")

USER = """
import sys
from pathlib import Path
from config.embedded import ensure_services
services = ensure_services(Path(sys.argv[1]), valkey=len(sys.argv) > 2)
print(services.database_url, services.broker_url, flush=True)
sys.stdin.read()
"""


class User:
    """A process that uses the services until it is told to go."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(folder), *more],
            cwd=REPOSITORY,
            env=environment_for(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def address(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().split(" ")[0].strip()

    def leave(self) -> None:
        self.process.communicate(timeout=30)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)


def connect(address: str) -> psycopg.Connection:
    entry = database_url(address)
    return psycopg.connect(dbname=entry["NAME"], user=entry["USER"], host=entry["HOST"], autocommit=True)


def has_stopped(folder: Path) -> bool:
    return not is_locked(folder / "services" / "postgres" / "keeper.lock") and not processes_of(folder)


def test_two_start_at_once_and_the_last_one_stops_it(fresh_folder: Path) -> None:
    first, second = User(fresh_folder, "valkey"), User(fresh_folder, "valkey")
    address = first.address()
    assert second.address() == address
    keepers = [process for process in processes_of(fresh_folder) if "config.keeper" in process.cmdline()]
    assert len(keepers) == 2  # one for PostgreSQL, one for Valkey
    first.leave()
    with connect(address) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    second.leave()
    # The last one waits for the end before it goes itself.
    assert wait_until(lambda: has_stopped(fresh_folder), 1.0)


def test_killed_users_do_not_count(fresh_folder: Path) -> None:
    first, second = User(fresh_folder), User(fresh_folder)
    address = first.address()
    assert second.address() == address
    first.kill()
    with connect(address) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    second.kill()
    assert wait_until(lambda: has_stopped(fresh_folder))


def test_a_killed_keeper_takes_its_server_along_and_is_replaced(fresh_folder: Path) -> None:
    first = User(fresh_folder)
    with connect(first.address()) as connection:
        connection.execute("CREATE TABLE kept (x int)")
    (keeper,) = [process for process in processes_of(fresh_folder) if "config.keeper" in process.cmdline()]
    keeper.kill()
    second = User(fresh_folder)
    with connect(second.address()) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    first.leave()
    second.leave()
    assert wait_until(lambda: has_stopped(fresh_folder))


def test_a_server_that_dies_is_started_again(fresh_folder: Path) -> None:
    user = User(fresh_folder)
    address = user.address()
    servers = [process for process in processes_of(fresh_folder) if process.name() == "postgres"]
    (postmaster,) = [process for process in servers if process.parent() not in servers]
    postmaster.kill()

    def answers() -> bool:
        try:
            with connect(address) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    assert wait_until(lambda: not psutil.pid_exists(postmaster.pid) and answers())
    user.leave()
    assert wait_until(lambda: has_stopped(fresh_folder))


def test_a_stale_lock_with_the_number_of_another_process(fresh_folder: Path) -> None:
    """After a power cut the number in postmaster.pid may be that of any process, here of one by PostgreSQL's user."""
    before = User(fresh_folder)
    before.address()
    before.leave()
    data = fresh_folder / "postgres" / "data"
    owner = data.stat()
    root = os.geteuid() == 0
    other = subprocess.Popen(
        ["sleep", "60"], cwd="/", user=owner.st_uid if root else None, group=owner.st_gid if root else None
    )
    try:
        lock = data / "postmaster.pid"
        lock.write_text(f"{other.pid}\n{data}\n1700000000\n5432\n{data.parent / 'socket'}\n\n  1234567  1\nready   \n")
        os.chown(lock, owner.st_uid, owner.st_gid)
        user = User(fresh_folder)
        with connect(user.address()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert other.poll() is None
        user.leave()
    finally:
        other.kill()
        other.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user for PostgreSQL")
def test_as_root_a_closed_home_stays_closed() -> None:
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "var"
        assert Path(home).stat().st_mode & 0o777 == 0o700
        user = User(folder)
        with connect(user.address()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        user.leave()
        assert Path(home).stat().st_mode & 0o777 == 0o700
        where = Path((folder / "postgres-folder.txt").read_text().strip())
        assert where.is_dir()
        remove_database(folder)
        assert not where.exists()


def test_sockets_of_a_deep_folder_lie_in_a_short_private_one(tmp_path: Path) -> None:
    short = tmp_path / "socket"
    assert socket_folder(short) == short
    deep = tmp_path / ("d" * 120) / "socket"
    found = socket_folder(deep)
    try:
        assert len(str(found / ".s.PGSQL.5432")) <= 107
        assert found == socket_folder(deep)
        assert found.stat().st_mode & 0o777 == 0o700
    finally:
        found.rmdir()


def test_sockets_are_never_put_into_somebody_elses_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("e" * 120) / "socket"
    found = socket_folder(deep)
    found.rmdir()
    found.symlink_to(tmp_path)
    try:
        with pytest.raises(Exception, match="belongs to somebody else"):
            socket_folder(deep)
    finally:
        found.unlink()


def test_sigterm_leaves_nothing_behind(fresh_folder: Path) -> None:
    user = User(fresh_folder, "valkey")
    user.address()
    user.process.send_signal(signal.SIGTERM)
    user.process.communicate(timeout=30)
    assert wait_until(lambda: has_stopped(fresh_folder))
