"""A study of cells that are told apart by their colour, and a stand-in that sees no more than that."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

from annotation.models import Study
from tests.labelled_cells import cell_type, label_cell, make_field
from tests.training.coloured_cells import MeanColour, coloured_cells
from training.classifier_target import Target

if TYPE_CHECKING:
    from training.models import Bundle

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


@pytest.fixture
def make_classifier(tmp_path: Path, mean_colour: MeanColour) -> Callable[..., "Bundle"]:
    """make_classifier(study, target, ...): a bundle that tells red cells from blue ones, in use in the study."""

    def make(study: Study, target: Target, learns: str = "head", **made: Any) -> "Bundle":
        # Imported here: most tests need no training.
        from training.bundle import copy_bundle
        from training.classifier_round import carry_out
        from training.classifier_settings import ClassifierSettings
        from training.models import Bundle, Kind

        folder = tmp_path / f"made-{Bundle.objects.count()}"
        (folder / "out").mkdir(parents=True)
        snapshot = coloured_cells(folder, 6, 6, **made)
        settings_ = ClassifierSettings(draws=100, views=0, learns=learns)
        carry_out(snapshot, target, settings_, 0, mean_colour, folder / "out")
        card = json.loads((folder / "out" / "bundle" / "card.json").read_text())
        bundle = Bundle.objects.create(
            id=card["hash"][:12], study=study, kind=Kind.CLASSIFIER, target=card["target"], card=card
        )
        copy_bundle(folder / "out" / "bundle", Path(settings.BUNDLE_FOLDER) / bundle.pk)
        bundle.promote()
        return bundle

    return make
