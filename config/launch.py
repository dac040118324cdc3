"""./run: brings everything up, says where and with which login, and takes everything down again."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from config import environment
from config.command_line import complain, migrate
from config.data_folder import prepare_data_folder
from config.embedded import REPOSITORY, ensure_services, release
from config.environment import EnvironmentProblem
from config.first_start import first_login, make_demo_once
from config.supervisor import Child, adopt_orphans, end_descendants, say, stop_all

# Room for the database's next steps and a few images; the embedded PostgreSQL asks for more when it is made.
MEGABYTES_NEEDED = 50
ANSWER_SECONDS = 60.0
QUEUES = ("training", "inference", "interactive")


class Stopped(Exception):
    """Somebody asked for the end: Ctrl-C or SIGTERM."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run", description="Sets Marrowloop up and runs it.")
    parser.add_argument("--setup", action="store_true", help="only set up")
    parser.add_argument("--host", default=environment.text("MARROWLOOP_HOST", "127.0.0.1"))
    port = environment.integer("MARROWLOOP_PORT", 8000, 1, 65535)
    parser.add_argument("--port", type=int, default=port, help="default: MARROWLOOP_PORT or 8000")
    return parser.parse_args()


def listen(host: str, port: int) -> socket.socket:
    """Takes the port before anything starts; the web server inherits it."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(512)
    except (OSError, OverflowError) as error:
        if getattr(error, "errno", None) == 98:
            raise EnvironmentProblem(f"Port {port} is taken by another program; choose one with --port.") from None
        reason = getattr(error, "strerror", None) or error
        raise EnvironmentProblem(f"Port {port} on {host} cannot be used: {reason}.") from None
    return listener


@contextlib.contextmanager
def alone(data_folder: Path) -> Iterator[None]:
    """One ./run for each data folder: two sets of workers would train two rounds at a time."""
    with open(data_folder / "run.lock", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EnvironmentProblem(f"Marrowloop already runs with the data folder {data_folder}.") from None
        yield


def check_broker() -> None:
    """The workers would wait for a broker that is not there; raises kombu's OperationalError instead."""
    from config.celery import app

    with app.connection_for_write(transport_options={"socket_connect_timeout": 5}) as connection:
        connection.ensure_connection(max_retries=1, timeout=5)


def collect_static(data_folder: Path) -> None:
    """Gathers the static files under names with their hashes, where one has changed."""
    from django.core.management import call_command

    sha256 = hashlib.sha256()
    for path in sorted((REPOSITORY / "static").rglob("*")):
        if path.is_file():
            status = path.stat()
            sha256.update(f"{path.relative_to(REPOSITORY)} {status.st_size} {status.st_mtime_ns}\n".encode())
    stamp = data_folder / "static-collected"
    if stamp.exists() and stamp.read_text() == sha256.hexdigest():
        return
    # Sources are for the bundler: only what it made of them is served.
    call_command("collectstatic", interactive=False, verbosity=0, clear=True, ignore_patterns=["src", "*.mjs"])
    stamp.write_text(sha256.hexdigest())


def make_children(data_folder: Path, listener: socket.socket) -> list[Child]:
    """The web server and one worker for each queue."""
    logs = data_folder / "logs"
    web = Child(
        "web server",
        [
            *(sys.executable, "-m", "gunicorn", "--config", "python:config.gunicorn_settings"),
            *("--bind", f"fd://{listener.fileno()}"),
        ],
        logs / "web.log",
        pass_fds=(listener.fileno(),),
    )
    workers = [
        Child(
            f"{queue} worker",
            [
                *(sys.executable, "-m", "celery", "--app", "config.celery", "worker"),
                *("--queues", queue, "--concurrency", "1", "--hostname", f"{queue}@%h", "--loglevel", "INFO"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ],
            logs / f"{queue}.log",
            # At Celery's SIGTERM a round goes back into the queue, other jobs are waited for; SIGQUIT gives them up.
            death=signal.SIGQUIT,
            stop_signals=((signal.SIGTERM, 12.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)),
        )
        for queue in QUEUES
    ]
    return [web, *workers]


def wait_for_answer(listener: socket.socket, web: Child) -> None:
    """Waits until a page comes from the port."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        if web.process is not None and web.process.poll() is not None:
            raise EnvironmentProblem(f"The web server did not start: {web.last_words()} ({web.log})")
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(host, port, timeout=2.0)
            connection.request("GET", "/", headers={"Host": "localhost"})
            connection.getresponse()
            connection.close()
            return
        time.sleep(0.1)
    raise EnvironmentProblem(f"The web server did not answer within {ANSWER_SECONDS:.0f} s; {web.log} may say why.")


def greet(address: str, logins: dict[str, str | None], data_folder: Path, demo: str | None) -> None:
    """Says on stdout where Marrowloop is and how to get in."""
    print(f"\nMarrowloop runs at {address}\n")
    for name, password in logins.items():
        print(f"  {name:<10} {password or '(its password has been changed)'}")
    print(f"\nIts data and logs lie in {data_folder}. Ctrl-C stops it.", flush=True)
    if demo is not None:
        say(demo)


def serve(options: argparse.Namespace, data_folder: Path, listener: socket.socket) -> None:
    """Runs everything until somebody asks for the end."""
    import django
    from django.conf import settings
    from django.db import connections

    children: list[Child] = []
    try:
        django.setup()
        migrate(data_folder)
        check_broker()
        collect_static(data_folder)
        logins = first_login(data_folder)
        demo = make_demo_once(data_folder)
        connections.close_all()
        children = make_children(data_folder, listener)
        # The pages first: on two cores the workers would make everybody wait for them.
        children[0].start()
        wait_for_answer(listener, children[0])
        for worker in children[1:]:
            worker.start()
        host = f"[{options.host}]" if ":" in options.host else options.host
        if host not in settings.ALLOWED_HOSTS and host not in ("0.0.0.0", "[::]"):
            say(f"MARROWLOOP_ALLOWED_HOSTS does not name {host}: browsers that ask for it will be refused.")
        shown = "localhost" if host in ("0.0.0.0", "[::]") else host
        greet(f"http://{shown}:{listener.getsockname()[1]}/", logins, data_folder, demo)
        own_postgres = not environment.text("DATABASE_URL")
        own_valkey = not environment.text("BROKER_URL")
        while True:
            time.sleep(0.5)
            for child in children:
                child.look_after()
            # Their keepers may have been killed; costs nothing where they live.
            ensure_services(data_folder, postgres=own_postgres, valkey=own_valkey)
    finally:
        # From here on a second Ctrl-C changes nothing: whatever runs is being stopped already.
        for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(asked, signal.SIG_IGN)
        listener.close()
        stop_all(children)
        end_descendants()
        release()


def on_request(number: int, frame: FrameType | None) -> None:
    raise Stopped


def launch() -> int:
    options = arguments()
    if options.setup:
        return 0
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.umask(0o077)
    for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(asked, on_request)
    try:
        with listen(options.host, options.port) as listener:
            # The settings' way to the folder, without the settings: they would start the services already.
            folder = Path(environment.text("MARROWLOOP_DATA", str(REPOSITORY / "var"))).resolve()
            data_folder = prepare_data_folder(folder, MEGABYTES_NEEDED)
            os.environ["MARROWLOOP_DATA"] = str(data_folder)
            with alone(data_folder):
                adopt_orphans()
                serve(options, data_folder, listener)
    except Stopped:
        say("Marrowloop has stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(complain(launch))
