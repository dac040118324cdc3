"""Which code trains."""

import subprocess
from pathlib import Path

import pytest

from training import code_version as module
from training.code_version import VERSION, code_version, commit_of


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "file").write_text("one")
    git(folder, "add", "file")
    git(folder, "commit", "-qm", "One")
    return folder


def test_a_repository_gives_its_commit_and_says_what_was_changed(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert code_version(repository) == f"{VERSION} ({commit[:12]})"
    (repository / "unknown").write_text("untracked")
    assert code_version(repository) == f"{VERSION} ({commit[:12]})"
    (repository / "file").write_text("two")
    assert code_version(repository) == f"{VERSION} ({commit[:12]}, changed)"


def test_without_git_the_files_of_the_repository_tell(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    monkeypatch.setattr(module, "_asked", lambda *_: None)
    assert code_version(repository) == f"{VERSION} ({commit[:12]})"
    git(repository, "pack-refs", "--all")
    assert commit_of(repository) == commit
    git(repository, "checkout", "-q", "--detach")
    assert commit_of(repository) == commit


def test_a_second_working_tree_gives_its_own_commit(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(repository, "worktree", "add", "-q", "-b", "side", str(other))
    (other / "file").write_text("three")
    git(other, "commit", "-qam", "Three")
    assert commit_of(other) == git(other, "rev-parse", "HEAD") != commit_of(repository)


def test_without_a_repository_the_version_stands_alone(tmp_path: Path) -> None:
    assert code_version(tmp_path) == VERSION


def test_a_folder_within_somebody_elses_repository_is_not_that_repository(repository: Path) -> None:
    (repository / "inner").mkdir()
    assert code_version(repository / "inner") == VERSION


@pytest.mark.parametrize("head", ["", "ref: refs/heads/none", "nonsense"])
def test_a_damaged_repository_costs_the_commit_only(tmp_path: Path, head: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(head)
    assert code_version(tmp_path) == VERSION


def test_the_version_is_the_projects() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())
    assert project["project"]["version"] == VERSION
