"""What the files of the chain share: a versioned schema, and a hash over their own content."""

import contextlib
import glob
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# Nobody fills a folder for so long.
LEFT_BEHIND_SECONDS = 86_400


class ContractError(ValueError):
    """A file of the chain is not what it should be; the message says what in one sentence."""


def content_hash(content: Mapping[str, Any]) -> str:
    """sha256 of the canonical JSON of everything but the entry `hash`."""
    rest = {key: value for key, value in content.items() if key != "hash"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path, schema: str, noun: str, error: type[ContractError]) -> dict[str, Any]:
    """The file's JSON object, of this schema and with the hash that it states. Raises `error` otherwise."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise error(f"There is no {noun} at {path}.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as problem:
        raise error(f"The {noun} {path} cannot be read: {problem}.") from None
    if not isinstance(content, dict):
        raise error(f"The {noun} {path} is not a JSON object.")
    if content.get("schema") != schema:
        raise error(f"The {noun} {path} has the schema {content.get('schema')!r}; {schema!r} is read here.")
    if content.get("hash") != content_hash(content):
        raise error(f"The {noun} {path} was changed after it was written: its hash does not fit its content.")
    return content


def expect(content: Mapping[str, Any], fields: Mapping[str, Any], place: str, error: type[ContractError]) -> None:
    """Raise `error` where a field is absent or of another type. A type may be a tuple, and None stands for null."""
    for name, kinds in fields.items():
        if name not in content:
            raise error(f"{place} lacks the field {name!r}.")
        kinds = kinds if isinstance(kinds, tuple) else (kinds,)
        value = content[name]
        fits = any(value is None if kind is None else _is(value, kind) for kind in kinds)
        if not fits:
            raise error(f"The field {name!r} of {place} has a value of the wrong type: {str(value)[:80]!r}.")


def _is(value: Any, kind: type) -> bool:
    # A bool is an int in Python, never a number in a contract; a whole number is also a float.
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder whole or not at all: filled under another name beside it, then renamed.

    A folder that is there already (the same content under its hash) is left as it is. What a writer that was killed has
    left beside it is taken away, once nobody can be writing it any more.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for part in folder.parent.glob(f".{glob.escape(folder.name)}.????????"):
        with contextlib.suppress(FileNotFoundError):
            if part.is_dir() and time.time() - part.stat().st_mtime > LEFT_BEHIND_SECONDS:
                shutil.rmtree(part, ignore_errors=True)
    if folder.exists():
        return
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        fill(part)
        part.chmod(0o755)
        flush_folder(part)
        os.rename(part, folder)
        flush_folder(folder.parent)
    except OSError:
        # Somebody else may have written the same folder meanwhile.
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def flush_folder(folder: Path) -> None:
    """Names within it survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
