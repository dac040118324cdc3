"""The past of one cell, read from its operations: who did what when, and how the border looked then."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from annotation.blind_reading import hidden_cells
from annotation.borders import Border
from annotation.models import Cell, CellLabel, Label, LabelGroup, Operation, TextAttribute

Kind = Operation.Kind
Status = Cell.Status
_HIDDEN = "Labelled by somebody else: shown when you are done with your reading"
# A remark of two thousand characters is not a line of a history.
_SHORT = 60


@dataclass(frozen=True)
class CellVersion:
    """One version of a cell. user is None where nobody did it: a proposal or an import. labels as of then."""

    version: int
    at: datetime
    user: str | None
    what: str
    status: str
    border: Border
    labels: list[int]


@dataclass
class _Said:
    """What has been said about the cell so far: each annotator's last labels, the imported ones under None."""

    labels: dict[int | None, list[int]] = field(default_factory=dict)

    def say(self, user_id: int | None, labels: list[int], texts: Mapping[str, str]) -> None:
        """A choice takes the place of the annotator's earlier one and of the imported one; an empty one is none."""
        self.labels.pop(None, None)
        self.labels.pop(user_id, None)
        if labels or texts:
            self.labels[user_id] = labels

    @property
    def current(self) -> list[int]:
        # As label_choice has it: who spoke last. A dict keeps the order.
        return list(next(reversed(self.labels.values()), []))


def history(cell: Cell, viewer_id: int | None = None) -> list[CellVersion]:
    """Every version of a cell, newest first; the oldest is how it came: drawn, imported, or as it was proposed.

    To a viewer who is reading the cell blind it does not tell what others said of it, nor who. Six queries, however
    long the history. `cell` with its run and image.
    """
    operations = list(Operation.objects.filter(cell=cell).select_related("user").order_by("version", "created_at"))
    names = _Names(cell.image.study_id)
    blind = viewer_id is not None and hidden_cells(viewer_id).filter(cell=cell).exists()
    said = _Said({None: labels} if not blind and (labels := _imported_labels(cell)) else {})
    versions = [] if operations and operations[0].kind == Kind.CREATE else [_arrival(cell, operations, said)]
    for operation in operations:
        before = versions[-1] if versions else None
        hidden = blind and operation.kind in Operation.ABOUT_LABELS and operation.user_id != viewer_id
        if operation.kind == Kind.LABEL and not hidden:
            said.say(operation.user_id, operation.payload["labels"], operation.payload.get("texts", {}))
        versions.append(
            CellVersion(
                version=operation.version,
                at=operation.created_at,
                user=operation.user.get_username() if operation.user and not hidden else None,
                what=_HIDDEN if hidden else _what(operation, before, names),
                status=operation.payload["status"],
                border=operation.payload.get("border") or (before.border if before else cell.border),
                labels=said.current,
            )
        )
    return versions[::-1]


def _arrival(cell: Cell, operations: list[Operation], said: _Said) -> CellVersion:
    """How a cell came that nobody drew: its first version."""
    if cell.origin == Cell.Origin.PROPOSAL and cell.proposed_border is not None:
        what = f"Proposed by {cell.run.bundle}" if cell.run else "Proposed"
        return CellVersion(1, cell.created_at, None, what, Status.PROPOSED, cell.proposed_border, said.current)
    border = cell.border
    if operations:
        # The border that the first operation found is in the record that the database itself keeps.
        events = Cell.pgh_event_models["insert"].objects.filter(pgh_obj_id=cell.pk).order_by("pgh_id")  # type: ignore[attr-defined]
        border = events.values_list("border", flat=True).first() or border
    what = "Imported" if cell.origin == Cell.Origin.IMPORTED else "Drawn"
    return CellVersion(1, cell.created_at, None, what, Status.CONFIRMED, border, said.current)


def _imported_labels(cell: Cell) -> list[int]:
    events = CellLabel.pgh_event_models["insert"].objects  # type: ignore[attr-defined]
    imported = events.filter(cell_id=cell.pk, annotator__isnull=True, pgh_label="insert").order_by("pgh_id")
    return list(imported.values_list("label_id", flat=True))


class _Names:
    """Names of a study's labels, their groups, and text attributes."""

    def __init__(self, study_id: int) -> None:
        self.labels = dict(Label.objects.filter(group__study=study_id).values_list("pk", "name"))
        self.groups = dict(LabelGroup.objects.filter(study=study_id).values_list("pk", "name"))
        self.texts = dict(TextAttribute.objects.filter(study=study_id).values_list("pk", "name"))


def _what(operation: Operation, before: CellVersion | None, names: _Names) -> str:
    status = operation.payload["status"]
    if operation.kind == Kind.LABEL:
        return _labelled(operation.payload, names)
    if operation.kind == Kind.ADJUDICATE:
        return _decided(operation.payload, names)
    if operation.kind == Kind.DELETE and before is not None and before.status == Status.PROPOSED:
        return "Rejected"
    if operation.kind == Kind.RESTORE and status == Status.PROPOSED:
        return "Made a proposal again"
    words: dict[str, str] = {
        Kind.CREATE: "Drawn",
        Kind.RESHAPE: "Reshaped",
        Kind.ACCEPT: "Accepted",
        Kind.DELETE: "Deleted",
        Kind.RESTORE: "Restored",
    }
    return words[operation.kind]


def _labelled(payload: Mapping[str, Any], names: _Names) -> str:
    # Keys of JSON objects are texts.
    confidence = {int(key): value for key, value in payload.get("confidence", {}).items()}
    labels = []
    for label_id in payload["labels"]:
        sure = f" ({confidence[label_id]:.0%} sure)" if label_id in confidence else ""
        labels.append(names.labels.get(label_id, "a label since removed") + sure)
    parts = [f"Labelled: {', '.join(labels)}" if labels else "Labels taken off"]
    for key, text in payload.get("texts", {}).items():
        short = text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"
        parts.append(f"{names.texts.get(int(key), 'Text')}: {short}")
    return "; ".join(parts)


def _decided(payload: Mapping[str, Any], names: _Names) -> str:
    group = names.groups.get(payload["group"], "A group since removed")
    if payload["labels"] is None:
        what = "the decision is taken back"
    else:
        what = ", ".join(names.labels.get(one, "a label since removed") for one in payload["labels"]) or "none applies"
    return f"Decided, {group}: {what}" + (f" ({payload['note']})" if payload["note"] else "")
