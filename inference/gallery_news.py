"""What happens while a gallery is open: other people's changes, and heads that learn from labels."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User

from annotation.models import LabelGroup, Operation, Study
from inference.interactive import status_of

# Whoever was away for longer sees the others' changes when the cells are fetched again.
_MOST = 1_000


def changed_since(study: Study, at: datetime) -> dict[UUID, int]:
    """The cells of a study that people changed after a time, and the version that each has by now. One query.

    Asked person by person: what somebody did last is found by an index, what was done in a study is not.
    """
    people = User.objects.filter(is_active=True).values("pk")
    operations = Operation.objects.filter(user__in=people, created_at__gt=at, image__study=study)
    versions: dict[UUID, int] = {}
    for cell, version in operations.order_by("-created_at").values_list("cell_id", "version")[:_MOST]:
        versions[cell] = max(version, versions.get(cell, 0))
    return versions


def heads_json(study: Study) -> list[dict[str, Any]]:
    """How the heads of each label group stand (interactive.Status). Three queries a group."""
    return [
        {"group": group.pk, "name": group.name, **asdict(status_of(study, group))}
        for group in LabelGroup.objects.filter(study=study)
    ]
