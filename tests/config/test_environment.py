"""A value that makes no sense is refused in one sentence that names the variable."""

import errno
from pathlib import Path
from typing import Any

import pytest

from config import environment
from config.data_folder import prepare_data_folder
from config.environment import EnvironmentProblem


def test_unset_and_empty_give_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARROWLOOP_X", raising=False)
    assert environment.text("MARROWLOOP_X", "a") == "a"
    monkeypatch.setenv("MARROWLOOP_X", " ")
    assert environment.text("MARROWLOOP_X", "a") == "a"
    assert environment.integer("MARROWLOOP_X", 3) == 3
    assert environment.boolean("MARROWLOOP_X", True) is True
    assert environment.listing("MARROWLOOP_X", ["b"]) == ["b"]


def test_values_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARROWLOOP_X", "17")
    assert environment.integer("MARROWLOOP_X", 3) == 17
    monkeypatch.setenv("MARROWLOOP_X", "Off")
    assert environment.boolean("MARROWLOOP_X", True) is False
    monkeypatch.setenv("MARROWLOOP_X", "a.org, ,b.org,")
    assert environment.listing("MARROWLOOP_X") == ["a.org", "b.org"]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("many", lambda: environment.integer("MARROWLOOP_X", 1)),
        ("0", lambda: environment.integer("MARROWLOOP_X", 1, minimum=1)),
        ("70000", lambda: environment.integer("MARROWLOOP_X", 1, maximum=65535)),
        ("maybe", lambda: environment.boolean("MARROWLOOP_X", False)),
    ],
)
def test_bad_values_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str, read: Any) -> None:
    monkeypatch.setenv("MARROWLOOP_X", value)
    with pytest.raises(EnvironmentProblem, match=r"^MARROWLOOP_X must .*\.$"):
        read()


def test_database_url_with_everything() -> None:
    read = environment.database_url("postgresql://anna:p%40ss%2F@db.example:5433/smears?sslmode=require")
    assert (read["USER"], read["PASSWORD"], read["HOST"], read["PORT"]) == ("anna", "p@ss/", "db.example", "5433")
    assert read["NAME"] == "smears"
    assert read["OPTIONS"]["sslmode"] == "require"


def test_database_url_with_a_socket() -> None:
    read = environment.database_url("postgresql://marrowloop@/marrowloop?host=%2Frun%2Fpg")
    assert (read["HOST"], read["PORT"], read["USER"]) == ("/run/pg", "", "marrowloop")


@pytest.mark.parametrize(
    "url", ["mysql://h/db", "sqlite:///db", "postgresql://u:secret@h", "postgresql://u:secret@h:port/db", "nonsense"]
)
def test_bad_database_urls_are_refused_without_their_password(url: str) -> None:
    with pytest.raises(EnvironmentProblem, match="^DATABASE_URL ") as refused:
        environment.database_url(url)
    assert "secret" not in str(refused.value)


def test_secret_key_is_made_once_and_kept_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARROWLOOP_SECRET_KEY", raising=False)
    key = environment.secret_key("MARROWLOOP_SECRET_KEY", tmp_path)
    assert len(key) >= 50
    assert environment.secret_key("MARROWLOOP_SECRET_KEY", tmp_path) == key
    (kept,) = tmp_path.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_file_is_no_data_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentProblem, match=r"cannot be used: Not a directory\.$"):
        prepare_data_folder(tmp_path / "file")
    with pytest.raises(EnvironmentProblem, match="MARROWLOOP_DATA"):
        prepare_data_folder(tmp_path / "file" / "below")


def test_a_full_disk_is_called_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EnvironmentProblem, match="is full: .* MB are free"):
        prepare_data_folder(tmp_path, megabytes=10**9)

    def refuse(path: Path, *_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(EnvironmentProblem, match=r"is full\.$"):
        prepare_data_folder(tmp_path / "new")
