"""Random sequences of all operations."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation.models import Cell, Label, Operation, SmearImage
from annotation.operations import Change, apply
from tests.annotation.changes import LARGER, ROUND, SQUARE, change, propose

pytestmark = pytest.mark.django_db

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "reshape", "accept", "delete", "restore", "label", "unaccept", "stale", "again"]),
        st.integers(0, 5),
        st.integers(0, 3),
    ),
    max_size=25,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=STEPS, batch=st.integers(1, 6))
def test_random_sequences_keep_versions_rising_and_replays_idle(
    image: SmearImage, annotator: User, steps: list[tuple[str, int, int]], batch: int
) -> None:
    """Whatever people do in whatever order: a version rises by one with each applied operation, sending everything
    again changes nothing, and each cell is what its last applied operation made of it."""
    cells = [propose(image).pk for _ in range(3)] + [uuid.uuid4() for _ in range(3)]
    labels = list(Label.objects.filter(group__study=image.study, group__multiple=True).values_list("pk", flat=True))
    versions = {cell: 1 if index < 3 else 0 for index, cell in enumerate(cells)}
    borders = [SQUARE, LARGER, ROUND, {"kind": "circle", "cx": 20.0, "cy": 20.0, "r": 7.0}]
    sent: list[Change] = []
    before: dict[uuid.UUID, int] = dict(versions)
    pending: list[Change] = []

    def flush() -> None:
        outcome = apply(image.pk, annotator, pending)
        for asked, result in zip(pending, outcome.results, strict=True):
            if result.status == "applied":
                before[asked.cell] += 1
            assert result.cell is None or result.cell.version == before[asked.cell] or len(pending) > 1
        for cell in cells:
            now = Cell.objects.filter(pk=cell).values_list("version", flat=True).first() or 0
            assert now == before[cell]
            versions[cell] = now
        pending.clear()

    for kind, which, variant in steps:
        cell = cells[which]
        version = versions[cell]
        if kind == "again" and sent:
            pending.append(sent[variant % len(sent)])
        elif kind == "unaccept":
            pending.append(change("restore", cell, version, status="proposed"))
        elif kind == "stale":
            pending.append(change("delete", cell, version + 1 + variant))
        elif kind != "again":
            more: dict[str, Any] = {}
            if kind in ("create", "reshape"):
                more["border"] = borders[variant]
            if kind == "label":
                more["labels"] = labels[: variant % 3]
            pending.append(change(kind, cell, 0 if kind == "create" else version, **more))
        sent.extend(pending[-1:])
        if len(pending) >= batch:
            flush()
    flush()
    state = list(Cell.objects.order_by("pk").values("pk", "version", "status", "border"))
    if sent:
        kept = [asked for asked in sent if Operation.objects.filter(pk=asked.id).exists()]
        assert {result.status for result in apply(image.pk, annotator, kept).results} <= {"replayed"}
    assert list(Cell.objects.order_by("pk").values("pk", "version", "status", "border")) == state
    for cell in Cell.objects.all():
        last = cell.operations.order_by("-version").first()
        if last is not None:
            assert (last.version, last.payload["status"]) == (cell.version, cell.status)
