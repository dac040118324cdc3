"""Runs the world of tests/chaos/world.py in a data folder of its own, which is gone afterwards."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
# Seconds of silence after which a worker counts as dead: less than a server has, so that more kills fit in an hour.
SILENCE = 6


def chaos(kills: int, seed: int) -> dict[str, Any]:
    """What so many kills have left of the promises; its logs go to stderr. Raises RuntimeError where it broke down."""
    with tempfile.TemporaryDirectory(prefix="marrowloop-chaos-", ignore_cleanup_errors=True) as folder:
        # As root, PostgreSQL's own user must be able to pass through.
        Path(folder).chmod(0o711 if os.geteuid() == 0 else 0o700)
        environment = os.environ | {
            "MARROWLOOP_DATA": folder,
            "MARROWLOOP_JOB_SILENCE": str(SILENCE),
            "MARROWLOOP_CHECKPOINT_SECONDS": "0.5",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "OMP_NUM_THREADS": "1",
        }
        for name in ("DATABASE_URL", "BROKER_URL"):
            environment.pop(name, None)
        done = subprocess.run(
            [sys.executable, "-m", "tests.chaos.world", "--kills", str(kills), "--seed", str(seed)],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        lines = done.stdout.strip().splitlines()
        if not lines:
            raise RuntimeError(f"The world of chaos (seed {seed}) ended with status {done.returncode}.")
        result: dict[str, Any] = json.loads(lines[-1])
        return result
