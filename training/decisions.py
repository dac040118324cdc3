"""What a diagnosis decides between, and the sentence where a study's patients do not allow it. Free of Django."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from annotation.folds import fold_of
from training.settings import SettingsError

# As the rows of patients keep them (annotation/models/patient.py), and as people say them.
NAMES = {"apl": "APL", "non_apl_aml": "non-APL AML", "healthy": "healthy donor"}
# Whichever of these the patients allow.
USUAL = "apl/non_apl_aml, apl/healthy"


class DecisionError(ValueError):
    """The patients do not allow a decision; the message says why in one sentence."""


@dataclass(frozen=True)
class Decision:
    """Diagnoses to be told apart, two or more; the first is the one whose probability is said."""

    classes: tuple[str, ...]

    @property
    def name(self) -> str:
        """As people and tables say it: "APL vs non-APL AML"."""
        return " vs ".join(NAMES[each] for each in self.classes)


def parse_decisions(text: str) -> tuple[Decision, ...]:
    """Of "apl/non_apl_aml, apl/healthy". Raises SettingsError with one sentence."""
    found = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        classes = tuple(each.strip().lower().replace(" ", "_").replace("-", "_") for each in part.split("/"))
        unknown = [each for each in classes if each not in NAMES]
        if unknown or len(set(classes)) < 2 or len(set(classes)) < len(classes):
            raise SettingsError(
                f"A decision names two or more of {', '.join(NAMES)}, parted by a stroke, not {part!r}."
            )
        found.append(Decision(classes))
    if not found:
        raise SettingsError("A diagnosis needs a decision, such as apl/non_apl_aml.")
    return tuple(dict.fromkeys(found))


def decided(chances: Sequence[float], threshold: float) -> int:
    """Which of probabilities (K,) is said: the first from the threshold on, else the likeliest of the rest."""
    return 0 if chances[0] >= threshold else max(range(1, len(chances)), key=chances.__getitem__)


def offered() -> list[tuple[str, list[tuple[str, str]]]]:
    """All decisions, by the diagnosis whose probability they say: (its name, [(as parse_decisions reads it, what it is
    told from)])."""
    found = []
    for first, name in NAMES.items():
        others = [each for each in NAMES if each != first]
        own = [(f"{first}/{each}", f"against {NAMES[each]}") for each in others]
        words = " and ".join(NAMES[each] for each in others)
        found.append((name, [*own, ("/".join([first, *others]), f"against {words}, each by itself")]))
    return found


def names_of(text: str) -> tuple[str, ...]:
    """The names of decisions that are kept as text, in their order."""
    return tuple(decision.name for decision in parse_decisions(text))


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
    for each in decision.classes:
        own = [patient for patient, diagnosis in diagnoses.items() if diagnosis == each]
        if len(own) < k:
            count = "No patient" if not own else "One patient" if len(own) == 1 else f"Only {len(own)} patients"
            verb = "has" if len(own) < 2 else "have"
            raise DecisionError(
                f"{count} with {having} {verb} the diagnosis {NAMES[each]}, and {k} folds need {k}: patients never "
                "cross a split."
            )
        if len({fold_of(slots[patient], k) for patient in own}) < k:
            raise DecisionError(
                f"The patients with the diagnosis {NAMES[each]} do not fill {k} folds: add patients, or ask for "
                "another number of folds."
            )
