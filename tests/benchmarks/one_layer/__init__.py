"""The one-layer OpenLayers page: bundled into a folder that passes, and served from there."""

import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from PIL import Image

from tests.benchmarks.product import REPOSITORY

HERE = Path(__file__).resolve().parent


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """The program's stderr is for its own progress."""


@contextmanager
def one_layer(pixels: Path, fields: Mapping[str, Mapping[str, list[list[float]]]]) -> Iterator[str]:
    """Serve the page with an image and fields of borders by name; the page's address, to which ?field=… is added."""
    with tempfile.TemporaryDirectory(prefix="marrowloop-one-layer-") as name:
        folder = Path(name)
        for source in (HERE / "index.html", REPOSITORY / "node_modules" / "ol" / "ol.css"):
            shutil.copy(source, folder)
        shutil.copy(pixels, folder / "field.png")
        with Image.open(pixels) as image:
            width, height = image.size
        for field, borders in fields.items():
            cells = [{"id": cell, "border": {"points": points}} for cell, points in borders.items()]
            (folder / f"{field}.json").write_text(json.dumps({"width": width, "height": height, "cells": cells}))
        node = REPOSITORY / ".venv" / "bin" / "node"
        subprocess.run([str(node), str(HERE / "build.mjs"), str(folder / "main.js")], check=True)
        with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=name)) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}/index.html"
            server.shutdown()
