"""What the page of a search shows of its row and of the round's."""

from dataclasses import dataclass
from typing import Any

from training.models import JobState, Round
from training.search_jobs import helpers_at_work
from training.views.round_page import duration
from training.views.search_kinds import ALL, Searched, scope_words, searched_of
from training.views.search_plots import setting_plots, value_plot

STATES = {
    "waiting": "Waiting",
    "running": "Running",
    "complete": "Done",
    "pruned": "Ended early",
    "failed": "Failed",
}
# Heights and widths of the plot of importance, in units of its viewBox.
BAR, GAP, NAMES, BARS = 16, 8, 170, 250


@dataclass(frozen=True)
class Row:
    """One trial of the table; `place` counts from 1."""

    place: int
    trial: dict[str, Any]
    state: str
    took: str
    settings: list[str]
    note: str
    best: bool


@dataclass(frozen=True)
class Bar:
    """One bar of the plot of importance."""

    name: str
    share: float
    y: int
    width: float

    @property
    def end(self) -> float:
        """Where its number stands."""
        return NAMES + self.width + 6


@dataclass(frozen=True)
class Scope:
    """One of the searches of a round that is cross-validated: in all patients, or in those outside a fold. value,
    given: None before there is any."""

    name: str
    words: str
    patients: int | None
    done: int
    value: float | None
    given: float | None
    settings: str


def trials_shown(round_: Round) -> list[dict[str, Any]]:
    """All trials in the order in which they began; [] before the search has begun. Costs one query."""
    search = getattr(round_, "search", None)
    return search.trials if search is not None else []


def search_context(round_: Round, wanted: str = "") -> dict[str, Any]:
    """Everything of templates/training/search.html but the study and the role; `wanted` is the search that is shown
    where each fold had one of its own. Costs a few small queries."""
    searched, trials = searched_of(round_), trials_shown(round_)
    scopes = scopes_shown(round_, trials) if searched.nested else []
    chosen = _chosen(scopes, wanted)
    trials = [trial for trial in trials if not scopes or trial["scope"] == chosen]
    complete = [trial for trial in trials if trial["state"] == "complete" and trial["value"] is not None]
    best = max(complete, key=lambda trial: (trial["value"], -trial["number"]), default=None)
    places = {trial["number"]: place for place, trial in enumerate(trials, 1)}
    names = [name for name in searched.titles if any(name in trial["settings"] for trial in trials)]
    searches = round_.state == JobState.RUNNING and "trials" in round_.progress
    found = round_.searched or {}
    importance = (found.get("importance") or {}) if chosen in ("", ALL) else {}
    return {
        "round": round_,
        "searched": searched,
        "scopes": scopes,
        "chosen": chosen,
        # Not the one that is chosen: whoever watches goes on to the next search with the round.
        "asked": wanted if wanted == chosen else "",
        "chosen_words": scope_words(chosen) if chosen else "",
        "planned": round_.progress.get("trials") or round_.trials,
        "searches": searches,
        "workers": 1 + helpers_at_work(round_) if searches else 0,
        "time_left": duration(round_.progress.get("eta_seconds")),
        "done": sum(trial["state"] in ("complete", "pruned") for trial in trials),
        "best": best,
        "best_place": places[best["number"]] if best else None,
        "best_settings": settings_shown(best, round_) if best else [],
        "given": next((t["value"] for t in trials if t["value"] is not None and _is_given(t)), None),
        "titles": [searched.titles[name].removesuffix(" augmentation") for name in names],
        "rows": [_row(place, trial, names, places, trial is best) for place, trial in enumerate(trials, 1)],
        "value_plot": value_plot(trials, searched),
        "setting_plots": setting_plots(trials, searched),
        "bars": bars_of(importance, searched),
        "bars_height": len(importance) * (BAR + GAP) + GAP,
        "found": found,
    }


def settings_shown(trial: dict[str, Any], round_: Round) -> list[tuple[str, Any, Any]]:
    """Title, value of the trial, and the value as given (None where there was none) of each setting."""
    shown = []
    for name, title in searched_of(round_).titles.items():
        if name in trial["settings"]:
            given = round_.settings.get(name)
            shown.append((title, _plain(name, trial["settings"][name]), _plain(name, given)))
    return shown


def _plain(name: str, value: Any) -> Any:
    # 0 means that the data decides.
    return "auto" if name in ("epochs", "penalty") and value is not None and not value else value


def scopes_shown(round_: Round, trials: list[dict[str, Any]]) -> list[Scope]:
    """All searches that have begun, that in all patients first."""
    found = (round_.searched or {}).get("scopes") or {}
    titles, shown = searched_of(round_).titles, []
    for name in sorted({trial["scope"] for trial in trials}, key=lambda name: (name != ALL, name)):
        own = [trial for trial in trials if trial["scope"] == name]
        known = [trial for trial in own if trial["value"] is not None]
        best = max(known, key=lambda trial: (trial["value"], -trial["number"]), default=None)
        took = best["settings"] if best and best["number"] else {}
        shown.append(
            Scope(
                name,
                scope_words(name),
                found.get(name, {}).get("patients"),
                len(own),
                best["value"] if best else None,
                next((trial["value"] for trial in own if trial["number"] == 0), None),
                ", ".join(f"{titles[each].lower()} {_short(value)}" for each, value in took.items()) or "as given",
            )
        )
    return shown


def _chosen(scopes: list[Scope], wanted: str) -> str:
    """The name of the search that is shown: the one asked for, else that in all patients, which comes last, else the
    one at hand; "" where there is one search."""
    names = [scope.name for scope in scopes]
    if wanted in names:
        return wanted
    return ALL if ALL in names else next(reversed(names), "")


def settings_to_copy(round_: Round) -> dict[str, Any]:
    """What the form of the next round is filled with: the settings that the search found, and what was set before it.

    Of a round without a search, what differs from the defaults. How it was split is the form's own question.
    """
    fields = searched_of(round_).fields
    own = {
        name: value
        for name, value in round_.settings.items()
        if name in fields and value != fields[name].default and name not in ("folds", "validation")
    }
    found = (round_.searched or {}).get("settings") or {}
    return own | {name: value for name, value in found.items() if name in fields}


def bars_of(importance: dict[str, float], searched: Searched) -> list[Bar]:
    most = max(importance.values(), default=0.0) or 1.0
    ordered = sorted(importance.items(), key=lambda item: -item[1])
    return [
        Bar(searched.titles.get(name, name), share, GAP + index * (BAR + GAP), round(BARS * share / most, 1))
        for index, (name, share) in enumerate(ordered)
    ]


def _is_given(trial: dict[str, Any]) -> bool:
    return trial["number"] == 0 or trial.get("retry_of") == 0


def _row(place: int, trial: dict[str, Any], names: list[str], places: dict[int, int], best: bool) -> Row:
    note = trial.get("problem", "")
    if trial.get("retry_of") is not None:
        note = f"trial {places.get(trial['retry_of'], '?')} once more" + (f"; {note}" if note else "")
    if _is_given(trial) and not note:
        note = "as given"
    values = [_short(_plain(name, trial["settings"].get(name))) for name in names]
    return Row(place, trial, STATES[trial["state"]], duration(trial["seconds"]), values, note, best)


def _short(value: Any) -> str:
    """As a table has it."""
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
