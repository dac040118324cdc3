"""Features of cells that are kept already, for a round that needs them: inference keeps them, and training imports
nothing of inference, so that inference says here how it is asked."""

from collections.abc import Callable
from pathlib import Path

from annotation.models import Study

# Writes what is kept of a study's cells to a file; keeps what a round has computed, from such a file
# (training/crop_features.py).
Give = Callable[[Study, Path], None]
Take = Callable[[Study, Path], None]

_keepers: list[tuple[Give, Take]] = []


def kept_by(give: Give, take: Take) -> None:
    _keepers[:] = [(give, take)]


def give_known(study: Study, path: Path) -> None:
    for give, _ in _keepers:
        give(study, path)


def take_new(study: Study, path: Path) -> None:
    if path.is_file():
        for _, take in _keepers:
            take(study, path)
