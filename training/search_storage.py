"""Where the trials of a search are kept so that several processes share them, and what becomes of dead ones.

With an address (PostgreSQL) they lie in tables of Optuna's own, in a schema of their own; without one in a journal
file beside the training's other files, for one process. Nothing here knows torch or Django.
"""

import contextlib
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, fail_stale_trials
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from training.search_space import SearchError

SCHEMA = "optuna"
# A worker beats for its trial so often; one that was silent for so long is dead, and its trial is tried again.
BEAT_SECONDS, GRACE_SECONDS = 10, 45
# So often a trial is tried again whose worker died.
MOST_DEATHS = 2
# A database that restarts must not cost a search.
PATIENCE_SECONDS = 60.0
# Any number that no other use of PostgreSQL's advisory locks here has.
_LOCK = 0x6D6C6F6F70

_DONE = (TrialState.COMPLETE, TrialState.PRUNED)
_STATES = {
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.WAITING: "waiting",
}
KNOWN_OF_TRIALS = ("map_50", "corrections", "score_threshold", "problem")

optuna.logging.set_verbosity(optuna.logging.ERROR)
# Of retries and heartbeats, which have been "experimental" for years.
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)

T = TypeVar("T")


def address_of(database: Mapping[str, Any]) -> str:
    """The address of an entry of Django's DATABASES, as SQLAlchemy reads it; it holds the password."""
    options = {name: str(value) for name, value in (database.get("OPTIONS") or {}).items() if isinstance(value, str)}
    # Heartbeats are times without a zone: all workers must write them in the same one.
    own = f"-csearch_path={SCHEMA} -ctimezone=UTC"
    options["options"] = f"{options['options']} {own}" if "options" in options else own
    host = str(database.get("HOST") or "")
    if host.startswith("/"):
        # A unix socket's folder is no name of a host.
        options["host"], host = host, ""
    return URL.create(
        "postgresql+psycopg",
        username=database.get("USER") or None,
        password=database.get("PASSWORD") or None,
        host=host or None,
        port=int(database["PORT"]) if database.get("PORT") else None,
        database=database["NAME"],
        query=options,
    ).render_as_string(hide_password=False)


def open_storage(address: str, journal: Path, *, beat: int = BEAT_SECONDS, grace: int = GRACE_SECONDS) -> BaseStorage:
    """The storage at an address, or the journal file where that is empty. Raises what `patiently` waits for."""
    if not address:
        # Whoever opens it has its folder alone: a lock that lies there is a dead process's.
        for lock in journal.parent.glob(f"{journal.name}.lock*"):
            lock.unlink(missing_ok=True)
        return JournalStorage(JournalFileBackend(str(journal)))
    engine = create_engine(address, poolclass=NullPool)
    try:
        # Two processes that make the first tables at once would trip over each other.
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": _LOCK})
            storage = RDBStorage(
                address,
                # A trial takes minutes: no connection is held meanwhile, and a restart of the server breaks none.
                engine_kwargs={"poolclass": NullPool},
                skip_compatibility_check=True,
                heartbeat_interval=beat,
                grace_period=grace,
                heartbeat_stale_trial_callback=try_again,
            )
            if storage.get_current_version() != storage.get_head_version():
                storage.upgrade()
    finally:
        engine.dispose()
    return storage


def patiently(call: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """What `call` returns, asked again and again while the database is away. Raises SearchError in the end."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except (StorageInternalError, SQLAlchemyError) as error:
            if time.monotonic() > deadline:
                raise SearchError(f"The database with the trials does not answer: {_first_line(error)}") from error
        time.sleep(0.5)


class Heart:
    """Beats for a running trial from a thread of its own, patient with a database that is away."""

    def __init__(self, storage: BaseStorage, trial_id: int) -> None:
        # A journal file has a single user, who needs no sign of life.
        self._storage = storage if isinstance(storage, RDBStorage) else None
        self._trial_id = trial_id
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        if self._storage is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        if self._storage is not None:
            self._thread.join()

    def _beat(self) -> None:
        assert self._storage is not None
        interval = self._storage.get_heartbeat_interval() or BEAT_SECONDS
        while True:
            with contextlib.suppress(StorageInternalError, SQLAlchemyError):
                self._storage.record_heartbeat(self._trial_id)
            if self._over.wait(interval):
                return


# --- trials that count ---


def used_places(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that count among those that were asked for: not what was tried again, and not one too many."""
    retried = {trial.user_attrs.get("retry_of") for trial in trials}
    return [
        trial
        for trial in trials
        if not trial.user_attrs.get("surplus") and not (trial.state == TrialState.FAIL and trial.number in retried)
    ]


def done_of(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    return [trial for trial in trials if trial.state in _DONE]


def take_place(study: optuna.Study, wanted: int, worker: str) -> optuna.Trial | None:
    """The next trial for this worker, or None where no more are wanted.

    Of workers that draw at once for the last place, the one with the lower number has it.
    """
    trials = study.get_trials(deepcopy=False)
    waits = any(trial.state == TrialState.WAITING for trial in trials)
    if not waits and len(used_places(trials)) >= wanted:
        return None
    with warnings.catch_warnings():
        # The heart beats here, not within Study.optimize.
        warnings.simplefilter("ignore")
        trial = study.ask()
    trial.set_user_attr("worker", worker)
    trials = study.get_trials(deepcopy=False)
    taken = trials[trial.number]
    queued = "fixed_params" in taken.system_attrs or "retry_of" in taken.user_attrs
    before = [other for other in trials if other.number < trial.number]
    if not queued and len(used_places(before)) >= wanted:
        trial.set_user_attr("surplus", True)
        study.tell(trial, state=TrialState.FAIL)
        return None
    return trial


def try_again(study: optuna.Study, trial: FrozenTrial, *, died: bool = True) -> None:
    """Queue a trial that came to no end once more, with the settings that it drew; not when it died too often."""
    deaths = int(trial.user_attrs.get("deaths", 0)) + died
    if deaths > MOST_DEATHS:
        return
    study.add_trial(
        create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs={"retry_of": trial.number, "deaths": deaths},
            system_attrs=dict(trial.system_attrs),
        )
    )


def give_back(study: optuna.Study, trial: optuna.Trial, *, died: bool = False) -> None:
    """This worker ends before its trial: it is for the next one."""
    study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
    try_again(study, study.get_trials(deepcopy=False)[trial.number], died=died)


def bury_dead(study: optuna.Study, storage: BaseStorage, grace: float = GRACE_SECONDS) -> None:
    """Trials whose worker has not been heard of are failed and queued again."""
    fail_stale_trials(study)
    # One that died before its first beat is known by its age alone.
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        age = (datetime.now() - trial.datetime_start).total_seconds() if trial.datetime_start else 0.0
        if "worker" not in trial.user_attrs and age > grace:
            _bury(study, storage, trial)


def bury_own(study: optuna.Study, storage: BaseStorage, worker: str) -> None:
    """Trials that an earlier process of the same name left: there is only one at a time."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if trial.user_attrs.get("worker") == worker:
            _bury(study, storage, trial)


def _bury(study: optuna.Study, storage: BaseStorage, trial: FrozenTrial) -> None:
    with contextlib.suppress(UpdateFinishedTrialError):
        if storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL):
            try_again(study, trial)


# --- what people see ---


def rows_of(trials: Sequence[FrozenTrial]) -> list[dict[str, Any]]:
    """Trials as plain data for a page or an API, in the order of their numbers; those one too many are left out.

    Each has "number", "state" (waiting, running, complete, pruned or failed), "value" (map on the inner validation;
    of a pruned one so far), "settings", "looks" ([per cent, map], ...), "seconds", "worker", "retry_of", and where it
    came to an end "map_50", "corrections", the "score_threshold" that asks for so few, or the "problem".
    """
    rows = []
    for trial in sorted(trials, key=lambda each: each.number):
        known = trial.user_attrs
        if known.get("surplus"):
            continue
        ended = trial.datetime_complete or (datetime.now() if trial.state == TrialState.RUNNING else None)
        seconds = (ended - trial.datetime_start).total_seconds() if ended and trial.datetime_start else None
        rows.append(
            {
                "number": trial.number,
                "state": _STATES[trial.state],
                "value": trial.value if trial.state in _DONE else None,
                "settings": settings_of(trial),
                "looks": sorted([step, value] for step, value in trial.intermediate_values.items()),
                "seconds": None if seconds is None else round(seconds, 1),
                "worker": known.get("worker", ""),
                "retry_of": known.get("retry_of"),
            }
            | {key: known[key] for key in KNOWN_OF_TRIALS if key in known}
        )
    return rows


def settings_of(trial: FrozenTrial) -> dict[str, Any]:
    """What a trial drew, and the IoU of suppression that was chosen on what it found."""
    drawn: dict[str, Any] = dict(trial.params)
    if "nms" in trial.user_attrs:
        drawn["nms"] = trial.user_attrs["nms"]
    return {name: _rounded(value) for name, value in drawn.items()}


def best_of(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The best that ran to its end; the earliest of several."""
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE and trial.value is not None]
    return max(complete, key=lambda trial: (trial.value, -trial.number), default=None)


def _rounded(value: Any) -> Any:
    """Four digits tell settings apart, and people can read them."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _first_line(error: BaseException) -> str:
    cause = error.__cause__ or error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__
