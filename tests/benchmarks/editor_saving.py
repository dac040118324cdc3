"""What saving costs on the server: one POST of operations, through every layer of the product but the socket."""

import json
import statistics
import sys
import time
from typing import Any
from uuid import uuid4

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotation.models import Cell

CELLS = 170


def measure_saving(image: int, user: Any, times: int = 5) -> dict[str, Any]:
    """Reshape 170 cells of an image in one POST, `times` times; the queries of such a POST for 10 cells and for 170."""
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    _save(client, image, CELLS, 0)
    milliseconds = [_save(client, image, CELLS, k) for k in range(1, times + 1)]
    queries = {}
    for count in (10, CELLS):
        with CaptureQueriesContext(connection) as captured:
            _save(client, image, count, count)
        queries[str(count)] = len(captured)
    print("saving", [round(value) for value in milliseconds], queries, file=sys.stderr, flush=True)
    return {
        "milliseconds": round(statistics.median(milliseconds), 1),
        "each": [round(value, 1) for value in milliseconds],
        "queries": queries,
    }


def _save(client: Client, image: int, count: int, step: int) -> float:
    """Milliseconds of a POST that moves each of the cells by half a pixel."""
    cells = Cell.objects.filter(image=image, status=Cell.Status.CONFIRMED).order_by("pk")[:count]
    by = 0.5 if step % 2 else -0.5
    operations = [
        {
            "id": str(uuid4()),
            "kind": "reshape",
            "cell": str(cell.pk),
            "version": cell.version,
            "border": {**cell.border, "points": [[x + by, y] for x, y in cell.border["points"]]},
        }
        for cell in cells
    ]
    assert len(operations) == count
    body = json.dumps({"operations": operations})
    start = time.perf_counter()
    response = client.post(reverse("api-operations", args=[image]), body, content_type="application/json")
    took = time.perf_counter() - start
    if response.status_code != 200 or any(each["status"] != "applied" for each in response.json()["results"]):
        sys.exit(f"The operations were not taken ({response.status_code}): {response.content[:300]!r}")
    return 1000 * took
