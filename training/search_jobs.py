"""A search from the side of the workers: its row, its helpers, and the address that its processes are given."""

import contextlib
import json
import logging
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.db import DatabaseError, connection, transaction
from kombu.exceptions import OperationalError as BrokerError

from training import pixel_cache
from training.models import HELD, LIVE, JobState, Kind, Round, Search, SearchHelper
from training.progress import Progress, Tail
from training.training_process import TrainingProcess, death_sentence

logger = logging.getLogger(__name__)

# As many workers are asked to help as may share a search well: the sampler learns from trials that ended.
MOST_HELPERS = 3
# Between two looks at the trials, of which each costs some queries of Optuna's.
RECORD_SECONDS = 2.0
TICK_SECONDS = 1.0
# The name of the environment's variable, which training/search.py reads; importing that would cost Optuna's seconds.
ADDRESS = "MARROWLOOP_SEARCH_STORAGE"
# As training/inner_search.py names its file, for the same reason.
TRIALS = "trials.json"

Command = Callable[[SearchHelper], list[str]]


# --- for the round that leads it ---


def arguments_for(round_: Round) -> list[str]:
    """What the command that trains a round is given so that it searches first; empty where it is not to."""
    if not round_.trials:
        return []
    return ["--trials", str(round_.trials), "--search", search_of(round_).name]


def environment_for(round_: Round) -> dict[str, str]:
    """Where decoded images and trials are kept. The address of the trials holds a password, which the arguments of a
    process would show."""
    # Those of other kinds search by themselves: their trials lie in a file of the round's folder.
    cache = {
        pixel_cache.FOLDER: str(django_settings.PIXEL_CACHE),
        pixel_cache.GIB: str(django_settings.PIXEL_CACHE_GIB),
    }
    if not shared(round_):
        return cache
    from training.search_storage import address_of

    return cache | {ADDRESS: address_of(connection.settings_dict)}


def shared(round_: Round) -> bool:
    """Whether it searches with others: a detector's trial takes minutes, one of other kinds seconds."""
    return bool(round_.trials) and round_.kind == Kind.DETECTOR


def search_of(round_: Round) -> Search:
    """Its search, made where there is none yet."""
    return Search.objects.get_or_create(round=round_)[0]


def call_helpers(round_: Round) -> None:
    """Ask workers that are free to help; where none is, the messages are void by the time they are read."""
    if not shared(round_):
        return
    from config.celery import app

    for _ in range(min(MOST_HELPERS, round_.trials - 1)):
        with contextlib.suppress(BrokerError):
            app.send_task(SearchHelper.task_name, args=[round_.pk], retry=False, expires=86_400)


class Recorder:
    """Copies the trials from Optuna's tables onto the search's row, now and then, so that pages need no Optuna."""

    def __init__(self, round_: Round) -> None:
        self._round = round_
        self._next = 0.0
        self._storage: Any = None

    def look(self, last: bool = False) -> None:
        """Cheap where nothing is due. What fails here is said in the log and costs nothing else."""
        if not self._round.trials or (time.monotonic() < self._next and not last):
            return
        self._next = time.monotonic() + RECORD_SECONDS
        try:
            trials = self._trials()
            if trials is not None:
                search = search_of(self._round)
                if search.trials != trials:
                    search.trials = trials
                    search.save(update_fields=["trials", "updated_at"])
        except Exception:
            logger.warning("The trials of round %s cannot be read.", self._round.pk, exc_info=True)

    def _trials(self) -> list[dict[str, Any]] | None:
        if not shared(self._round):
            return _trials_in(self._round.folder / "out" / TRIALS)
        import optuna

        from training.search_storage import address_of, open_storage, rows_of

        if self._storage is None:
            self._storage = open_storage(address_of(connection.settings_dict), Path())
        try:
            study = optuna.load_study(storage=self._storage, study_name=search_of(self._round).name)
        except KeyError:
            # Its process has not made it yet.
            return None
        return rows_of(study.get_trials(deepcopy=False))


def _trials_in(path: Path) -> list[dict[str, Any]] | None:
    """Those of training/inner_search.py; None before any has ended."""
    try:
        trials: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["trials"]
    except FileNotFoundError:
        return None
    return trials


# --- for those who help ---


def help_with(
    round_id: int, *, stopping: Callable[[], bool] = lambda: False, command: Command | None = None
) -> SearchHelper | None:
    """Take trials of a round's search until none is left; None where the round needs no help now."""
    round_ = Round.objects.select_related("study", "parent").filter(pk=round_id).first()
    if round_ is None or not needs_help(round_) or others_wait():
        return None
    with transaction.atomic():
        helper = SearchHelper.objects.create(round=round_)
        helper.claim()
    carry_out(helper, stopping=stopping, command=command)
    return helper


def needs_help(round_: Round) -> bool:
    """Whether its process is running and still searches."""
    return shared(round_) and round_.state == JobState.RUNNING and not _trains_already(round_)


def others_wait() -> bool:
    """Whether a round waits for a worker: that comes before helping another one."""
    return Round.objects.filter(state=JobState.QUEUED).exists()


def command_for(helper: SearchHelper) -> list[str]:
    round_ = helper.round
    folder = folder_of(helper)
    command = [sys.executable, "-m", "training.search_help", str(round_.snapshot_folder), str(folder / "out")]
    command += ["--search", search_of(round_).name, "--worker", f"helper {helper.pk}"]
    command += ["--settings", str(folder / "settings.json"), "--seed", str(round_.seed), "--end-with-parent"]
    if round_.parent:
        command += ["--parent", str(round_.parent.folder)]
    return command


def folder_of(helper: SearchHelper) -> Path:
    return Path(django_settings.ROUND_FOLDER) / f"helper-{helper.pk}"


def carry_out(
    helper: SearchHelper, *, stopping: Callable[[], bool] = lambda: False, command: Command | None = None
) -> None:
    """See a helper that this worker has claimed to its end. Its trial goes to another worker where it ends early."""
    folder = folder_of(helper)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "out").mkdir(parents=True)
        (folder / "settings.json").write_text(json.dumps(helper.round.settings), encoding="utf-8")
        _carry_out(helper, folder, stopping, command or command_for)
    except (KeyboardInterrupt, SystemExit):
        helper.fail("The worker stopped.")
        raise
    except OSError as error:
        helper.fail(f"The helper's files cannot be used: {error.strerror or error}.")
    except Exception as error:
        with contextlib.suppress(DatabaseError):
            helper.fail(f"The helper failed by a mistake of the program: {type(error).__name__}: {error}")
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _carry_out(helper: SearchHelper, folder: Path, stopping: Callable[[], bool], command: Command) -> None:
    progress, events = Progress(), Tail(folder / "out" / "progress.jsonl")
    log: list[str] = []
    gives_way, trials_ended = False, 0
    environment = environment_for(helper.round)
    with TrainingProcess(command(helper), folder, Path(django_settings.BASE_DIR), environment=environment) as process:
        status = None
        while status is None:
            status = process.wait(TICK_SECONDS)
            before = trials_ended
            for line in events.lines(last=status is not None):
                progress.take_line(line)
                trials_ended += '"trial_ended"' in line
            fresh = process.log_lines(last=status is not None)
            log += fresh
            if not helper.beat(log="".join(f"{line}\n" for line in fresh), progress=progress.present):
                return
            if helper.state == JobState.CANCELLING or stopping() or not _is_live(helper.round):
                process.stop()
                helper.give_up() or helper.succeed(reason="The round or this worker was ended.")
                return
            # A round that waits for a worker comes first, but the trial at hand is ended.
            gives_way = gives_way or others_wait()
            if gives_way and trials_ended > before and status is None:
                process.stop()
                helper.succeed(reason="Made room for a round that waited.")
                return
    if status == 0:
        helper.succeed(reason="No trial was left to take.")
    else:
        helper.fail(death_sentence(status, log))


def _is_live(round_: Round) -> bool:
    return Round.objects.filter(pk=round_.pk, state=JobState.RUNNING).exists()


def _trains_already(round_: Round) -> bool:
    """Whether its own training has begun, by what its process told last."""
    return bool(round_.progress) and "trials" not in round_.progress and "epoch" in round_.progress


def end_helpers(round_: Round) -> None:
    """The round has ended: whoever still helps it shall stop."""
    if not round_.trials:
        return
    # A database that is away is no reason to hide why the round ended: helpers look for themselves too.
    with contextlib.suppress(DatabaseError):
        for helper in SearchHelper.objects.filter(round=round_, state__in=LIVE):
            helper.cancel()


def helpers_at_work(round_: Round) -> int:
    """How many workers help it now. Costs one query."""
    SearchHelper.bury_dead()
    return SearchHelper.objects.filter(round=round_, state__in=HELD).count()
