"""A study of cells that are told apart by their colour, and a stand-in that sees no more than that."""

import pytest

from tests.labelled_cells import cell_type, label_cell, make_field
from tests.training.coloured_cells import MeanColour

__all__ = ["cell_type", "label_cell", "make_field"]


@pytest.fixture
def mean_colour() -> MeanColour:
    return MeanColour()


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[int]]]:
    """Messages to workers end in this list."""
    from config.celery import app

    sent: list[tuple[str, list[int]]] = []
    monkeypatch.setattr(app, "send_task", lambda name, args, **options: sent.append((name, args)))
    return sent
