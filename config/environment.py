"""What the environment says, read once and refused loudly when it makes no sense.

Every setting that differs between machines comes from an environment variable. A value that cannot be what it
should be raises `EnvironmentProblem` with one sentence that names the variable; nothing falls back silently.
An empty value counts as not set, as compose files write `NAME=` for "not here".
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Any, overload
from urllib.parse import parse_qsl, unquote, urlsplit


class EnvironmentProblem(Exception):
    """A value in the environment, or what it points to, cannot be used; the message is one clear sentence."""


@overload
def text(name: str) -> str | None: ...
@overload
def text(name: str, default: str) -> str: ...
def text(name: str, default: str | None = None) -> str | None:
    """The variable's value without surrounding blanks, or `default` where it is unset or empty."""
    value = os.environ.get(name, "").strip()
    return value if value else default


def integer(name: str, default: int, minimum: int | None = None, maximum: int | None = None) -> int:
    """The variable as a whole number within `minimum` and `maximum` (both included)."""
    value = text(name)
    if value is None:
        return default
    try:
        number = int(value)
    except ValueError:
        raise EnvironmentProblem(f"{name} must be a whole number, not {value!r}.") from None
    if minimum is not None and number < minimum:
        raise EnvironmentProblem(f"{name} must be at least {minimum}, not {number}.")
    if maximum is not None and number > maximum:
        raise EnvironmentProblem(f"{name} must be at most {maximum}, not {number}.")
    return number


_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def boolean(name: str, default: bool) -> bool:
    """The variable as yes or no: 1/true/yes/on or 0/false/no/off."""
    value = text(name)
    if value is None:
        return default
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise EnvironmentProblem(f"{name} must be one of 1, true, yes, on, 0, false, no, off, not {value!r}.")


def listing(name: str, default: list[str] | None = None) -> list[str]:
    """The variable as a list, split at commas; blanks around and empty entries are dropped."""
    value = text(name)
    if value is None:
        return list(default or [])
    return [part.strip() for part in value.split(",") if part.strip()]


def database_url(url: str, name: str = "DATABASE_URL") -> dict[str, Any]:
    """A PostgreSQL address as an entry of Django's DATABASES.

    `postgresql://user:password@host:5432/database?sslmode=require`, or with a folder as the host for a unix
    socket, `postgresql:///database?host=/run/postgresql`. Everything in the query except `host` and `port` goes
    to the driver as an option. Raises EnvironmentProblem, without ever quoting the password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise EnvironmentProblem(f"{name} is not a database address: its host or port makes no sense.") from None
    if parts.scheme not in {"postgres", "postgresql"}:
        raise EnvironmentProblem(
            f"{name} must begin with postgresql:// (Marrowloop runs on PostgreSQL only), not with {parts.scheme!r}."
        )
    database = unquote(parts.path.lstrip("/"))
    if not database:
        raise EnvironmentProblem(f"{name} names no database: it must end in /NAME, as in postgresql://host/marrowloop.")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    host = options.pop("host", unquote(parts.hostname or ""))
    port_text = options.pop("port", str(port) if port else "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": port_text,
        "OPTIONS": {"connect_timeout": "5", **options},
    }


def secret_key(name: str, data_folder: Path) -> str:
    """The variable, or a key made on the first start and kept in the data folder, readable by its owner alone."""
    value = text(name)
    if value is not None:
        if len(value) < 32:
            raise EnvironmentProblem(f"{name} must have at least 32 characters.")
        return value
    kept = data_folder / "secret-key.txt"
    try:
        if not kept.exists():
            # Written whole under a name of its own, then linked: of two first starts at once one key wins.
            own = data_folder / f"secret-key.{os.getpid()}.part"
            own.touch(mode=0o600)
            own.write_text(secrets.token_urlsafe(48))
            with contextlib.suppress(FileExistsError):
                os.link(own, kept)
            own.unlink()
        return kept.read_text().strip()
    except OSError as problem:
        raise EnvironmentProblem(f"The data folder {data_folder} cannot be used: {problem.strerror}.") from None
