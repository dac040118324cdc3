"""Which of a study's finished images a round learns from: by state, by patient, by label, or all of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotation.models import Label, Patient, SmearImage, Study
from annotation.models.image import ImageQuerySet

ALL = "finished"
STATES = {
    ALL: "annotated and reviewed",
    SmearImage.State.REVIEWED.value: "reviewed",
    SmearImage.State.ANNOTATED.value: "annotated and not yet reviewed",
}
# As many names as a sentence holds.
NAMED = 6


class SelectionError(ValueError):
    """A selection that makes no sense for the study; the message says why in one sentence."""


@dataclass(frozen=True)
class Selection:
    """`patients` are codes and `labels` names, of which each image must have one; empty, they choose nothing out."""

    state: str = ALL
    patients: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise SelectionError(f"Images are selected by the state {', '.join(STATES)}, not {self.state!r}.")
        # One order, so that the same choice is the same selection.
        for name in ("patients", "labels"):
            object.__setattr__(self, name, tuple(sorted({value.strip() for value in getattr(self, name)} - {""})))

    @classmethod
    def of(cls, content: Mapping[str, Any] | None) -> "Selection":
        """From JSON, as a round keeps it and the API takes it. Raises SelectionError for what it does not know."""
        if content is None:
            return cls()
        if not isinstance(content, Mapping):
            raise SelectionError("A selection is an object with state, patients and labels.")
        unknown = sorted(set(content) - {"state", "patients", "labels"})
        if unknown:
            raise SelectionError(f"A selection has state, patients and labels, not {unknown[0]!r}.")
        if not isinstance(content.get("state", ALL), str):
            raise SelectionError("The state of a selection is a word.")
        lists: dict[str, tuple[str, ...]] = {}
        for name in ("patients", "labels"):
            values = content.get(name, [])
            if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
                raise SelectionError(f"The {name} of a selection are a list of names.")
            lists[name] = tuple(values)
        return cls(content.get("state", ALL), **lists)

    def as_json(self) -> dict[str, Any]:
        """What `of` reads; {} for all finished images."""
        found: dict[str, Any] = {} if self.state == ALL else {"state": self.state}
        return found | {name: list(value) for name in ("patients", "labels") if (value := getattr(self, name))}

    def check(self, study: Study) -> None:
        """Raise SelectionError for a patient or label that the study does not have. Costs up to two queries."""
        for names, known, noun in (
            (self.patients, Patient.objects.filter(study=study, code__in=self.patients).values_list("code"), "patient"),
            (self.labels, Label.objects.filter(group__study=study, name__in=self.labels).values_list("name"), "label"),
        ):
            missing = sorted(set(names) - {row[0] for row in known}) if names else []
            if missing:
                raise SelectionError(f"The study {study.name} has no {noun} {missing[0]!r}.")

    def images(self, study: Study) -> ImageQuerySet:
        """The study's finished images of its state and patients; those without its labels are still among them."""
        chosen = SmearImage.objects.filter(study=study).finished()
        if self.state != ALL:
            chosen = chosen.filter(state=self.state)
        if self.patients:
            chosen = chosen.filter(patient__code__in=self.patients)
        return chosen

    def wants(self, labels: Iterable[Iterable[str]]) -> bool:
        """Whether an image whose cells carry these labels is one of them."""
        return not self.labels or any(not set(self.labels).isdisjoint(own) for own in labels)

    @property
    def words(self) -> str:
        """As people say it: "reviewed images of the patients A and B that hold a cell labelled Myeloblast"."""
        said = f"{STATES[self.state]} images"
        if self.state == ALL and (self.patients or self.labels):
            said = "finished images"
        elif self.state == ALL:
            return "all annotated and reviewed images"
        if self.patients:
            said += f" of the patient{'s' if len(self.patients) > 1 else ''} {_listed(self.patients, 'and')}"
        if self.labels:
            said += f" that hold a cell labelled {_listed(self.labels, 'or')}"
        return said


def _listed(names: Sequence[str], last: str) -> str:
    if len(names) > NAMED:
        names = [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"]
        last = "and" if last == "and" else "or one of"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"
