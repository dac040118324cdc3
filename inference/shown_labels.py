"""Whose labels, and which probabilities, somebody is shown in the gallery and wherever models and labels meet."""

from django.db.models import Q

from annotation import blind_reading
from annotation.models import Study


def shown_labels(study: Study, viewer_id: int | None) -> Q:
    """A condition on rows of CellLabel and CellText: those that a reader of the study may know of. Everybody's, but on
    cells that they are reading blind their own alone. One query."""
    return blind_reading.shown_labels(viewer_id)


def shown_probabilities(viewer_id: int | None) -> Q:
    """A condition on rows of CellProbability: all but those of cells that somebody reads without being told what models
    say. One query."""
    return blind_reading.sight_of(viewer_id, model=True).others
