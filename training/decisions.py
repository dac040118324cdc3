"""What a diagnosis decides between, and the sentence where a study's patients do not allow it. Free of Django."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotation.diagnoses import USUAL as USUAL_DIAGNOSES
from annotation.diagnoses import VERSUS, Diagnoses
from annotation.folds import fold_of
from training.settings import SettingsError

# Whichever of these the patients allow.
USUAL = "apl/non_apl_aml, apl/healthy"


# As columns keep the name of a decision.
LONGEST = 200


class DecisionError(ValueError):
    """The patients do not allow a decision; the message says why in one sentence."""


@dataclass(frozen=True)
class Decision:
    """Diagnoses to be told apart, two or more, by their keys in a study and their names there when it was made; the
    first is the one whose probability is said."""

    classes: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def among(cls, classes: Sequence[str], diagnoses: Diagnoses) -> "Decision":
        """Of keys. Raises DiagnosesError for one that the study does not have."""
        return cls(tuple(classes), tuple(diagnoses[each].name for each in classes))

    @classmethod
    def stated(cls, content: Mapping[str, Any]) -> "Decision":
        """As a bundle's card states it; its name holds those that it was taught with."""
        return cls(tuple(content["classes"]), names_in(content["name"]))

    @property
    def name(self) -> str:
        """As people and tables say it: "APL vs non-APL AML"."""
        return VERSUS.join(self.names)

    @property
    def text(self) -> str:
        """As parse_decisions reads it: "apl/non_apl_aml"."""
        return "/".join(self.classes)


def names_in(name: str) -> tuple[str, ...]:
    """Of a decision's name those of its diagnoses."""
    return tuple(name.split(VERSUS))


def parse_decisions(text: str, diagnoses: Diagnoses) -> tuple[Decision, ...]:
    """Of "apl/non_apl_aml, apl/healthy", keys or names of such diagnoses. Raises SettingsError with one sentence."""
    found = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        classes = [diagnoses.find(each) or "" for each in part.split("/")]
        if any(each not in diagnoses for each in classes) or len(set(classes)) < max(2, len(classes)):
            raise SettingsError(
                f"A decision names two or more of {', '.join(row.key for row in diagnoses)}, parted by a stroke, not "
                f"{part!r}."
            )
        found.append(Decision.among(classes, diagnoses))
        if len(found[-1].name) > LONGEST:
            raise SettingsError(f"The decision {part!r} is longer than {LONGEST} letters: it names too many diagnoses.")
    if not found:
        raise SettingsError(f"A diagnosis needs a decision, such as {'/'.join(row.key for row in diagnoses)}.")
    return tuple(dict.fromkeys(found))


def asked_of(manifest: Mapping[str, Any], text: str) -> tuple[Decision, ...]:
    """Decisions between the diagnoses of the study that a snapshot was made of; those made before studies had their own
    hold the usual ones. Raises SettingsError."""
    rows = manifest.get("diagnoses")
    return parse_decisions(text, USUAL_DIAGNOSES if rows is None else Diagnoses.of(rows))


def decided(chances: Sequence[float], threshold: float) -> int:
    """Which of probabilities (K,) is said: the first from the threshold on, else the likeliest of the rest."""
    return 0 if chances[0] >= threshold else max(range(1, len(chances)), key=chances.__getitem__)


def allowed(
    decisions: Sequence[Decision],
    diagnoses: Mapping[str, str],
    slots: Mapping[str, int],
    k: int,
    having: str = "cells",
) -> tuple[tuple[Decision, ...], dict[str, str]]:
    """The decisions that patients `having` cells or images, by their diagnoses and slots, can train and judge in k
    folds, and by name why the others are left out. Raises DecisionError where none is left."""
    kept, left_out = [], {}
    for decision in decisions:
        try:
            _check(decision, diagnoses, slots, k, having)
        except DecisionError as problem:
            left_out[decision.name] = str(problem)
        else:
            kept.append(decision)
    if not kept:
        raise DecisionError(next(iter(left_out.values())))
    return tuple(kept), left_out


def _check(decision: Decision, diagnoses: Mapping[str, str], slots: Mapping[str, int], k: int, having: str) -> None:
    for each, name in zip(decision.classes, decision.names, strict=True):
        own = [patient for patient, diagnosis in diagnoses.items() if diagnosis == each]
        if len(own) < k:
            count = "No patient" if not own else "One patient" if len(own) == 1 else f"Only {len(own)} patients"
            verb = "has" if len(own) < 2 else "have"
            raise DecisionError(
                f"{count} with {having} {verb} the diagnosis {name}, and {k} folds need {k}: patients never "
                "cross a split."
            )
        if len({fold_of(slots[patient], k) for patient in own}) < k:
            raise DecisionError(
                f"The patients with the diagnosis {name} do not fill {k} folds: add patients, or ask for "
                "another number of folds."
            )
