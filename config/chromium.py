"""Finds the Chromium in which the browser tests run, and installs Debian's or Ubuntu's where that is possible."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from config import environment
from config.environment import EnvironmentProblem

# Chromium without its own windows, which draw beside each page: the browser tests take 40 % less time in it.
SHELL = "chromium-headless-shell"
# As people have it: what counts frames uses this one.
WHOLE = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
NAMES = (SHELL, *WHOLE)


def find_chromium(names: Sequence[str] = NAMES) -> str | None:
    """The path of an installed Chromium that starts (Ubuntu's chromium-browser may be a mere pointer to a snap)."""
    named = environment.text("MARROWLOOP_CHROMIUM")
    if named is not None:
        if not _starts(named):
            raise EnvironmentProblem(f"MARROWLOOP_CHROMIUM names {named}, which is no Chromium that starts.")
        return named
    for name in names:
        path = shutil.which(name)
        if path is not None and _starts(path):
            return path
    return None


def _starts(path: str) -> bool:
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def ensure_chromium() -> str:
    """The path of a Chromium, installed with apt-get where there is none and this is root on Debian or Ubuntu."""
    found = find_chromium()
    if found is not None:
        return found
    if os.geteuid() == 0 and shutil.which("apt-get") and Path("/etc/debian_version").exists():
        print("Installing Chromium for the browser tests …", file=sys.stderr, flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends"]
        subprocess.run(["apt-get", "update", "--quiet"], stdout=sys.stderr, env=quiet)
        # Older releases have no shell of its own.
        for package in (SHELL, "chromium"):
            subprocess.run([*install, package], stdout=sys.stderr, env=quiet)
            found = find_chromium()
            if found is not None:
                return found
    raise EnvironmentProblem(
        "The browser tests need Chromium: install it (Debian: apt-get install chromium), "
        "or name one with MARROWLOOP_CHROMIUM."
    )
