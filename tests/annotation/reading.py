"""Readings as a test asks for them, and what readers say in them."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User

from annotation.models import Cell, Label, LabelGroup, Reader, Reading, SmearImage, Study
from annotation.operations import apply
from annotation.readings import CellsWanted, Wanted, ask
from tests.annotation.changes import change


def asked(study: Study, by: User, readers: Sequence[User], groups: Sequence[str] = (), **more: Any) -> Reading:
    """A blind reading by all readers of all cells of the study, for all groups or those named."""
    chosen = LabelGroup.objects.filter(study=study)
    if groups:
        chosen = chosen.filter(name__in=groups)
    wanted: dict[str, Any] = {
        "name": "Second look",
        "groups": list(chosen.values_list("pk", flat=True)),
        "readers": [reader.pk for reader in readers],
        "each": len(readers) or 1,
        "cells": CellsWanted(),
    }
    return ask(study, by, Wanted(**(wanted | more)))


def part(reading: Reading, user: User) -> Reader:
    return Reader.objects.get(reading=reading, user=user)


def cells_on(image: SmearImage, number: int) -> list[Cell]:
    """Squares in a row, 8 px each: of a picture of 64 px six at most."""
    cells = []
    for place in range(number):
        cell = Cell(image=image)
        cell.place({"kind": "rectangle", "x": 2 + 10 * place, "y": 10, "width": 8, "height": 8}, image)
        cell.save()
        cells.append(cell)
    return cells


def label_id(study: Study, name: str) -> int:
    return Label.objects.get(group__study=study, name=name).pk


def say(cell: Cell, user: User, *names: str, version: int | None = None, **more: Any) -> Any:
    """The outcome of one label operation, based on the cell's version at hand unless said otherwise."""
    cell.refresh_from_db(fields=["version"])
    chosen = [label_id(cell.image.study, name) for name in names]
    based_on = cell.version if version is None else version
    return apply(cell.image_id, user, [change("label", cell.pk, based_on, labels=chosen, **more)]).results[0]


def decide(cell: Cell, user: User, group: str, names: Sequence[str] | None, note: str = "", **more: Any) -> Any:
    """The outcome of one adjudication; None takes it back."""
    cell.refresh_from_db(fields=["version"])
    study = cell.image.study
    labels = None if names is None else [label_id(study, name) for name in names]
    own = LabelGroup.objects.get(study=study, name=group).pk
    asked_for = {"id": uuid.uuid4(), "version": cell.version, **more}
    decided = change("adjudicate", cell.pk, asked_for["version"], group=own, labels=labels, note=note)
    return apply(cell.image_id, user, [decided]).results[0]
