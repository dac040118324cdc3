"""The gallery at 100,000 cells, and as many that were deleted: a page of 200 cells, and the whole order by each sort
and for several filters. Budget (DESIGN.md): 200 ms on the server. Prints JSON; a busy machine makes all figures larger.

Run: python -m tests.benchmarks.gallery_speed [--cells N]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from tests.benchmarks.product import REPOSITORY, report

BARS = {"page": 200, "orders": 200}


def milliseconds(work: Callable[[], Any]) -> float:
    """The best of five: what the work costs when nothing else holds it up."""
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return round(1000 * min(seconds), 1)


def measure(cells: int) -> None:
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client
    from django.urls import reverse

    from annotation.models import Label, Membership
    from annotation.scheme import study_named
    from inference.gallery_query import SORTS
    from inference.packed_ids import unpacked
    from tests.benchmarks.gallery_study import fill

    call_command("migrate", verbosity=0)
    study = study_named("gallery")
    people = [User.objects.create_user(name) for name in ("anna", "theo")]
    for person in people:
        Membership.objects.create(study=study, user=person)
    start = time.perf_counter()
    fill(study, people, cells)
    filled = time.perf_counter() - start
    client = Client()
    client.force_login(people[0])
    of = Label.objects.get(group__study=study, name="Promyelocyte")
    address = reverse("api-gallery-order", args=[study.pk])

    def order(**asked: Any) -> bytes:
        response = client.get(address, asked)
        assert response.status_code == 200, response.content
        return bytes(response.content)

    from uuid import UUID

    ids = [str(UUID(bytes=bytes(row))) for row in unpacked(order())]
    start = time.perf_counter()
    order(sort="similar", like=ids[0])
    looked = time.perf_counter() - start
    body = {"cells": ids[len(ids) // 2 :][:200]}
    page = reverse("api-gallery-cells", args=[study.pk])

    def described() -> None:
        answer = client.post(page, body, content_type="application/json").json()
        assert len(answer["cells"]) == 200

    orders = {sort: {"sort": sort, "like": ids[0], "of": of.pk} for sort in SORTS}
    orders |= {
        "uncertain, any label": {"sort": "uncertain"},
        "disputed, any label": {"sort": "disputed"},
        "label": {"label": of.pk},
        "no label": {"label": "none"},
        "not by me": {"annotator": "not-me"},
        "patient": {"patient": study.patients.all()[3].pk, "sort": "likely", "of": of.pk},
        "range": {"of": of.pk, "least": "0.4", "most": "0.6", "sort": "uncertain"},
        "range of a measure": {"measure": "nc_ratio", "low": "400", "high": "600", "sort": "measure-down"},
        "people disagree": {"agreement": "people"},
        "model disagrees": {"agreement": "model", "sort": "disputed"},
    }
    report(
        "gallery_speed",
        cells=len(ids),
        seconds_to_fill=round(filled, 1),
        seconds_to_compare_looks_first=round(looked, 2),
        page=milliseconds(described),
        gallery_page=milliseconds(lambda: client.get(reverse("gallery", args=[study.pk]))),
        counts=milliseconds(lambda: client.get(reverse("api-gallery-counts", args=[study.pk]))),
        measures_page=milliseconds(lambda: client.get(reverse("measures", args=[study.pk]))),
        news=milliseconds(lambda: client.get(reverse("api-gallery-news", args=[study.pk]))),
        orders={name: milliseconds(lambda asked=asked: order(**asked)) for name, asked in orders.items()},  # type: ignore[misc]
        synthetic=True,
        bars=BARS,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--within", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.within:
        measure(arguments.cells)
        return
    # In a process of its own, whose services end before their folder goes.
    with tempfile.TemporaryDirectory(prefix="marrowloop-benchmark-") as folder:
        environment = os.environ | {
            "MARROWLOOP_DATA": folder,
            "MARROWLOOP_LOG_LEVEL": "WARNING",
            "MARROWLOOP_ALLOWED_HOSTS": "testserver",
            "MARROWLOOP_STATIC_STORAGE": "django.contrib.staticfiles.storage.StaticFilesStorage",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        for name in ("DATABASE_URL", "BROKER_URL"):
            environment.pop(name, None)
        command = [sys.executable, "-m", "tests.benchmarks.gallery_speed", "--within", "--cells", str(arguments.cells)]
        subprocess.run(command, env=environment, cwd=REPOSITORY, check=True)


if __name__ == "__main__":
    main()
