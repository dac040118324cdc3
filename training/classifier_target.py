"""What a classifier tells apart: the labels of a group, or one label from all others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class TargetError(ValueError):
    """A group or label that the study does not have; the message says so in one sentence."""


@dataclass(frozen=True)
class Target:
    """`label` of the group against all others, or, where it is None, the labels of the group."""

    group: str
    label: str | None = None

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Target":
        """From JSON, as Round.target and a bundle's card keep it. Raises TargetError for anything else."""
        group, label = content.get("group"), content.get("label")
        if not isinstance(group, str) or not (label is None or isinstance(label, str)):
            raise TargetError(f"What a classifier tells apart is a group and perhaps a label of it, not {content!r}.")
        return cls(group, label)

    def as_json(self) -> dict[str, str]:
        return {"group": self.group} if self.label is None else {"group": self.group, "label": self.label}

    @property
    def words(self) -> str:
        """As people say it: "Cell type", "Promyelocyte against all others"."""
        return self.group if self.label is None else f"{self.label} against all others"
