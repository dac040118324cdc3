"""What the commands that train share: the arguments that say what is trained, and when they are to end."""

import argparse
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.settings import DetectorSettings, SettingsError, parse_assignments, resolve_settings


def add_arguments(parser: argparse.ArgumentParser, out: str) -> None:
    """The snapshot, where to write (`out` says what), and what decides how it is trained."""
    parser.add_argument("snapshot", type=Path, metavar="SNAPSHOT", help="folder of a snapshot")
    parser.add_argument("out", type=Path, metavar="OUT", help=out)
    parser.add_argument("--settings", type=Path, metavar="FILE", help="JSON object of settings")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--parent", type=Path, metavar="BUNDLE", help="folder of the bundle to start from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--end-with-parent", action="store_true", help="end when the process that started it has gone")


def settings_of(options: argparse.Namespace) -> DetectorSettings:
    """Those of the file, and above them those given one by one. Raises SettingsError, and OSError for the file."""
    try:
        given = json.loads(options.settings.read_text(encoding="utf-8")) if options.settings else {}
    except ValueError as problem:
        raise SettingsError(f"The settings {options.settings} are no JSON: {problem}.") from None
    if not isinstance(given, dict):
        raise SettingsError(f"The settings {options.settings} are no JSON object.")
    return resolve_settings(given | parse_assignments(options.set))


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
