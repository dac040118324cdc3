"""What the benchmarks share: the product run by its command line in a data folder of its own, as a user would."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("MARROWLOOP_SHARED") or REPOSITORY.parent / "shared" / "data")
BLOOD, MARROW = SHARED / "blood-fields", SHARED / "marrow-fields"
BLOOD_FORMAT: list[str | Path] = ["--format", "yolo", "--class-names", str(BLOOD / "classes.txt"), "--classes", "WBC"]
MARROW_FORMAT = ["--format", "via", "--class-attribute", "kind", "--classes", "cell"]
MARROW_FORMAT += ["--ignore", "edge,smudge,uncertain"]
MARROW_TRUTH = MARROW / "via_project.json"


class Product:
    """manage.py on one data folder; its embedded services live as long as the benchmark."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"MARROWLOOP_DATA": str(folder), "MARROWLOOP_LOG_LEVEL": "WARNING"}
        for name in ("DATABASE_URL", "BROKER_URL"):
            self.environment.pop(name, None)

    def lines(self, *arguments: str | Path) -> list[dict[str, Any]]:
        """Run a command and return its JSON lines; what it tells on the way goes to this program's stderr."""
        command = [sys.executable, "manage.py", *map(str, arguments)]
        print("$ manage.py", *map(str, arguments[:2]), file=sys.stderr, flush=True)
        done = subprocess.run(
            command, cwd=REPOSITORY, env=self.environment, stdout=subprocess.PIPE, text=True, check=True
        )
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def call(self, *arguments: str | Path) -> dict[str, Any]:
        return self.lines(*arguments)[-1]

    @contextmanager
    def kept_up(self) -> Iterator["Product"]:
        """Hold the embedded services, so that no command waits for them to start."""
        code = "import config.settings, sys; print('up', flush=True); sys.stdin.read()"
        holder = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=REPOSITORY,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert holder.stdout is not None
            holder.stdout.readline()
            yield self
        finally:
            holder.communicate()

    @contextmanager
    def copied(self) -> Iterator["Product"]:
        """The same product on a copy of its database, while it is kept up: nothing that is done there is done here.

        Images, snapshots and bundles are named by their content, so the files are shared; but only one of the two may
        train at a time.
        """
        here = json.loads((self.folder / "services" / "postgres" / "state.json").read_text())["address"]
        server, mark, options = here.partition("?")
        template = server.rpartition("/")[2]
        copy = Product(self.folder)
        copy.environment["DATABASE_URL"] = f"{server}_copy{mark}{options}"
        names = {"copy": sql.Identifier(f"{template}_copy"), "template": sql.Identifier(template)}
        with psycopg.connect(here, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {copy} TEMPLATE {template}").format(**names))
        try:
            yield copy
        finally:
            with psycopg.connect(here, autocommit=True) as connection:
                connection.execute(sql.SQL("DROP DATABASE {copy} WITH (FORCE)").format(**names))


@contextmanager
def product(kept: Path | None = None) -> Iterator[Product]:
    """On a folder that is gone afterwards, or on one to be `kept`."""
    if not SHARED.is_dir():
        sys.exit("The real images are absent: set MARROWLOOP_SHARED to their folder.")
    with ExitStack() as stack:
        folder = kept or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="marrowloop-benchmark-")))
        yield stack.enter_context(Product(folder).kept_up())


def machine() -> dict[str, Any]:
    """Where the figures come from: they depend on it, and on what else ran there."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "load": [round(value, 1) for value in os.getloadavg()],
    }


def report(name: str, **figures: Any) -> None:
    print(json.dumps({"benchmark": name, **figures, "machine": machine()}), flush=True)
