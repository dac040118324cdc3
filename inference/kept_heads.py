"""The heads that learn while people label, kept as files, one a label group: to be asked why they say what they say.

A file is replaced by each retraining. One that is gone costs nothing but that question, until the next retraining.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

# What heads are made of is imported where they are read: the web process only asks how they stand.
if TYPE_CHECKING:
    from training.cell_head import Head


@dataclass(frozen=True)
class KeptHead:
    """A head on features of `backbone`, and the column of a label in its answer. `network`: where it is one on the
    scores of a bundle's network, the bundle's folder and the number of the network there."""

    head: "Head"
    column: int
    backbone: str
    network: tuple[Path, int] | None = None


def keep(group: int, backbone: str, heads: Sequence[tuple[Mapping[int, int], "Head"]]) -> None:
    """Write the heads of a group, each with its columns by label id. A folder that cannot be written is let be."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    path = _path(group)
    tensors = {f"{n}.{name}": value for n, (_, head) in enumerate(heads) for name, value in head.to_tensors().items()}
    facts = {"backbone": backbone, "columns": json.dumps([dict(columns) for columns, _ in heads])}
    with contextlib.suppress(OSError, SafetensorError):
        path.parent.mkdir(parents=True, exist_ok=True)
        number, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(number)
        try:
            save_file(tensors, part, facts)
            os.replace(part, path)
        except BaseException:
            os.unlink(part)
            raise


def head_of(group: int, label: int) -> KeptHead | None:
    """The head that tells a label; None where none has learned it, or its file is gone or damaged."""
    from safetensors import SafetensorError, safe_open

    from training.cell_head import Head

    try:
        with safe_open(_path(group), framework="numpy") as file:
            facts = file.metadata()
            for number, columns in enumerate(json.loads(facts["columns"])):
                if str(label) in columns:
                    names = ("weight", "bias", "offset", "scale")
                    head = Head.from_tensors({name: file.get_tensor(f"{number}.{name}") for name in names})
                    return KeptHead(head, columns[str(label)], facts["backbone"])
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None
    return None


def stand_of(group: int) -> str:
    """Names what the heads of a group have learned by now: another text after each retraining; empty without heads."""
    try:
        return f"{_path(group).stat().st_mtime_ns:x}"
    except OSError:
        return ""


def _path(group: int) -> Path:
    return Path(settings.DATA_FOLDER) / "cache" / "heads" / f"{group}.safetensors"
