"""Runs the tests of the editor's geometry (*.test.mjs beside this file) in the node that came by pip."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def test_the_editors_geometry_holds() -> None:
    node = Path(sys.executable).parent / "node"
    files = sorted(str(path) for path in HERE.glob("*.test.mjs"))
    assert files, "there is no test of the geometry"
    command = [str(node), "--test", "--test-reporter=spec", "--test-concurrency=1", *files]
    run = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
