"""A round that was launched, in the hands of a worker: from the claim to its end."""

import contextlib
import errno
import json
import logging
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.db import DatabaseError, OperationalError, connection, transaction

from training import round_folders, search_jobs
from training.beside_previous import compared_with_previous, judged_by
from training.bundle import BundleError, copy_bundle, read_bundle
from training.classifier_target import Target
from training.code_version import code_version
from training.crop_features import NAME as FEATURES
from training.judged import NAME as JUDGED
from training.judged import JudgedError
from training.known_features import give_known, take_new
from training.models import Bundle, JobState, Judgement, Kind, Round
from training.progress import Progress, Tail
from training.round_folders import succeeded_after
from training.training_process import TrainingProcess, death_sentence

logger = logging.getLogger(__name__)

# The features that the store gives a round that looks at cells, in its folder.
KNOWN = "known.npz"
# Of a study, beside the folders of rounds: what its classifiers' rounds saw of crops in other stains.
SEEN_VIEWS = "views-{}.npz"
DIAGNOSIS_VIEWS = "diagnosis-views-{}.npz"
# The same, of the cell classifiers that its rounds that diagnose taught last.
READERS = "readers-{}.npz"
# Between two looks at the process and two beats of the row.
TICK_SECONDS = 1.0
# A worker that stops has little time before it is killed.
STOPPING_GRACE_SECONDS = 2.0
# A database that restarts must not cost hours of training; but before the silence counts as death, this share of it.
DATABASE_PATIENCE = 0.7
Command = Callable[[Round], list[str]]


def command_for(round_: Round) -> list[str]:
    """The command that trains it, without Django, from files alone."""
    if round_.kind == Kind.CLASSIFIER:
        return _classifier_command(round_)
    if Kind(round_.kind).diagnoses:
        return _diagnosis_command(round_)
    command = [sys.executable, "-m", "training.run", str(round_.snapshot_folder), str(round_.folder / "out")]
    command += ["--settings", str(round_.folder / "settings.json"), "--seed", str(round_.seed), "--end-with-parent"]
    if round_.parent:
        command += ["--parent", str(round_.parent.folder)]
    return command + search_jobs.arguments_for(round_)


def _classifier_command(round_: Round) -> list[str]:
    target = Target.of(round_.target)
    command = [sys.executable, "-m", "training.run_classifier"]
    command += [str(round_.snapshot_folder), str(round_.folder / "out"), "--group", target.group]
    command += ["--label", target.label] if target.label is not None else []
    command += ["--settings", str(round_.folder / "settings.json"), "--seed", str(round_.seed), "--end-with-parent"]
    command += ["--views", str(classifier_views(round_.study_id))]
    return command + [*_features_of(round_, diagnosis_views(round_.study_id)), *_trials_of(round_)]


def _diagnosis_command(round_: Round) -> list[str]:
    command = [sys.executable, "-m", "training.run_diagnosis", str(round_.snapshot_folder), str(round_.folder / "out")]
    command += ["--kind", round_.kind, "--settings", str(round_.folder / "settings.json")]
    command += ["--seed", str(round_.seed), "--end-with-parent"]
    command += ["--views", str(diagnosis_views(round_.study_id))]
    command += ["--readers", str(round_.folder.with_name(READERS.format(round_.study_id)))]
    return command + [*_features_of(round_, classifier_views(round_.study_id)), *_trials_of(round_)]


def _features_of(round_: Round, views: Path) -> list[str]:
    """What need not be computed: features that the web keeps, and, for a round that looks at views, those that rounds
    of the other kind have seen."""
    looks = round_.settings.get("views") or round_.settings.get("test_views")
    return ["--features", str(round_.folder / KNOWN), *([str(views)] if looks else [])]


def classifier_views(study_id: int) -> Path:
    """Where features of views of a study's labelled cells are kept from one round of a classifier to the next."""
    return Path(django_settings.ROUND_FOLDER) / SEEN_VIEWS.format(study_id)


def diagnosis_views(study_id: int) -> Path:
    """Where features of views of a study's cells are kept, which rounds that diagnose and diagnoses share."""
    return Path(django_settings.ROUND_FOLDER) / DIAGNOSIS_VIEWS.format(study_id)


def _trials_of(round_: Round) -> list[str]:
    return ["--trials", str(round_.trials)] if round_.trials else []


def run(round_id: int, *, stopping: Callable[[], bool] = lambda: False, command: Command = command_for) -> None:
    """Claim a queued round and see it to its end; returns at once where it is gone or another worker has it."""
    round_ = Round.objects.select_related("study", "parent").filter(pk=round_id).first()
    if round_ is not None and round_.claim():
        carry_out(round_, stopping=stopping, command=command)


def carry_out(
    round_: Round,
    *,
    stopping: Callable[[], bool] = lambda: False,
    command: Command = command_for,
    echo: Callable[[str], None] = lambda line: None,
) -> None:
    """See a round that this worker has claimed to its end, which then stands on its row.

    `stopping` says that the worker is to stop: the round goes back into the queue. `echo` gets the lines of the log
    as they come. What was started is ended in every case, whatever is raised.
    """
    try:
        _carry_out(round_, stopping, command, echo)
    except KeyboardInterrupt:
        round_.cancel(by="Ctrl-C")
        round_.give_up()
        raise
    except SystemExit:
        # The worker is made to stop at once.
        _hand_back(round_)
        raise
    except OSError as error:
        round_.fail(_sentence(error))
    except Exception as error:
        with contextlib.suppress(DatabaseError):
            round_.beat(log=traceback.format_exc())
            round_.fail(f"The round failed by a mistake of the program: {type(error).__name__}: {error}")
        raise
    finally:
        search_jobs.end_helpers(round_)
        round_folders.sweep()


def _carry_out(round_: Round, stopping: Callable[[], bool], command: Command, echo: Callable[[str], None]) -> None:
    _prepare(round_)
    if round_.celery_id:
        # On the command line there may be no worker to ask.
        search_jobs.call_helpers(round_)
    progress = Progress()
    events = Tail(round_.folder / "out" / "progress.jsonl")
    log: list[str] = []
    trials = search_jobs.Recorder(round_)
    environment = search_jobs.environment_for(round_)
    with TrainingProcess(
        command(round_), round_.folder, Path(django_settings.BASE_DIR), environment=environment
    ) as process:
        heart = _Heart(round_, progress)
        status = None
        while status is None:
            status = process.wait(TICK_SECONDS)
            trials.look(last=status is not None)
            for line in events.lines(last=status is not None):
                progress.take_line(line)
            fresh = process.log_lines(last=status is not None)
            log += fresh
            for line in fresh:
                echo(line)
            if not heart.beat(fresh):
                # Buried while this worker was cut off: the row is somebody else's by now.
                return
            if round_.state == JobState.CANCELLING:
                process.stop()
                round_.give_up()
                return
            if status is None and stopping():
                process.stop(STOPPING_GRACE_SECONDS)
                _hand_back(round_)
                return
        if status != 0:
            round_.fail(death_sentence(status, log))
            return
        result = process.result()
    _finish(round_, result, heart)


class _Heart:
    """Beats for a round, patient with a database that is away for a moment."""

    def __init__(self, round_: Round, progress: Progress) -> None:
        self.round = round_
        self.progress = progress
        self._pending: list[str] = []
        self._last = time.monotonic()
        self._patience = DATABASE_PATIENCE * django_settings.JOB_SILENCE_SECONDS

    def beat(self, lines: Iterable[str] = ()) -> bool:
        """With new lines of the log; False where the round is no longer this worker's."""
        self._pending += lines
        text = "".join(f"{line}\n" for line in self._pending)
        told = self.progress
        try:
            alive = self.round.beat(log=text, progress=told.present, curve=told.curve, **_memory(told.present))
        except OperationalError:
            if connection.in_atomic_block or time.monotonic() - self._last > self._patience:
                raise
            logger.warning("The database does not answer; round %s trains on.", self.round.pk)
            connection.close()
            return True
        self._pending = []
        self._last = time.monotonic()
        return alive

    def beat_if_due(self) -> None:
        """For work that takes its time and tells nothing: cheap however often it is called."""
        if time.monotonic() - self._last >= TICK_SECONDS:
            self.beat()


def _prepare(round_: Round) -> None:
    """Its folder, with the settings and, of an earlier worker, the checkpoint; the versions on the row.

    Training itself tells whether a checkpoint is of this very training. A folder of another row of this number (of a
    database that was restored, say) is emptied.
    """
    identity = json.dumps([round_.pk, round_.created_at.isoformat(), round_.snapshot], indent=1)
    mark = round_.folder / "round.json"
    if not mark.is_file() or mark.read_text(encoding="utf-8") != identity:
        shutil.rmtree(round_.folder, ignore_errors=True)
    (round_.folder / "out").mkdir(parents=True, exist_ok=True)
    mark.write_text(identity, encoding="utf-8")
    (round_.folder / "settings.json").write_text(json.dumps(round_.settings, indent=1), encoding="utf-8")
    if round_.kind not in (Kind.DETECTOR, Kind.IMAGE):
        give_known(round_.study, round_.folder / KNOWN)
    round_.beat(versions=versions())


def _memory(told_of: Mapping[str, Any]) -> dict[str, int]:
    """The most memory that the training has told of, as a field of the row; empty where it has not."""
    told = told_of.get("peak_memory")
    return {"peak_memory": int(told)} if isinstance(told, int | float) and told > 0 else {}


def versions() -> dict[str, str]:
    """Versions of the code, of Python and of the libraries that decide what training gives; imports none of them."""
    found = {"marrowloop": code_version(), "python": ".".join(map(str, sys.version_info[:3]))}
    for name in ("torch", "torchvision", "timm"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _hand_back(round_: Round) -> None:
    """Into the queue again, with a message for the next worker; the one at hand is done with."""
    if round_.beat(log="The worker stopped; the round waits for the next one and goes on from its last checkpoint.\n"):
        if round_.state == JobState.CANCELLING:
            round_.give_up()
        elif round_.release():
            round_.send()


def _finish(round_: Round, result: dict[str, Any] | None, heart: _Heart) -> None:
    """Read what the process made as strictly as any stranger's bundle, and only then let it in."""
    made = round_.folder / "out" / "bundle"
    heart.beat()
    try:
        card = read_bundle(made, round_.kind).card
        if card["snapshot"] != round_.snapshot:
            raise BundleError("It was trained on another snapshot.")
        if card.get("target", {}) != round_.target:
            raise BundleError("It tells something else apart.")
        bundle_id = str(card["hash"])[:12]
        copy_bundle(made, Path(django_settings.BUNDLE_FOLDER) / bundle_id)
    except BundleError as error:
        round_.fail(f"The training process left no bundle that can be used: {error}")
        return
    result = result or {}
    judged, comparison = _beside(round_, heart)
    with transaction.atomic():
        row, _ = Bundle.objects.get_or_create(
            id=bundle_id, defaults={"study": round_.study, "kind": round_.kind, "target": round_.target, "card": card}
        )
        if round_.succeed(
            bundle=row,
            metrics=card["metrics"],
            searched=result.get("searched"),
            folds=result.get("folds", []),
            seconds=result.get("seconds"),
            comparison=comparison,
            **_memory(result),
        ):
            if judged:
                Judgement.keep(round_, judged)
            # The newest comes into use by itself; an admin can roll back. One that was resumed may be an old one.
            if not succeeded_after(round_).exists():
                row.promote()
        else:
            transaction.set_rollback(True)
    if round_.reload().state == JobState.CANCELLING:
        round_.give_up()
    elif round_.kind != Kind.DETECTOR:
        # The round is made; what it saw is kept for the next one, if that can be.
        try:
            take_new(round_.study, round_.folder / "out" / FEATURES)
        except (DatabaseError, OSError):
            logger.exception("The features that round %s computed could not be kept.", round_.pk)


def _beside(round_: Round, heart: _Heart) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """What judged the round, and it beside an earlier one. A mistake here costs the comparison, not the round."""
    try:
        judged = judged_by(round_, round_.folder / "out" / JUDGED)
        return judged, compared_with_previous(round_, judged, heart.beat_if_due)
    except DatabaseError:
        raise
    except Exception as error:
        if not isinstance(error, JudgedError):
            logger.exception("Round %s could not be compared.", round_.pk)
        round_.beat(log=f"The round could not be held against an earlier one: {error}\n")
        return [], None


def _sentence(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "There is no space left on the disk."
    return f"The round's files cannot be used: {error.strerror or error} ({error.filename or 'no name'})."
