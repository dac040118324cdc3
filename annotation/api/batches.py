"""A batch of operations as it is sent: checked by hand, as a serializer is slower over 170 cells than the database."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from rest_framework.exceptions import ValidationError

from annotation.batch import Change
from annotation.models import Cell, Operation

MAX_OPERATIONS = 1_000
MAX_LABELS = 200
_MAX_VERSION = 2_000_000_000
_MAX_ID = 2**63 - 1
# Whoever labels does not decide what counts: that has an address and a permission of its own.
_KINDS = frozenset(Operation.Kind.values) - {Operation.Kind.ADJUDICATE.value}
_STATUSES = frozenset(Cell.Status.values)

_ID = {"type": "string", "format": "uuid"}
BATCH_SCHEMA = {
    "application/json": {
        "type": "object",
        "required": ["operations"],
        "properties": {
            "operations": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_OPERATIONS,
                "items": {
                    "type": "object",
                    "required": ["id", "kind", "cell", "version"],
                    "properties": {
                        "id": {**_ID, "description": "Made by the client; sending it again changes nothing."},
                        "kind": {"type": "string", "enum": sorted(_KINDS)},
                        "cell": {**_ID, "description": "Made by the client for a create."},
                        "version": {"type": "integer", "minimum": 0, "description": "0 for a create."},
                        "border": {"type": "object", "nullable": True},
                        "labels": {"type": "array", "items": {"type": "integer"}, "nullable": True},
                        "confidence": {
                            "type": "object",
                            "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
                            "description": "By label id; a label that is not named has none.",
                            "nullable": True,
                        },
                        "texts": {
                            "type": "object",
                            "additionalProperties": {"type": "string", "maxLength": 2000},
                            "description": "By the id of the text attribute; one that is not named has none.",
                            "nullable": True,
                        },
                        "status": {"type": "string", "enum": sorted(_STATUSES), "nullable": True},
                    },
                },
            }
        },
    }
}


class _Malformed(Exception):
    """What is wrong with one operation, in one sentence."""


def changes_of(body: Any) -> list[Change]:
    """The changes that a request's body asks for. Raises ValidationError, which names the operation by its place.

    Whether a border, a confidence or a text can be kept is decided as the operation is applied, so that the others
    stand.
    """
    operations = body.get("operations") if isinstance(body, Mapping) else None
    if not isinstance(operations, list) or not 1 <= len(operations) <= MAX_OPERATIONS:
        raise ValidationError({"operations": [f"Send a list of 1 to {MAX_OPERATIONS:,} operations."]})
    changes = []
    for place, asked in enumerate(operations, start=1):
        try:
            changes.append(_change(asked))
        except _Malformed as fault:
            raise ValidationError({"operations": [f"Operation {place}: {fault}"]}) from None
    return changes


def _change(asked: Any) -> Change:
    if not isinstance(asked, dict):
        raise _Malformed("It must be an object.")
    kind, version, status = asked.get("kind"), asked.get("version"), asked.get("status")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise _Malformed(f"Its kind is one of {', '.join(sorted(_KINDS))}.")
    if type(version) is not int or not 0 <= version <= _MAX_VERSION:
        raise _Malformed("Its version must be a whole number from 0.")
    if status is not None and (not isinstance(status, str) or status not in _STATUSES):
        raise _Malformed(f"Its status is one of {', '.join(sorted(_STATUSES))}.")
    return Change(
        id=_uuid(asked.get("id"), "id"),
        kind=kind,
        cell=_uuid(asked.get("cell"), "cell"),
        version=version,
        border=asked.get("border"),
        labels=_labels(asked.get("labels")),
        status=status,
        confidence=_by_id(asked.get("confidence"), "confidence", (int, float), "numbers by label id"),
        texts=_by_id(asked.get("texts"), "texts", (str,), "texts by the id of their attribute"),
    )


def _uuid(value: Any, name: str) -> UUID:
    try:
        if isinstance(value, str):
            return UUID(value)
    except ValueError:
        pass
    raise _Malformed(f"Its {name} must be a UUID.")


def _labels(value: Any) -> list[int] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MAX_LABELS:
        raise _Malformed(f"Its labels must be a list of at most {MAX_LABELS} label ids.")
    if not all(type(label) is int and 0 <= label <= _MAX_ID for label in value):
        raise _Malformed("Its labels must be label ids.")
    return value


def _by_id(value: Any, name: str, types: Sequence[type], what: str) -> dict[int, Any] | None:
    """A JSON object with ids as its keys. Numbers may be NaN here: whoever applies the operation refuses them."""
    if value is None:
        return None
    if not isinstance(value, dict) or len(value) > MAX_LABELS:
        raise _Malformed(f"Its {name} must be an object of {what}, at most {MAX_LABELS}.")
    found: dict[int, Any] = {}
    for key, one in value.items():
        if not (key.isascii() and key.isdigit() and len(key) < 19) or type(one) not in types:
            raise _Malformed(f"Its {name} must be {what}.")
        found[int(key)] = one
    return found
