"""A round from the launch to its end. The page, the API and the command line all come through here."""

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
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.db.models import Max

from annotation.models import Study
from training.bundle import BundleError, copy_bundle, read_bundle
from training.freeze import FrozenSnapshot, RoundRefused, freeze
from training.models import LIVE, Bundle, JobState, Kind, Round
from training.parents import splits_of, why_not
from training.progress import Progress, Tail
from training.settings import DetectorSettings, resolve_settings
from training.splits import SplitError
from training.training_process import TrainingProcess, death_sentence

logger = logging.getLogger(__name__)

# Between two looks at the process and two beats of the row.
TICK_SECONDS = 1.0
# A worker that stops has little time before it is killed.
STOPPING_GRACE_SECONDS = 2.0
# A database that restarts must not cost hours of training.
DATABASE_PATIENCE_SECONDS = 45.0
# A parent is chosen by itself: the bundle in use, where it never saw what judges this round.
AUTO = "auto"

Command = Callable[[Round], list[str]]


# --- launching ---


def launch(
    study: Study,
    user: Any = None,
    settings: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    parent: str | None = AUTO,
    at_once: bool = False,
) -> Round:
    """Freeze the study's finished images and queue a round on them; `at_once` claims it for the caller instead.

    `settings` are those that differ from the defaults, as typed values or as text. `parent` is the id of a bundle
    of this study, AUTO, or None for none. Raises RoundRefused with one sentence where no round can be trained on
    the study now, and SettingsError for settings that make no sense; nothing is left behind then.
    """
    resolved = resolve_settings(settings or {})
    Round.bury_dead()
    try:
        with transaction.atomic():
            # Serialises launches of a study. Not FOR UPDATE, which would hold up whoever adds an image meanwhile.
            Study.objects.select_for_update(no_key=True).get(pk=study.pk)
            live = Round.objects.filter(study=study, kind=Kind.DETECTOR, state__in=LIVE).first()
            if live is not None:
                raise RoundRefused(f"Round {live.number} of this study is {live.get_state_display().lower()} already.")
            frozen = freeze(study)
            chosen, note = choose_parent(study, parent, frozen, resolved)
            number = (Round.objects.filter(study=study).aggregate(last=Max("number"))["last"] or 0) + 1
            round_ = Round.objects.create(
                study=study,
                number=number,
                requested_by=user,
                settings=resolved.as_dict(),
                seed=seed,
                snapshot=frozen.hash,
                counts=frozen.counts,
                parent=chosen,
                log=note + "\n",
            )
            if at_once:
                round_.claim()
            else:
                round_.enqueue()
    except IntegrityError as error:
        raise RoundRefused("Another round of this study has just been launched.") from error
    return round_


def choose_parent(
    study: Study, wanted: str | None, frozen: FrozenSnapshot, settings: DetectorSettings
) -> tuple[Bundle | None, str]:
    """The bundle whose weights the round starts from, and a sentence for the log that says why.

    Raises RoundRefused where the snapshot cannot be split as the settings want, and where a bundle that was named
    does not exist or may not be the parent.
    """
    images = frozen.manifest["images"]
    try:
        splits = splits_of(images, settings)
    except SplitError as error:
        raise RoundRefused(str(error)) from error
    if wanted is None:
        return None, "Starts from scratch, as asked."
    if wanted == AUTO:
        bundle = Bundle.used_by(study, Kind.DETECTOR)
        if bundle is None:
            return None, "Starts from scratch: the study has no bundle yet."
    else:
        bundle = Bundle.objects.filter(pk=wanted, study=study, kind=Kind.DETECTOR).first()
        if bundle is None:
            raise RoundRefused(f"The study {study.name} has no bundle {wanted}.")
    problem = why_not(bundle.card, images, splits, settings)
    if not problem and not bundle.folder.is_dir():
        problem = "its files are gone"
    if not problem:
        return bundle, f"Starts from bundle {bundle.pk}."
    if wanted == AUTO:
        return None, f"Starts from scratch, not from bundle {bundle.pk}: {problem}."
    raise RoundRefused(f"The round cannot start from bundle {bundle.pk}: {problem}.")


# --- running ---


def command_for(round_: Round) -> list[str]:
    """The command that trains it, without Django, from files alone."""
    command = [sys.executable, "-m", "training.run", str(round_.snapshot_folder), str(round_.folder / "out")]
    command += ["--settings", str(round_.folder / "settings.json"), "--seed", str(round_.seed), "--end-with-parent"]
    if round_.parent:
        command += ["--parent", str(round_.parent.folder)]
    return command


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
        if round_.state in (JobState.SUCCEEDED, JobState.CANCELLED):
            shutil.rmtree(round_.folder, ignore_errors=True)


def _carry_out(round_: Round, stopping: Callable[[], bool], command: Command, echo: Callable[[str], None]) -> None:
    _prepare(round_)
    progress = Progress()
    events = Tail(round_.folder / "out" / "progress.jsonl")
    log: list[str] = []
    with TrainingProcess(command(round_), round_.folder, Path(django_settings.BASE_DIR)) as process:
        heart = _Heart(round_)
        status = None
        while status is None:
            status = process.wait(TICK_SECONDS)
            for line in events.lines(last=status is not None):
                progress.take_line(line)
            fresh = process.log_lines(last=status is not None)
            log += fresh
            for line in fresh:
                echo(line)
            if not heart.beat(fresh, progress):
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
    _finish(round_, result)


class _Heart:
    """Beats for a round, patient with a database that is away for a moment."""

    def __init__(self, round_: Round) -> None:
        self.round = round_
        self._pending: list[str] = []
        self._last = time.monotonic()

    def beat(self, lines: Iterable[str], progress: Progress) -> bool:
        self._pending += lines
        text = "".join(f"{line}\n" for line in self._pending)
        try:
            alive = self.round.beat(log=text, progress=progress.present, curve=progress.curve)
        except OperationalError:
            if connection.in_atomic_block or time.monotonic() - self._last > DATABASE_PATIENCE_SECONDS:
                raise
            logger.warning("The database does not answer; round %s trains on.", self.round.pk)
            connection.close()
            return True
        self._pending = []
        self._last = time.monotonic()
        return alive


def _prepare(round_: Round) -> None:
    """Its folder, empty, with the settings; the versions on the row."""
    shutil.rmtree(round_.folder, ignore_errors=True)
    (round_.folder / "out").mkdir(parents=True)
    (round_.folder / "settings.json").write_text(json.dumps(round_.settings, indent=1), encoding="utf-8")
    round_.beat(versions=versions())


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide what training gives; costs no import of them."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in ("torch", "torchvision", "timm"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _hand_back(round_: Round) -> None:
    """Into the queue again, with a message for the next worker; the one at hand is done with."""
    if round_.beat(log="The worker stopped; the round waits for the next one and begins anew.\n"):
        if round_.state == JobState.CANCELLING:
            round_.give_up()
        elif round_.release():
            round_.send()


def _finish(round_: Round, result: dict[str, Any] | None) -> None:
    """Read what the process made as strictly as any stranger's bundle, and only then let it in."""
    made = round_.folder / "out" / "bundle"
    try:
        card = read_bundle(made, round_.kind).card
        if card["snapshot"] != round_.snapshot:
            raise BundleError("It was trained on another snapshot.")
        bundle_id = str(card["hash"])[:12]
        copy_bundle(made, Path(django_settings.BUNDLE_FOLDER) / bundle_id)
    except BundleError as error:
        round_.fail(f"The training process left no bundle that can be used: {error}")
        return
    result = result or {}
    with transaction.atomic():
        row, _ = Bundle.objects.get_or_create(
            id=bundle_id, defaults={"study": round_.study, "kind": round_.kind, "card": card}
        )
        if round_.succeed(
            bundle=row, metrics=card["metrics"], folds=result.get("folds", []), seconds=result.get("seconds")
        ):
            # The newest comes into use by itself; an admin can roll back.
            row.promote()
            return
        transaction.set_rollback(True)
    round_.refresh_from_db()
    round_.give_up()


def _sentence(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "There is no space left on the disk."
    return f"The round's files cannot be used: {error.strerror or error} ({error.filename or 'no name'})."
