"""`python -m tests.chaos.annotator IMAGE_ID USER_ID JOURNAL SEED`: somebody who draws and moves borders without pause.

As the editor does, it writes each change into a journal before it is sent, and notes there when it is confirmed. What
was sent and not confirmed when it was killed is sent again when it starts.
"""

import json
import os
import random
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import django


def lines_of(journal: Path) -> list[dict[str, Any]]:
    """What the journal holds; the line that a kill cut off is none."""
    found = []
    for line in journal.read_bytes().split(b"\n") if journal.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def main(image_id: int, user_id: int, journal: Path, seed: int) -> None:
    from django.contrib.auth.models import User
    from django.db import DatabaseError, connection

    from annotation.models import Cell
    from annotation.operations import Change, apply

    rng = random.Random(seed)
    user = User.objects.get(pk=user_id)
    handle = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(**line: Any) -> None:
        # With a line end before it too: a kill may have cut off the line in front.
        os.write(handle, b"\n" + json.dumps(line).encode() + b"\n")

    def send(change: dict[str, Any]) -> None:
        while True:
            try:
                outcome = apply(
                    image_id,
                    user,
                    [
                        Change(
                            id=uuid.UUID(change["id"]),
                            kind=change["kind"],
                            cell=uuid.UUID(change["cell"]),
                            version=change["version"],
                            border=change["border"],
                        )
                    ],
                )
                break
            except DatabaseError:
                connection.close()
                time.sleep(0.2)
        (result,) = outcome.results
        note(confirmed=change["id"], status=result.status, reason=result.reason)

    earlier = lines_of(journal)
    confirmed = {line["confirmed"] for line in earlier if "confirmed" in line}
    for line in earlier:
        if "change" in line and line["change"]["id"] not in confirmed:
            send(line["change"])
    while True:
        cells = list(Cell.objects.filter(image_id=image_id, status=Cell.Status.CONFIRMED).values_list("pk", "version"))
        cell, version = rng.choice(cells) if len(cells) > 30 or (cells and rng.random() < 0.5) else (uuid.uuid4(), 0)
        border = {"kind": "rectangle", "x": rng.randrange(90), "y": rng.randrange(60), "width": 20, "height": 20}
        change = {
            "id": str(uuid.uuid4()),
            "kind": "reshape" if version else "create",
            "cell": str(cell),
            "version": version,
            "border": border,
        }
        note(change=change)
        send(change)
        time.sleep(0.02)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
