"""Whose labels somebody is shown in the gallery: said in one place, so that reading can be made blind there."""

from django.db.models import Q

from annotation.models import Study


def shown_labels(study: Study, viewer_id: int | None) -> Q:
    """A condition on rows of CellLabel and CellText: those that a reader of the study may know of. Everybody's."""
    return Q()
