"""What the commands that train share: the arguments that say what is trained, and when they are to end."""

import argparse
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from training.settings import DetectorSettings, SettingsError, parse_assignments, resolve_settings

Settings = TypeVar("Settings")


def add_arguments(parser: argparse.ArgumentParser, out: str) -> None:
    """The snapshot, where to write (`out` says what), and what decides how a detector is trained."""
    add_common_arguments(parser, out)
    parser.add_argument("--parent", type=Path, metavar="BUNDLE", help="folder of the bundle to start from")


def add_common_arguments(parser: argparse.ArgumentParser, out: str) -> None:
    """Those of every kind of round."""
    parser.add_argument("snapshot", type=Path, metavar="SNAPSHOT", help="folder of a snapshot")
    parser.add_argument("out", type=Path, metavar="OUT", help=out)
    parser.add_argument("--settings", type=Path, metavar="FILE", help="JSON object of settings")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--end-with-parent", action="store_true", help="end when the process that started it has gone")


def settings_of(options: argparse.Namespace) -> DetectorSettings:
    """A detector's: those of the file, and above them those given one by one. Raises as read_settings."""
    return read_settings(options, resolve_settings)


def read_settings(options: argparse.Namespace, resolve: Callable[[dict[str, Any]], Settings]) -> Settings:
    """Those of the file, and above them those given one by one, as `resolve` makes settings of them. Raises
    SettingsError, and OSError for the file."""
    try:
        given = json.loads(options.settings.read_text(encoding="utf-8")) if options.settings else {}
    except ValueError as problem:
        raise SettingsError(f"The settings {options.settings} are no JSON: {problem}.") from None
    if not isinstance(given, dict):
        raise SettingsError(f"The settings {options.settings} are no JSON object.")
    return resolve(given | parse_assignments(options.set))


def until_asked_to_end(parent: int | None) -> Callable[[], bool]:
    """Answers whether to go on: until SIGTERM or SIGINT, or until the process `parent`, that started it, has gone.

    Asked by a signal once more, the process ends where it is.
    """
    ending = False

    def end(number: int, _: Any) -> None:
        nonlocal ending
        ending = True
        signal.signal(number, signal.SIG_DFL)

    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, end)
    return lambda: not ending and (parent is None or os.getppid() == parent)
