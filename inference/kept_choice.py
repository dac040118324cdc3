"""Cells that somebody picked out, kept by name, so that an address of the gallery can speak of thousands of them."""

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from django.conf import settings

from annotation.models import Study
from inference.packed_ids import ID, pack

# So many cells at most are picked out at a time.
MOST = 20_000
_NAME = re.compile(r"[0-9a-f]{16}")


def keep(study: Study, cells: Sequence[UUID]) -> str:
    """The name of some cells: the same for the same cells. Raises OSError where the disk refuses."""
    content = pack(sorted(set(cells))).tobytes()
    name = hashlib.sha256(content).hexdigest()[:16]
    path = _path(study, name)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        number, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(number, "wb") as file:
            file.write(content)
        os.replace(part, path)
    return name


def cells_of(study: Study, name: str) -> list[UUID]:
    """The cells of a name; none where the study has kept no such choice."""
    content = b""
    if is_name(name):
        with contextlib.suppress(OSError):
            content = _path(study, name).read_bytes()
    return [UUID(bytes=content[at : at + ID]) for at in range(0, len(content) - ID + 1, ID)]


def is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def _path(study: Study, name: str) -> Path:
    return Path(settings.DATA_FOLDER) / "choices" / str(study.pk) / name
