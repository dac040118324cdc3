"""The search for settings of a round that is cross-validated by patient: before a chain or a head is taught, trials try
other settings inside the very patients that teach it.

**Where.** There is one search for each fold, in the patients outside it, and one in all patients, whose settings are
those of what is used. So whoever judges a fold took no part in choosing the settings of what it judges (nested
cross-validation, decision 8 of DESIGN.md), and what the folds say is what searching and teaching give together.

**What a trial is worth.** The patients of a search are parted once more, by patient; each part is judged by what was
taught on the others with the trial's settings, and the value is the AUROC of all parts together, as the mean over what
is told apart. The first trial has the settings as given, so that nothing is taken that did no better than those.

**Who draws.** Optuna's TPE (Akiba et al. 2019), seeded for each trial anew by the round's seed, the search and the
number of the trial; trials that have ended are written down. So a process that goes on draws what the killed one would
have drawn. Free of torch and Django.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import get_param_importances
from optuna.samplers import TPESampler
from optuna.trial import TrialState, create_trial

from training.contract import content_hash, write_json
from training.crop_features import Stopped
from training.inner_space import Options, Space, space_of
from training.search_space import Dimension, SearchError

TRIALS = "trials.json"
# The search in all patients.
ALL = "all"
# So many are drawn at random before the sampler has learned something.
RANDOM_TRIALS = 8
# Fewer trials say nothing of which setting matters.
_TOLD_FROM = 4

optuna.logging.set_verbosity(optuna.logging.ERROR)

S = TypeVar("S")
T = TypeVar("T")
Tell = Callable[[dict[str, Any]], None]
Wanted = Callable[[], bool]


# The AUROC of settings on patients that were set aside; NaN where nothing can be said. May raise Stopped.
Judge = Callable[[S], float]


@dataclass(frozen=True)
class Scope(Generic[S]):
    """One search: its name (the number of the fold that takes no part, or ALL), how many patients take part, and what
    makes its judge, which may cost seconds."""

    name: str
    patients: int
    judge: Callable[[], Judge[S]]

    @property
    def words(self) -> str:
        return "in all patients" if self.name == ALL else f"without fold {self.name}"


@dataclass(frozen=True)
class Found(Generic[S]):
    """What a search found. chosen: the settings by name that the best trial drew, none where no trial did better than
    those as given. rows: its trials, as a page shows them."""

    scope: str
    patients: int
    settings: S
    chosen: Mapping[str, Any]
    trial: int
    value: float
    given: float | None
    rows: Sequence[Mapping[str, Any]]


def search(
    settings: S,
    scopes: Sequence[Scope[S]],
    trials: int,
    *,
    seed: int,
    keep: Path,
    identity: Mapping[str, Any],
    tell: Tell = lambda event: None,
    wanted: Wanted = lambda: True,
) -> dict[str, Found[S]]:
    """By the name of each scope what its trials found. Those that have ended stand in the file `keep`, and are not
    made again for the same `identity`. Raises SearchError where no trial of a scope could be judged, Stopped where it
    is no longer wanted."""
    kept = _Kept.open(keep, content_hash({**identity, "settings": asdict(settings), "seed": seed}))  # type: ignore[call-overload]
    clock = _Clock(len(scopes) * trials)
    found = {}
    for scope in scopes:
        found[scope.name] = _searched(settings, scope, trials, seed, kept, clock, tell, wanted)
        best = found[scope.name]
        gain = "" if best.given is None else f" (the settings as given: {best.given:.3f})"
        took = "the settings as given" if not best.chosen else f"trial {best.trial + 1}"
        tell(
            {
                "event": "log",
                "message": f"Searched {scope.words}: {took} of {trials} trials, AUROC {best.value:.3f}{gain}.",
            }
        )
    tell({"event": "searched"})
    return found


@dataclass(frozen=True)
class Searched(Generic[S, T]):
    """What came of a round's search: the settings that all patients found; what each search found, in the kind's own
    terms, by its name; what is told of it, and all trials for the card."""

    settings: S
    own: Mapping[str, T]
    told: Mapping[str, Any]
    trials: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, found: Mapping[str, Found[S]], own: Mapping[str, T]) -> "Searched[S, T]":
        return cls(found[ALL].settings, own, told(found), trials_of(found))


def told(found: Mapping[str, Found[Any]]) -> dict[str, Any]:
    """What the round's row keeps (Round.searched), and the bundle's card beside all trials: of the search in all
    patients {"trial", "value", "settings", "given", "done", "failed", "patients", "importance"}, and of each search by
    its name the same in short."""
    whole = found[ALL]
    rows = [row for each in found.values() for row in each.rows]
    return {
        "measure": "auroc",
        **_short(whole),
        "done": sum(row["state"] == "complete" for row in rows),
        "pruned": 0,
        "failed": sum(row["state"] == "failed" for row in rows),
        "importance": _importance(whole.rows),
        "scopes": {name: _short(each) for name, each in found.items()},
    }


def trials_of(found: Mapping[str, Found[Any]]) -> list[dict[str, Any]]:
    """All trials for a bundle's card: without seconds, which no two machines share."""
    return [
        {name: row[name] for name in ("scope", "number", "state", "value", "settings")}
        for each in found.values()
        for row in each.rows
    ]


def _short(found: Found[Any]) -> dict[str, Any]:
    return {
        "trial": found.trial,
        "value": round(found.value, 4),
        "given": None if found.given is None else round(found.given, 4),
        "settings": dict(found.chosen),
        "patients": found.patients,
    }


def _searched(
    settings: S,
    scope: Scope[S],
    trials: int,
    seed: int,
    kept: "_Kept",
    clock: "_Clock",
    tell: Tell,
    wanted: Wanted,
) -> Found[S]:
    space = space_of(settings)
    study = optuna.create_study(direction="maximize")
    rows = kept.of(scope.name)[:trials]
    for row in rows:
        _remember(study, space, row)
        clock.passed()
    judge: Judge[S] | None = None
    while len(rows) < trials:
        if not wanted():
            raise Stopped
        best = max((row["value"] for row in rows if row["value"] is not None), default=None)
        event = {"event": "trial", **clock.present(), "best": best}
        tell({key: value for key, value in event.items() if value is not None})
        began = time.monotonic()
        judge = judge or scope.judge()
        number = len(rows)
        study.sampler = _sampler(seed, scope.name, number)
        drawn = _drawn(study, space) if number else {}
        value = judge(replace(settings, **drawn))  # type: ignore[type-var]
        point = drawn or {each.name: getattr(settings, each.name) for each in space}
        row = {
            "scope": scope.name,
            "number": number,
            "state": "failed" if math.isnan(value) else "complete",
            "value": None if math.isnan(value) else round(value, 6),
            "settings": point,
            "seconds": round(time.monotonic() - began, 1),
        }
        rows.append(row)
        _remember(study, space, row)
        kept.add(row)
        clock.passed()
    return _found(settings, scope, rows)


def _found(settings: S, scope: Scope[S], rows: Sequence[Mapping[str, Any]]) -> Found[S]:
    known = [row for row in rows if row["value"] is not None]
    if not known:
        raise SearchError(f"The search {scope.words} found nothing: no trial could be judged.")
    best = max(known, key=lambda row: (row["value"], -row["number"]))
    chosen = dict(best["settings"]) if best["number"] else {}
    given = rows[0]["value"]
    own = replace(settings, **chosen)  # type: ignore[type-var]
    return Found(scope.name, scope.patients, own, chosen, best["number"], best["value"], given, tuple(rows))


def _drawn(study: optuna.Study, space: Space) -> dict[str, Any]:
    trial = study.ask(_distributions(space))
    drawn = dict(trial.params)
    # Told of by _remember, as those of an earlier process are: one way for both.
    study.tell(trial, state=TrialState.FAIL)
    return {name: float(f"{value:.3g}") if isinstance(value, float) else value for name, value in drawn.items()}


def _distributions(space: Space) -> dict[str, BaseDistribution]:
    found: dict[str, BaseDistribution] = {}
    for each in space:
        if isinstance(each, Options):
            found[each.name] = CategoricalDistribution(each.choices)
        elif each.whole:
            found[each.name] = IntDistribution(int(each.low), int(each.high), log=each.log)
        else:
            found[each.name] = FloatDistribution(each.low, each.high, log=each.log)
    return found


def _remember(study: optuna.Study, space: Space, row: Mapping[str, Any]) -> None:
    if row["value"] is None:
        return
    # The settings as given may lie outside of the space, or be chosen by the data: the nearest point stands for them.
    point = {each.name: _within(each, row["settings"][each.name]) for each in space}
    study.add_trial(create_trial(params=point, distributions=_distributions(space), value=row["value"]))


def _within(each: Dimension | Options, value: Any) -> Any:
    if isinstance(each, Options):
        return value if value in each.choices else each.choices[0]
    inside = min(max(value, each.low), each.high)
    return int(inside) if each.whole else float(inside)


def _sampler(seed: int, scope: str, number: int) -> TPESampler:
    digest = hashlib.sha256(f"{seed} {scope} {number}".encode()).digest()
    return TPESampler(n_startup_trials=RANDOM_TRIALS, multivariate=True, seed=int.from_bytes(digest[:4], "big"))


def _importance(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The share of each setting in how trials differ (PED-ANOVA), greatest first; empty for too few trials."""
    known = [row for row in rows if row["value"] is not None]
    if len(known) <= _TOLD_FROM or len({row["value"] for row in known}) < 2:
        return {}
    study = optuna.create_study(direction="maximize")
    # Not the first, whose settings may lie outside of what is drawn.
    for row in known[1:]:
        distributions = {
            name: _around(name, [each["settings"][name] for each in known[1:]]) for name in row["settings"]
        }
        study.add_trial(create_trial(params=dict(row["settings"]), distributions=distributions, value=row["value"]))
    try:
        return {name: round(share, 4) for name, share in get_param_importances(study).items()}
    except (RuntimeError, ValueError):
        return {}


def _around(name: str, values: Sequence[Any]) -> BaseDistribution:
    if isinstance(values[0], str):
        return CategoricalDistribution(sorted(set(values)))
    if all(isinstance(value, int) for value in values):
        return IntDistribution(min(values), max(values))
    return FloatDistribution(min(values), max(values))


@dataclass
class _Kept:
    """The trials that have ended, in a file."""

    path: Path
    key: str
    rows: list[dict[str, Any]]

    @classmethod
    def open(cls, path: Path, key: str) -> "_Kept":
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["key"] == key:
                return cls(path, key, list(content["trials"]))
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return cls(path, key, [])

    def of(self, scope: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["scope"] == scope]

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        write_json(self.path, {"key": self.key, "trials": self.rows})


class _Clock:
    """How far all searches of a round are."""

    def __init__(self, trials: int) -> None:
        self._trials, self._done, self._made = trials, 0, 0
        self._began = time.monotonic()

    def passed(self) -> None:
        self._done += 1

    def present(self) -> dict[str, Any]:
        """Called as a trial begins."""
        elapsed = time.monotonic() - self._began
        eta = elapsed / self._made * (self._trials - self._done) if self._made else None
        self._made += 1
        return {
            "trial": self._done + 1,
            "trials": self._trials,
            "eta_seconds": None if eta is None else round(eta, 1),
        }
