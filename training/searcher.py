"""One process that takes trials of a search (training/search.py): draws settings, has them tried, says what came."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import optuna
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from training.search_space import space_around
from training.search_storage import (
    GRACE_SECONDS,
    Heart,
    best_of,
    bury_dead,
    bury_own,
    done_of,
    give_back,
    patiently,
    take_place,
    used_places,
)
from training.settings import DetectorSettings

if TYPE_CHECKING:
    from training.search_trial import Bench, Judged

LEADER = "leader"
# So many are drawn at random before the sampler has learned something.
RANDOM_TRIALS = 8
WAIT_SECONDS = 0.5

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
                judged = self.train_and_judge(self.bench, replace(self.bench.settings, **drawn), look, tell)
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
