"""The search for settings: before a round trains, trials try others and the best are taken.

**What a trial is.** The groups that train the round, and those that stop it, are parted once more
(training/search_split.py): a quarter of them compares the trials, the others train them. The groups that judge the
round take no part, and no file of theirs is opened. A trial trains half the round's schedule with the settings that
it drew (training/search_space.py): learning rate, momentum, weight decay, warmup share, epochs, and the strengths of
augmentation. Its network is then run over the inner validation once, with hardly any suppression of doubles, and the
NMS IoU and the score threshold with the fewest expected corrections are read off what it found, for no more training.
The trial's value is its map (mAP@[.5:.95]) with them. The first trial always has the settings as given, so that
nothing is taken that did no better than those.

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

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.importance import get_param_importances
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from training.search_space import SearchError, as_given, chosen_settings, space_around
from training.search_storage import (
    GRACE_SECONDS,
    Heart,
    best_of,
    bury_dead,
    bury_own,
    done_of,
    give_back,
    open_storage,
    patiently,
    settings_of,
    take_place,
    used_places,
)
from training.settings import DetectorSettings

if TYPE_CHECKING:
    from training.search_trial import Bench, Judged

# The address holds a password: it comes by the environment, which others do not see.
ADDRESS = "MARROWLOOP_SEARCH_STORAGE"
JOURNAL = "search.journal"
LEADER = "leader"
# So many trials end before any is compared with their median.
UNPRUNED = 4
# So many are drawn at random before the sampler has learned something.
RANDOM_TRIALS = 8
WAIT_SECONDS = 0.5
# How long a helper waits for the leader to make the search.
PATIENCE_SECONDS = 120.0

Tell = Callable[[dict[str, Any]], None]
TrainAndJudge = Callable[["Bench", DetectorSettings, Callable[[int, float], None], Callable[[Any], None]], "Judged"]


@dataclass
class Searcher:
    """One process that takes trials of a search.

    `name` tells workers apart. `tell` gets events: {"event": "trial", "trial", "trials", "done", "best", ...} at the
    begin of a trial, "trial_step" with the same and the step's epoch, loss and "eta_seconds", and "trial_ended".
    """

    bench: "Bench"
    study: optuna.Study
    storage: BaseStorage
    trials: int
    name: str
    tell: Tell
    train_and_judge: TrainAndJudge
    grace: float = GRACE_SECONDS
    _began: float = field(default=0.0, init=False)

    @property
    def leads(self) -> bool:
        return self.name == LEADER

    def take_part(self) -> None:
        """Take trials until none is left; the leader also waits for those of others. Raises Stopped, SearchError,
        and what training raises where that speaks against this machine rather than against the trial's settings."""
        from training.detection_training import Stopped

        if self.leads:
            patiently(lambda: bury_own(self.study, self.storage, self.name))
        while True:
            if not self.bench.wanted():
                raise Stopped
            patiently(lambda: bury_dead(self.study, self.storage, self.grace))
            self.study.sampler = self._sampler()
            trial = patiently(lambda: take_place(self.study, self.trials, self.name))
            if trial is not None:
                self._carry_out(trial)
            elif self.leads and self._others_run():
                time.sleep(WAIT_SECONDS)
            else:
                return

    def _others_run(self) -> bool:
        going_on = (TrialState.RUNNING, TrialState.WAITING)
        return bool(patiently(lambda: self.study.get_trials(deepcopy=False, states=going_on)))

    def _sampler(self) -> TPESampler:
        """Seeded anew for each trial: a process that goes on with a search must not draw its first trials again."""
        count = len(patiently(lambda: self.study.get_trials(deepcopy=False)))
        digest = hashlib.sha256(f"{self.bench.seed} {self.name} {count}".encode()).digest()
        return TPESampler(
            n_startup_trials=RANDOM_TRIALS,
            multivariate=True,
            constant_liar=True,
            seed=int.from_bytes(digest[:4], "big"),
        )

    def _carry_out(self, trial: optuna.Trial) -> None:
        from training.detection_training import Step, Stopped

        self._began = time.monotonic()
        with Heart(self.storage, trial._trial_id):
            drawn = patiently(lambda: self._draw(trial))
            present = patiently(lambda: self._standing(trial.number))
            self.tell({"event": "trial", **present, "message": self._begins(present, drawn)})

            def look(percent: int, score: float) -> None:
                patiently(lambda: trial.report(score, percent))
                present.update(patiently(lambda: self._standing(trial.number)))
                if patiently(trial.should_prune):
                    raise optuna.TrialPruned(f"map {score:.3f} after {percent}%")

            def tell(step: Step) -> None:
                told = {name: getattr(step, name) for name in ("epoch", "epochs", "loss")}
                self.tell({"event": "trial_step", **present, **told, "eta_seconds": self._left(present, step)})

            ended = {"trial": present["trial"], "trials": self.trials}
            try:
                judged = self.train_and_judge(self.bench, chosen_settings(self.bench.settings, drawn), look, tell)
            except optuna.TrialPruned as pruned:
                patiently(lambda: self.study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True))
                message = f"Trial {present['trial']} was ended early: {pruned}, worse than most others."
            except FloatingPointError as problem:
                # It speaks against these settings: the sampler shall keep away from them.
                sentence = str(problem)
                patiently(lambda: trial.set_user_attr("problem", sentence))
                patiently(lambda: self.study.tell(trial, 0.0, skip_if_finished=True))
                message = f"Trial {present['trial']} learned nothing: {sentence}"
            except (Stopped, KeyboardInterrupt):
                give_back(self.study, trial)
                raise
            except BaseException:
                # The machine's fault or the program's; others may do better.
                give_back(self.study, trial, died=True)
                raise
            else:
                patiently(lambda: self._note(trial, judged))
                message = (
                    f"Trial {present['trial']}: map {judged.map:.3f}, map_50 {judged.map_50:.3f}, "
                    f"{judged.corrections} corrections."
                )
        self.tell({"event": "trial_ended", **patiently(lambda: self._standing(None)), **ended, "message": message})

    def _draw(self, trial: optuna.Trial) -> dict[str, Any]:
        drawn: dict[str, Any] = {}
        for each in space_around(self.bench.settings, self.bench.epochs):
            if each.whole:
                drawn[each.name] = trial.suggest_int(each.name, int(each.low), int(each.high))
            else:
                drawn[each.name] = trial.suggest_float(each.name, each.low, each.high, log=each.log)
        return drawn

    def _note(self, trial: optuna.Trial, judged: "Judged") -> None:
        for name, value in asdict(judged).items():
            if name != "map":
                trial.set_user_attr(name, value)
        self.study.tell(trial, judged.map, skip_if_finished=True)

    def _standing(self, number: int | None) -> dict[str, Any]:
        """How far the search is: what a page shows of it. `number` is the trial at hand, of all that were begun."""
        trials = self.study.get_trials(deepcopy=False)
        counted = used_places(trials)
        done, best = done_of(counted), best_of(counted)
        took = [
            (trial.datetime_complete - trial.datetime_start).total_seconds()
            for trial in done
            if trial.state == TrialState.COMPLETE and trial.datetime_complete and trial.datetime_start
        ]
        standing: dict[str, Any] = {
            "trials": self.trials,
            "done": len(done),
            "best": None if best is None else round(best.value or 0.0, 4),
            "workers": max(1, sum(trial.state == TrialState.RUNNING for trial in counted)),
            "trial_seconds": sum(took) / len(took) if took else None,
        }
        if number is not None:
            standing["trial"] = sum(each.number <= number for each in counted)
        return standing

    def _begins(self, standing: dict[str, Any], drawn: dict[str, Any]) -> str:
        told = ", ".join(f"{name} {value:.3g}" for name, value in drawn.items())
        return f"Trial {standing['trial']} of {self.trials}: {told}."

    def _left(self, standing: dict[str, Any], step: Any) -> float:
        """Seconds to the end of the search, and of the round's training after it."""
        from training.search_trial import TRIAL_SHARE

        own = time.monotonic() - self._began + step.eta_seconds
        whole = standing["trial_seconds"] or own
        after = max(0, self.trials - standing["done"] - standing["workers"])
        # The round trains longer than a trial, and with the images that compared the trials too.
        images = len(self.bench.train) + len(self.bench.validation)
        training = whole / TRIAL_SHARE * images / max(1, len(self.bench.train))
        return round(step.eta_seconds + whole * after / standing["workers"] + training, 1)


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
    "pruned", "failed", "images": those that compared, "warm", "importance"}. Raises SearchError where no trial ran to
    its end, and as Searcher.take_part.
    """
    storage = _storage(address, out, beat, grace)
    study = patiently(lambda: make_study(storage, name, bench, trials))
    _searcher(bench, study, storage, trials, LEADER, tell, train_and_judge, grace).take_part()
    found = patiently(lambda: _found(study, bench))
    patiently(lambda: study.set_user_attr("importance", found["importance"]))
    settings = chosen_settings(bench.settings, found["settings"])
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
