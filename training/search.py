"""The search for settings: before a round trains, trials try others and the best are taken.

**What a trial is.** The groups that train the round, and those that calibrate it, are parted once more
(training/search_split.py): a quarter of them compares the trials, the others train them. The groups that judge the
round take no part, and no file of theirs is opened. A trial trains half the round's schedule with the settings that
it drew (training/search_space.py): learning rate, momentum, weight decay, warmup share, epochs, and the strengths of
augmentation. Its network is then run over the inner validation once, with hardly any suppression of doubles, and the
NMS IoU and the score threshold with the fewest expected corrections are read off what it found, for no more training.
The trial's value is its map (mAP@[.5:.95]) with that IoU; the threshold only says how many corrections it would ask
for, as the round chooses its own, by the same rule, on what its own network finds. The first trial always has the
settings as given, so that nothing is taken that did no better than those.

**Who draws.** Optuna's TPE over all dimensions together, seeded by the round's seed and how many trials there are;
running trials of other workers count as bad ("constant liar"), so that workers keep apart. After 25, 50 and 75% of
its schedule a trial is compared with the median of those that ended, and ended itself where it is worse (from the
fifth on).

**Who shares.** The trials lie in PostgreSQL (training/search_storage.py) under the search's name. The process that
trains the round leads: it makes the search, takes part in it, waits for trials of others, and ends it. Any number of
helpers (`python -m training.search_help`) take trials beside it, on the same machine or on others that see the same
files and database, until as many are taken as were asked for. A worker that dies is missed by its heartbeat and its
trial tried again, twice at most; one that is asked to end gives its trial back after the step at hand. A leader that is
killed goes on with the search where it was. Without a database (a laptop, a batch queue) the trials lie in
OUT/search.journal, and the leader works alone.

**Starting from a parent.** Where the round starts from a bundle that has seen all that could compare trials, they
start from scratch, since what a network knows by heart compares nothing; where enough groups are new to the parent,
those compare the trials, which then start from it as the round does.

A cross-validated round cannot search: every patient judges it.
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.importance import get_param_importances
from optuna.pruners import MedianPruner
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from training.search_space import SearchError, as_given
from training.search_storage import GRACE_SECONDS, best_of, done_of, open_storage, patiently, settings_of, used_places
from training.searcher import LEADER, WAIT_SECONDS, Searcher, Tell, TrainAndJudge
from training.settings import DetectorSettings

if TYPE_CHECKING:
    from training.search_trial import Bench

# The address holds a password: it comes by the environment, which others do not see.
ADDRESS = "MARROWLOOP_SEARCH_STORAGE"
JOURNAL = "search.journal"
# So many trials end before any is compared with their median.
UNPRUNED = 4
# How long a helper waits for the leader to make the search.
PATIENCE_SECONDS = 120.0


def make_study(storage: BaseStorage, name: str, bench: "Bench", trials: int) -> optuna.Study:
    """The search of this name, made with its first trial, or gone on with. Raises SearchError for another one's."""
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        load_if_exists=True,
        direction="maximize",
        pruner=MedianPruner(n_startup_trials=UNPRUNED),
    )
    facts = _facts(bench)
    known = study.user_attrs
    if "facts" in known and known["facts"] != facts:
        raise SearchError(f"The search {name} is that of another snapshot, or of other settings.")
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(as_given(bench.settings, bench.epochs))
    # Last: helpers wait for it.
    study.set_user_attr("trials", trials)
    study.set_user_attr("facts", facts)
    return study


def join_study(storage: BaseStorage, name: str, bench: "Bench", patience: float) -> optuna.Study:
    """The search of this name, once its leader has made it. Raises SearchError, and Stopped."""
    from training.detection_training import Stopped

    deadline = time.monotonic() + patience
    while True:
        if not bench.wanted():
            raise Stopped
        try:
            study = optuna.load_study(storage=storage, study_name=name, pruner=MedianPruner(n_startup_trials=UNPRUNED))
        except KeyError:
            study = None
        if study is not None and "facts" in study.user_attrs:
            if study.user_attrs["facts"] != _facts(bench):
                raise SearchError(f"The search {name} is that of another snapshot, or of other settings.")
            return study
        if time.monotonic() > deadline:
            raise SearchError(f"There is no search {name}.")
        time.sleep(WAIT_SECONDS)


def search(
    bench: "Bench",
    trials: int,
    *,
    address: str,
    name: str,
    out: Path,
    tell: Tell,
    train_and_judge: TrainAndJudge | None = None,
    beat: int | None = None,
    grace: int | None = None,
) -> tuple[DetectorSettings, dict[str, Any]]:
    """Lead a search to its end; returns the settings to train with, and what was found, as Round.searched has it.

    {"trial", "value", "settings": what the best trial chose, "given": value of the settings as given, "done",
    "pruned", "failed", "images": those that compared, "warm", "importance", "map_50", "corrections": of the best, and
    the "score_threshold" that asks for so few}. Raises SearchError where no trial ran to
    its end, and as Searcher.take_part.
    """
    storage = _storage(address, out, beat, grace)
    study = patiently(lambda: make_study(storage, name, bench, trials))
    _searcher(bench, study, storage, trials, LEADER, tell, train_and_judge, grace).take_part()
    found = patiently(lambda: _found(study, bench))
    patiently(lambda: study.set_user_attr("importance", found["importance"]))
    settings = replace(bench.settings, **found["settings"])
    gain = "" if found["given"] is None else f" (the settings as given: {found['given']:.3f})"
    tell(
        {
            "event": "searched",
            "message": f"Searched: trial {found['trial'] + 1} is the best of {found['done']}, map {found['value']:.3f}"
            f"{gain}; the round trains with its settings.",
        }
    )
    return settings, found


def help_search(
    bench: "Bench",
    *,
    address: str,
    name: str,
    out: Path,
    worker: str,
    tell: Tell,
    train_and_judge: TrainAndJudge | None = None,
    beat: int | None = None,
    grace: int | None = None,
    patience: float = PATIENCE_SECONDS,
) -> None:
    """Take trials of a search that another process leads, until none is left."""
    storage = _storage(address, out, beat, grace)
    study = patiently(lambda: join_study(storage, name, bench, patience))
    trials = int(study.user_attrs["trials"])
    _searcher(bench, study, storage, trials, worker, tell, train_and_judge, grace).take_part()


def importance_of(study: optuna.Study) -> dict[str, float]:
    """The share of each dimension in how trials differ (PED-ANOVA), greatest first; empty for too few trials."""
    complete = [t for t in study.get_trials(deepcopy=False) if t.state == TrialState.COMPLETE]
    if len(complete) < UNPRUNED or len({t.value for t in complete}) < 2:
        return {}
    try:
        return {name: round(share, 4) for name, share in get_param_importances(study).items()}
    except (RuntimeError, ValueError):
        return {}


def _found(study: optuna.Study, bench: "Bench") -> dict[str, Any]:
    trials = study.get_trials(deepcopy=False)
    best = best_of(trials)
    if best is None:
        raise SearchError("The search found nothing: no trial ran to its end.")
    counted = used_places(trials)
    given: FrozenTrial | None = next((t for t in counted if "fixed_params" in t.system_attrs), None)
    return {
        "trial": best.number,
        "value": round(float(best.value or 0.0), 4),
        "map_50": best.user_attrs.get("map_50"),
        "corrections": best.user_attrs.get("corrections"),
        "score_threshold": best.user_attrs.get("score_threshold"),
        "settings": settings_of(best),
        "given": round(given.value, 4) if given is not None and given.value is not None else None,
        "done": len(done_of(counted)),
        "pruned": sum(trial.state == TrialState.PRUNED for trial in counted),
        "failed": sum(trial.state == TrialState.FAIL for trial in counted),
        "images": len(bench.validation),
        "warm": bench.split.warm,
        "importance": importance_of(study),
    }


def _facts(bench: "Bench") -> dict[str, Any]:
    return {
        "snapshot": bench.snapshot.hash,
        "settings": bench.settings.as_dict(),
        "seed": bench.seed,
        "parent": bench.parent.id if bench.parent is not None else None,
    }


def _storage(address: str, out: Path, beat: int | None, grace: int | None) -> BaseStorage:
    given = {name: value for name, value in (("beat", beat), ("grace", grace)) if value is not None}
    return patiently(lambda: open_storage(address, out / JOURNAL, **given))


def _searcher(
    bench: "Bench",
    study: optuna.Study,
    storage: BaseStorage,
    trials: int,
    name: str,
    tell: Tell,
    train_and_judge: TrainAndJudge | None,
    grace: float | None,
) -> Searcher:
    if train_and_judge is None:
        from training.search_trial import train_and_judge as really

        train_and_judge = really
    if grace is None:
        grace = GRACE_SECONDS
    return Searcher(bench, study, storage, trials, name, tell, train_and_judge, grace)
