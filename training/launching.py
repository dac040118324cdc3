"""Launching a round, and resuming one: the page, the API and the command line all come through here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

from annotation.models import Study
from training.beside_previous import changes_since_previous
from training.classifier_folds import FoldsError
from training.classifier_freeze import freeze_labelled
from training.classifier_lesson import lesson_of
from training.classifier_settings import ClassifierSettings, resolve_classifier_settings
from training.classifier_target import Target
from training.decisions import DecisionError, parse_decisions
from training.diagnosis_freeze import freeze_patients
from training.diagnosis_lesson import diagnosis_lesson
from training.diagnosis_settings import DiagnosisSettings, resolve_diagnosis_settings
from training.freeze import FrozenSnapshot, RoundRefused, freeze
from training.image_freeze import freeze_images
from training.image_lesson import image_lesson
from training.inner_space import check_inner_trials
from training.models import LIVE, Kind, Round
from training.parent_choice import AUTO, choose_parent
from training.search_space import check_trials
from training.selection import Selection
from training.settings import resolve_settings
from training.unchanged import refuse_unchanged, refuse_unchanged_lesson


def launch(
    study: Study,
    user: Any = None,
    settings: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    parent: str | None = AUTO,
    selection: Selection | None = None,
    trials: int = 0,
    again: bool = False,
    at_once: bool = False,
) -> Round:
    """Freeze the study's finished images, or those selected, and queue a round on them; `at_once` claims it for the
    caller instead.

    `settings` are those that differ from the defaults, as typed values or as text. `parent` is the id of a bundle
    (training/parent_choice.py), AUTO, or None for none. `trials` search for settings before. `again` trains also what
    an earlier round has learned already. Raises RoundRefused with one sentence where no round can be trained on the
    study now (RoundUnchanged where there is nothing new to learn), and SettingsError for settings that make no sense;
    no round is left behind then.
    """
    resolved = resolve_settings(settings or {})
    check_trials(trials, resolved)
    chosen_images = selection or Selection()
    Round.bury_dead()
    _refuse_beside_live(study, Kind.DETECTOR)
    # Not within the transaction below: people would wait until the files are written too.
    frozen = freeze(study, chosen_images)
    try:
        with transaction.atomic():
            _one_at_a_time(study, Kind.DETECTOR)
            chosen, note = choose_parent(study, parent, frozen, resolved, user)
            if not again:
                refuse_unchanged(
                    study,
                    frozen,
                    resolved,
                    seed=seed,
                    trials=trials,
                    parent=chosen,
                    start_is_auto=parent == AUTO,
                )
            return _begin(
                study,
                frozen,
                at_once,
                requested_by=user,
                settings=resolved.as_dict(),
                seed=seed,
                selection=chosen_images.as_json(),
                trials=trials,
                data_changes=changes_since_previous(study, frozen),
                parent=chosen,
                log=f"Learns from {chosen_images.words}.\n{note}\n",
            )
    except IntegrityError as error:
        raise RoundRefused("Another round of this study has just been launched.") from error


def launch_classifier(
    study: Study,
    target: Target,
    user: Any = None,
    settings: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    selection: Selection | None = None,
    trials: int = 0,
    again: bool = False,
    at_once: bool = False,
) -> Round:
    """Freeze the study's labelled cells, or those of the patients and states selected, and queue a round that tells
    the target apart. Arguments and errors as those of launch."""
    resolved = resolve_classifier_settings(settings or {})
    chosen = selection or Selection()
    asked = _Asked(user, seed, chosen, trials, again, at_once)
    return _launched(
        study,
        Kind.CLASSIFIER,
        asked,
        resolved,
        lambda: freeze_labelled(study, target, chosen),
        lambda manifest: lesson_of(manifest, target, resolved.folds),
        target=target.as_json(),
        log=f"Learns from {learned_cells(chosen)}.\n",
    )


def launch_diagnosis(
    study: Study,
    kind: Kind,
    user: Any = None,
    settings: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    selection: Selection | None = None,
    trials: int = 0,
    again: bool = False,
    at_once: bool = False,
) -> Round:
    """Freeze what the study's patients, or those selected, have of what a kind that diagnoses looks at, and queue its
    round; it decides what the study does unless the settings say otherwise. Arguments and errors as those of launch."""
    resolved = resolve_diagnosis_settings(kind, {"decisions": study.decisions, **(settings or {})})
    chosen = selection or Selection()
    asked = _Asked(user, seed, chosen, trials, again, at_once)
    decisions = parse_decisions(resolved.decisions, study.diagnoses)
    of_images = kind == Kind.IMAGE
    whose = "all patients" if chosen == Selection() else chosen.words
    return _launched(
        study,
        kind,
        asked,
        resolved,
        lambda: (freeze_images if of_images else freeze_patients)(study, chosen),
        lambda manifest: (image_lesson if of_images else diagnosis_lesson)(manifest, decisions, resolved.folds),
        log=f"Learns from the {'images' if of_images else 'cells'} of {whose}.\n",
    )


@dataclass(frozen=True)
class _Asked:
    """What may be asked of a round of any kind, as launch has it."""

    user: Any
    seed: int
    selection: Selection
    trials: int
    again: bool
    at_once: bool


def _launched(
    study: Study,
    kind: Kind,
    asked: _Asked,
    settings: ClassifierSettings | DiagnosisSettings,
    frozen_by: Callable[[], FrozenSnapshot],
    check: Callable[[dict[str, Any]], object],
    *,
    target: Mapping[str, Any] | None = None,
    log: str,
) -> Round:
    """A round of what is not a detector. `check` raises where a manifest teaches nothing that can be judged."""
    check_inner_trials(asked.trials, settings)
    Round.bury_dead()
    _refuse_beside_live(study, kind)
    # Not within the transaction below: people would wait until the files are written too.
    frozen = frozen_by()
    try:
        check(frozen.manifest)
    except (FoldsError, DecisionError) as error:
        raise RoundRefused(str(error)) from error
    told = dict(target or {})
    same = {"settings": settings.as_dict(), "seed": asked.seed, "trials": asked.trials}
    try:
        with transaction.atomic():
            _one_at_a_time(study, kind)
            if not asked.again:
                refuse_unchanged_lesson(study, kind, told, frozen, same)
            return _begin(
                study,
                frozen,
                asked.at_once,
                kind=kind,
                target=told,
                data_changes=changes_since_previous(study, frozen, kind, told),
                requested_by=asked.user,
                selection=asked.selection.as_json(),
                log=log,
                **same,
            )
    except IntegrityError as error:
        raise RoundRefused("Another round of this study has just been launched.") from error


def learned_cells(selection: Selection) -> str:
    """The cells that a classifier learns from, as people say it."""
    return "all labelled cells" if selection == Selection() else f"labelled cells on {selection.words}"


def _begin(study: Study, frozen: FrozenSnapshot, at_once: bool, **fields: Any) -> Round:
    """The row of a round, queued, or claimed by the caller."""
    number = (Round.objects.filter(study=study).aggregate(last=Max("number"))["last"] or 0) + 1
    round_ = Round.objects.create(
        study=study, number=number, snapshot=frozen.hash, lesson=frozen.lesson, counts=frozen.counts, **fields
    )
    # What the history says of this moment is what was frozen; the web server's own clock may be another.
    Round.objects.filter(pk=round_.pk).update(created_at=frozen.at)
    round_.created_at = frozen.at
    if at_once:
        round_.claim()
    else:
        round_.enqueue()
    return round_


def resume(round_: Round, by: str = "", *, at_once: bool = False) -> str:
    """Put a round that failed or was cancelled back into the queue, to go on from its last checkpoint; `at_once`
    claims it for the caller instead. Returns a sentence that says where it begins, as its log does. Raises
    RoundRefused with one sentence where that cannot be."""
    Round.bury_dead()
    try:
        with transaction.atomic():
            _one_at_a_time(round_.study, Kind(round_.kind), but=round_)
            if not round_.snapshot_folder.is_dir():
                raise RoundRefused(f"Round {round_.number} cannot be resumed: its snapshot is gone.")
            if round_.parent is not None and not round_.parent.folder.is_dir():
                raise RoundRefused(
                    f"Round {round_.number} cannot be resumed: the files of bundle {round_.parent_id} are gone."
                )
            if not round_.reopen(deaths=0):
                state = round_.reload().get_state_display().lower()
                raise RoundRefused(f"Round {round_.number} cannot be resumed: it is {state}.")
            # Only now: nobody clears its folder away any more.
            note = f"Resumed{f' by {by}' if by else ''}: {_where_it_begins(round_)}."
            round_.note(note)
            if at_once:
                round_.claim()
            else:
                round_.enqueue()
    except IntegrityError as error:
        raise RoundRefused("Another round of this study has just been launched.") from error
    return note


def _where_it_begins(round_: Round) -> str:
    """As a clause."""
    if round_.has_checkpoint:
        return "it goes on from its last checkpoint"
    if round_.started_at is None:
        return "it had not begun"
    if round_.folder.is_dir():
        return "it had written no checkpoint, so it begins anew"
    return "its checkpoint is no longer kept, so it begins anew"


def _one_at_a_time(study: Study, kind: Kind, but: Round | None = None) -> None:
    """Serialise launches of a study. Raises RoundRefused as _refuse_beside_live."""
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    _refuse_beside_live(study, kind, but)


def _refuse_beside_live(study: Study, kind: Kind, but: Round | None = None) -> None:
    """Raises RoundRefused while a round of the study and kind (`but` this one) is live."""
    live = Round.objects.filter(study=study, kind=kind, state__in=LIVE).first()
    if live is not None and live != but:
        raise RoundRefused(f"Round {live.number} of this study is {live.get_state_display().lower()} already.")
