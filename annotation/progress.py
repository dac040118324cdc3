"""How far a study has come: its images by state, its cells, and when somebody last worked on it."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max

from annotation.models import Cell, Membership, Operation, Role, SmearImage, Study


@dataclass(frozen=True)
class StudyProgress:
    study: Study
    role: Role
    # Number of images by state value, every state present.
    states: dict[str, int]
    # Borders that a person or an import stands for, ignored regions left out.
    cells: int
    # The last change to a border or arrival of an image; None in an empty study.
    last_activity: datetime | None
    # Unfinished images that are assigned to whoever looks.
    own: int = 0

    @property
    def images(self) -> int:
        return sum(self.states.values())

    @property
    def finished(self) -> int:
        return sum(self.states[state] for state in SmearImage.FINISHED)

    @property
    def percent(self) -> int:
        """Finished images in whole percent, rounded down: 100 means that none is left."""
        return 100 * self.finished // self.images if self.images else 0

    @property
    def segments(self) -> list[dict[str, Any]]:
        """The bar of states: for each state that has images its start and length, in images."""
        start, segments = 0, []
        for state in reversed(SmearImage.State):
            length = self.states[state]
            if length:
                segments.append({"state": state.value, "label": state.label, "start": start, "length": length})
            start += length
        return segments


def progress_of_studies(user: Any, study: Study | None = None) -> list[StudyProgress]:
    """Progress of all studies that the user may see (or of one of them), by name. Seven queries at most."""
    visible = Study.objects.visible_to(user)
    studies = list(visible.filter(pk=study.pk) if study else visible)
    keys = [each.pk for each in studies]
    roles = dict(Membership.objects.filter(user=user, study__in=keys).values_list("study", "role"))

    states: dict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(SmearImage.State.values, 0))
    latest: dict[int, datetime] = {}
    images = SmearImage.objects.filter(study__in=keys).order_by()
    for key, state, number, arrived in images.values_list("study", "state").annotate(Count("pk"), Max("created_at")):
        states[key][state] = number
        latest[key] = max(arrived, latest.get(key, arrived))
    unfinished = images.exclude(state__in=SmearImage.FINISHED).filter(assignee=user)
    own = dict(unfinished.values_list("study").annotate(Count("pk")))
    operations = Operation.objects.filter(image__study__in=keys).order_by()
    for key, changed in operations.values_list("image__study").annotate(Max("created_at")):
        latest[key] = max(changed, latest.get(key, changed))
    confirmed = Cell.objects.confirmed().filter(image__study__in=keys, ignored=False).order_by()
    cells = dict(confirmed.values_list("image__study").annotate(Count("pk")))

    return [
        StudyProgress(
            study=each,
            role=Role.ADMIN if user.is_superuser else Role(roles[each.pk]),
            states=states[each.pk],
            cells=cells.get(each.pk, 0),
            last_activity=latest.get(each.pk),
            own=own.get(each.pk, 0),
        )
        for each in studies
    ]
