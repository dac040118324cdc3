"""What the pages of rounds show of a round's row."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from annotation.folds import fold_of
from annotation.models import Operation, SmearImage, Study
from training.classifier_settings import FIELDS as CLASSIFIER_FIELDS
from training.classifier_settings import decides
from training.data_changes import COUNTS, changes_in_words
from training.diagnosis_settings import fields_of
from training.launching import learned_cells
from training.models import JobState, Kind, Round
from training.selection import Selection
from training.settings import FIELDS
from training.views.plot import Plot, line_plot

# Lines of log that are shown while it grows; all of it once the round has ended.
LIVE_LOG_LINES = 24
METRIC_NAMES = {"map_50": "mAP@.5", "map": "mAP@[.5:.95]", "map_75": "mAP@.75", "mar": "recall (mAR)"}


@dataclass(frozen=True)
class FoldCount:
    """What one fold of a snapshot holds."""

    fold: int
    images: int
    cells: int


@dataclass(frozen=True)
class SinceLastRound:
    """What people have done since the newest successful round was launched; `round` None before the first."""

    round: Round | None
    finished: int
    new_images: int
    changes: int


def since_last_round(study: Study) -> SinceLastRound:
    """Costs three queries."""
    finished = SmearImage.objects.filter(study=study).finished().fields().count()
    succeeded = Round.objects.filter(study=study, kind=Kind.DETECTOR, state=JobState.SUCCEEDED)
    last = succeeded.defer("log", "curve").order_by("-number").first()
    if last is None:
        return SinceLastRound(None, finished, finished, 0)
    changes = Operation.objects.filter(
        image__study=study, image__state__in=SmearImage.FINISHED, created_at__gt=last.created_at
    ).count()
    return SinceLastRound(last, finished, max(0, finished - last.counts.get("images", 0)), changes)


def metrics_shown(metrics: dict[str, Any] | None) -> list[tuple[str, float | None]]:
    """Name and value in the order in which people read them."""
    return [(name, metrics.get(key)) for key, name in METRIC_NAMES.items()] if metrics else []


def fold_counts(round_: Round, folds: int) -> list[FoldCount]:
    """Images and cells of the snapshot in each of `folds` folds."""
    images: dict[int, int] = defaultdict(int)
    cells: dict[int, int] = defaultdict(int)
    for slot, held in round_.counts.get("slots", {}).items():
        fold = fold_of(int(slot), folds)
        images[fold] += held["images"]
        cells[fold] += held["cells"]
    return [FoldCount(fold, images[fold], cells[fold]) for fold in range(folds)]


def settings_shown(round_: Round) -> list[tuple[str, Any, str]]:
    """Name, value and what it is, in the order of training/settings.py or training/classifier_settings.py; a 0 that
    means "auto" says so. What decided nothing is left out."""
    fields = CLASSIFIER_FIELDS if round_.kind == Kind.CLASSIFIER else FIELDS
    if Kind(round_.kind).diagnoses:
        fields = fields_of(round_.kind)
    notes = {name: str(known.metadata.get("note", "")) for name, known in fields.items()}
    ordered = [name for name in fields if name in round_.settings]
    if round_.kind == Kind.CLASSIFIER:
        ordered = [name for name in ordered if decides(name, str(round_.settings.get("learns", "head")))]
    ordered += sorted(name for name in round_.settings if name not in fields)
    rows = []
    for name in ordered:
        value, note = round_.settings[name], notes.get(name, "")
        rows.append((name, "auto" if value == 0 and "auto:" in note else value, note))
    return rows


def loss_plot(round_: Round) -> Plot | None:
    return line_plot("Loss", _series(round_, "loss"), x_label="epoch", x_max=_epochs(round_))


def map_plot(round_: Round) -> Plot | None:
    return line_plot("mAP@.5", _series(round_, "map_50"), x_label="epoch", x_max=_epochs(round_), y_max=1.0)


def _series(round_: Round, value: str) -> dict[str, list[tuple[float, float]]]:
    found: dict[Any, list[tuple[float, float]]] = defaultdict(list)
    for point in round_.curve:
        if point.get(value) is not None:
            found[point.get("fold")].append((float(point["epoch"]), float(point[value])))
    alone = "refit on all" if len(found) > 1 else "training"
    return {alone if fold is None else f"fold {fold}": points for fold, points in found.items()}


def _epochs(round_: Round) -> float:
    return float(round_.progress.get("epochs") or round_.settings.get("epochs") or 1)


def log_shown(round_: Round) -> str:
    lines = round_.log.splitlines()
    return "\n".join(lines if round_.is_ended else lines[-LIVE_LOG_LINES:])


def duration(seconds: float | None) -> str:
    """As people say it: 40 s, 12 min, 1 h 5 min; empty for None."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def facts_context(round_: Round, user: Any) -> dict[str, Any]:
    """What templates/training/_round_facts.html and _round_beside.html say of a round that no longer changes while it
    is live. Costs three queries at most."""
    parent = round_.parent
    study = parent.study if parent and parent.study_id != round_.study_id else None
    return {
        "selection": selection_shown(round_),
        "settings_shown": settings_shown(round_),
        "versions_shown": sorted(((round_.bundle.card["versions"] if round_.bundle else {}) | round_.versions).items()),
        "parent_round": parent.rounds.defer("log", "curve").order_by("pk").first() if parent and not study else None,
        # Whoever is no member of that study is not told its name.
        "parent_elsewhere": study is not None,
        "parent_study": study if study and Study.objects.visible_to(user).filter(pk=study.pk).exists() else None,
        "peak_memory": f"{round_.peak_memory / 1024**3:.1f} GiB" if round_.peak_memory else "",
        "changes": changes_shown(round_),
        "beside": beside_shown(round_),
    }


def selection_shown(round_: Round) -> str:
    """What it learns from: a detector from images that are finished, a classifier from cells that are labelled."""
    selection = Selection.of(round_.selection)
    if round_.kind == Kind.DETECTOR:
        return selection.words
    if Kind(round_.kind).diagnoses:
        seen = "images" if round_.kind == Kind.IMAGE else "cells"
        return f"the {seen} of all patients" if not selection.patients else f"the {seen} of {selection.words}"
    return learned_cells(selection)


def changes_shown(round_: Round) -> dict[str, Any] | None:
    """What changed in the data since the round before, in words and by patient; None where nothing is known."""
    changes = round_.data_changes
    if not changes:
        return None
    shown = [name for name in COUNTS if changes.get(name)]
    return {
        "since": changes["since"],
        "round": _numbered(round_, changes["since"]),
        "words": changes_in_words(changes),
        "columns": [name.replace("_", " ") for name in shown],
        "patients": [(each["code"], [each.get(name, 0) for name in shown]) for each in changes["patients"]],
        "added": changes["added"],
        "removed": changes["removed"],
        "more_added": changes["images_added"] - len(changes["added"]),
        "more_removed": changes["images_removed"] - len(changes["removed"]),
    }


def beside_shown(round_: Round) -> dict[str, Any] | None:
    """The round's metrics beside an earlier one's, on what judged both: of a detector on images (`rows`), else on cells
    or patients by class (`classes`). None where there is none earlier."""
    found = round_.comparison
    if not found:
        return None
    if found["beside"] is None:
        return {"previous": found["previous"]}
    shown = {**found, "round": _numbered(round_, found["beside"])}
    if "classes" in found:
        shown["noun"] = "patient" if Kind(round_.kind).diagnoses else "cell"
        return shown | {"classes": [_class_beside(each) for each in found["classes"]]}
    rows = []
    for key, name in METRIC_NAMES.items():
        now, before = found["now"].get(key), found["before"].get(key)
        # A difference is of what is shown, not of what was rounded away.
        change = None if now is None or before is None else round(round(now, 3) - round(before, 3), 3)
        rows.append({"name": name, "now": now, "before": before, "change": change, "signed": _signed(change)})
    return shown | {"rows": rows}


def _class_beside(each: Mapping[str, Any]) -> dict[str, Any]:
    change = each["change"]
    low, high = change["low"], change["high"]
    # A difference whose interval holds 0 is none that could be told from chance.
    sure = None if low is None or low <= 0 <= high else change["value"] > 0
    # Of a decision between two diagnoses the name says which; a class of several needs it said.
    of = each["of"] if each["of"] != each["name"] else ""
    signed = {"signed": _signed(change["value"]), "low": _signed(low), "high": _signed(high)}
    return {**each, "of": of, "sure": sure, **signed}


def _signed(change: float | None) -> str:
    return "" if change is None else f"{change:+.3f}".replace("-", "\u2212")


def _numbered(round_: Round, number: int) -> Round | None:
    return Round.objects.filter(study=round_.study_id, number=number).only("pk", "number", "study").first()


def round_context(round_: Round) -> dict[str, Any]:
    """Everything of templates/training/round.html but the study and the role. Costs one query while queued."""
    fraction = round_.progress.get("fraction")
    return {
        "round": round_,
        "took": duration(round_.seconds_taken),
        "before": round_.queued_before() if round_.state == JobState.QUEUED else None,
        "time_left": duration(round_.progress.get("eta_seconds")),
        "percent": None if fraction is None else round(100 * fraction),
        "plots": [plot for plot in (loss_plot(round_), map_plot(round_)) if plot],
        "log": log_shown(round_),
        "metrics": metrics_shown(round_.metrics),
        "folds": [(number, metrics_shown(fold)) for number, fold in enumerate(round_.folds)],
    }
