"""Which code trains: the commit of the repository that it runs from, or the number of the version."""

import os
import re
import subprocess
from pathlib import Path

# Of the project as a whole, as pyproject.toml has it.
VERSION = "0.1.0"
GIT_SECONDS = 5.0


def code_version(folder: Path | None = None) -> str:
    """ "0.1.0 (1a2b3c4d5e6f)" where the code lies in a git repository, with "changed" where files differ
    from the commit.

    Asks git where it is installed and answers, else reads the repository's own files. Costs a few hundredths of a
    second: for the beginning of a round, not for a request.
    """
    folder = folder or Path(__file__).resolve().parents[1]
    commit = _asked(folder, "rev-parse", "--verify", "HEAD") if (folder / ".git").exists() else None
    if commit:
        changed = _asked(folder, "status", "--porcelain", "--untracked-files=no")
        return f"{VERSION} ({commit[:12]}{', changed' if changed else ''})"
    commit = commit_of(folder)
    return f"{VERSION} ({commit[:12]})" if commit else VERSION


def commit_of(folder: Path) -> str | None:
    """The commit that a working tree has checked out, from the files of its repository; None where there is none."""
    place = folder / ".git"
    try:
        if place.is_file():
            # A second working tree: a file that names its part of the repository.
            place = (folder / place.read_text().removeprefix("gitdir:").strip()).resolve()
        head = (place / "HEAD").read_text().strip()
        if not head.startswith("ref:"):
            return head if _is_commit(head) else None
        reference = head.removeprefix("ref:").strip()
        common = place / "commondir"
        shared = (place / common.read_text().strip()).resolve() if common.is_file() else place
        for base in (place, shared):
            if (base / reference).is_file():
                commit = (base / reference).read_text().strip()
                return commit if _is_commit(commit) else None
        packed = (shared / "packed-refs").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    found = (line.split(" ")[0] for line in packed if line.endswith(f" {reference}"))
    return next((commit for commit in found if _is_commit(commit)), None)


def _asked(folder: Path, *words: str) -> str | None:
    """What git says; None where it is missing, refuses, or takes too long."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _is_commit(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text) is not None
