"""The effort curve: what the proposals of each round cost people to correct, and whether the loop still gains.

Rounds are held beside each other by corrections per cell (moved, deleted and added over accepted, moved and added) on
finished images. How sure that is comes from a bootstrap over images: cells of one image resemble each other, images
less so. Each round was corrected on other images, so that a difference may also be one of the images.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from django.contrib.auth.models import User

from annotation.effort import Effort, Work, total, work_on_finished
from annotation.models import SmearImage, Study
from training.models import Round

RESAMPLES = 1000
LEVEL = 0.95
_LEVEL_SAID = "95 %"
# With fewer an interval says nothing that can be relied on.
LEAST_IMAGES, LEAST_CELLS = 5, 100
# A round that saves less than this share of the corrections is hardly worth its training.
WORTHWHILE = 0.10
# Names of methods that need no training begin so (ProposalRun.bundle).
_FIRST = "watershed"
_SEED = 20_190_412

Interval = tuple[float, float]
Key = TypeVar("Key")


@dataclass(frozen=True)
class Gain:
    """A round beside the one before it.

    verdict: gains, converged, worse, unclear, few (too few cells to tell) or none (nothing was left to correct).
    saved: share of the corrections per cell that the round saved, negative where it needs more; None where it cannot be
    said. interval: of `saved`; difference: of the corrections per cell, new less old. Both of LEVEL.
    """

    verdict: str
    sentence: str
    saved: float | None = None
    interval: Interval | None = None
    difference: Interval | None = None


@dataclass(frozen=True)
class Stage:
    """The proposals of one round and what people made of them.

    number: of the round, 0 for the first proposals, None for what is no round of the study: a bundle from elsewhere, or
    (bundle "") cells drawn where nothing had been proposed. interval: of corrections per cell.
    """

    bundle: str
    number: int | None
    round_id: int | None
    effort: Effort
    interval: Interval | None
    works: Sequence[Work]
    gain: Gain | None = None

    @property
    def name(self) -> str:
        if self.number == 0:
            return "First proposals"
        if self.number is not None:
            return f"Round {self.number}"
        return f"Bundle {self.bundle}" if self.bundle else "Drawn by hand"


@dataclass(frozen=True)
class Curve:
    """The stages of a study: the first proposals and its rounds in their order, then whatever else was corrected."""

    stages: Sequence[Stage]
    works: Sequence[Work]

    @property
    def rounds(self) -> list[Stage]:
        return [stage for stage in self.stages if stage.number is not None]

    @property
    def statement(self) -> Gain:
        return statement(self.rounds)

    def round(self, number: str | None) -> Stage | None:
        """The stage of that number, as an address has it; None where there is no such one."""
        return next((stage for stage in self.rounds if str(stage.number) == number), None)


def effort_curve(study: Study) -> Curve:
    """The effort of a study's rounds, as count_effort has counted it (annotation/effort.py). Two queries."""
    works = work_on_finished(study)
    made: dict[str, tuple[int, int]] = {}
    numbered = Round.objects.filter(study=study, bundle__isnull=False).order_by("-number")
    for bundle_id, *made_by in numbered.values_list("bundle_id", "number", "pk"):
        # The same bundle made twice is of the round that made it first.
        made[bundle_id] = (made_by[0], made_by[1])
    # Every version of the method that needs no training is one stage.
    by_bundle = grouped(works, (_FIRST if work.bundle.startswith(_FIRST) else work.bundle for work in works))
    order = sorted(by_bundle, key=lambda bundle: _place(bundle, made))
    stages: list[Stage] = []
    before: tuple[int, _Sample] | None = None
    for bundle in order:
        number, round_id = _numbered(bundle, made)
        sample = _Sample(by_bundle[bundle], number)
        if number is None and not (sample.effort.cells or sample.effort.deleted):
            # Images that an import finished, say: nobody had anything to do there.
            continue
        gain = None
        if number is not None:
            gain = compare(*before, number, sample) if before else None
            before = number, sample
        stages.append(Stage(bundle, number, round_id, sample.effort, sample.interval, by_bundle[bundle], gain))
    return Curve(stages, works)


def _numbered(bundle: str, made: Mapping[str, tuple[int, int]]) -> tuple[int | None, int | None]:
    if bundle == _FIRST:
        return 0, None
    return made.get(bundle, (None, None))


def _place(bundle: str, made: Mapping[str, tuple[int, int]]) -> tuple[int, int, str]:
    if bundle == _FIRST:
        return (0, 0, bundle)
    if bundle in made:
        return (0, made[bundle][0], bundle)
    return (1, 0, bundle) if bundle else (2, 0, bundle)


def grouped(works: Iterable[Work], keys: Iterable[Key]) -> dict[Key, list[Work]]:
    """Work by a key that stands beside each piece of it."""
    found: dict[Key, list[Work]] = defaultdict(list)
    for work, key in zip(works, keys, strict=True):
        found[key].append(work)
    return dict(found)


class _Sample:
    """The images of one stage, and RESAMPLES draws of as many images from them, with replacement."""

    def __init__(self, works: Sequence[Work], number: int | None) -> None:
        self.effort = total(works)
        images = [total(of_image) for of_image in grouped(works, (work.image_id for work in works)).values()]
        corrections = np.array([image.corrections for image in images], dtype=float)
        cells = np.array([image.cells for image in images], dtype=float)
        self.enough = self.effort.images >= LEAST_IMAGES and self.effort.cells >= LEAST_CELLS
        self.rates = np.empty(0)
        if self.enough:
            # Of its own, so that a round's interval does not depend on which others there are.
            random = np.random.default_rng([_SEED, number or 0])
            drawn = random.integers(0, len(images), (RESAMPLES, len(images)))
            drawn_cells = cells[drawn].sum(axis=1)
            self.rates = corrections[drawn].sum(axis=1) / np.maximum(drawn_cells, 1)

    @property
    def interval(self) -> Interval | None:
        return _interval(self.rates) if self.enough else None


def _interval(values: np.ndarray) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


# --- by whom, on whose cells ---


@dataclass(frozen=True)
class Share:
    """The effort of one annotator or on one patient; `key` is None where it is nobody's."""

    key: int | None
    name: str
    effort: Effort


def by_annotator(works: Sequence[Work], only: int | None = None) -> list[Share]:
    """By whom the work was done, the most cells first; `only` leaves one user. One query."""
    parts = grouped(works, (work.user_id for work in works))
    names = dict(User.objects.filter(pk__in=[key for key in parts if key]).values_list("pk", "username"))
    shares = (Share(key, names.get(key or 0, "unknown"), total(own)) for key, own in parts.items())
    return _by_cells(share for share in shares if only is None or share.key == only)


def by_patient(study: Study, works: Sequence[Work]) -> list[Share]:
    """On whose cells the work was done, the most cells first. One query."""
    rows = SmearImage.objects.filter(study=study).order_by().values_list("pk", "patient_id", "patient__code")
    patients = {image_id: (patient_id, code) for image_id, patient_id, code in rows}
    parts = grouped(works, (patients.get(work.image_id, (None, None)) for work in works))
    return _by_cells(Share(key, code or "No patient", total(own)) for (key, code), own in parts.items())


def _by_cells(shares: Iterable[Share]) -> list[Share]:
    # That nobody had to do anything on an image is nobody's work.
    worked = (share for share in shares if share.effort.cells or share.effort.deleted or share.effort.seconds)
    return sorted(worked, key=lambda share: (-share.effort.cells, share.name))


# --- whether the loop still gains ---


def compare(old_number: int, old: _Sample, new_number: int, new: _Sample) -> Gain:
    """Say whether a round gained over the one before."""
    name, before = _named(new_number), _named(old_number)
    for number, sample in ((new_number, new), (old_number, old)):
        if not sample.enough:
            return Gain("few", _too_few(number, sample.effort))
    was, is_ = old.effort.corrections_per_cell or 0.0, new.effort.corrections_per_cell or 0.0
    difference = _interval(new.rates - old.rates)
    if was == 0:
        if is_ == 0:
            return Gain("none", f"Neither {name} nor {before} needed a correction: nothing is left to gain.", 0.0)
        sentence = f"{_upper(name)} needs {is_:.2g} corrections per cell, where {before} needed none."
        return Gain("worse" if difference[0] > 0 else "unclear", sentence, None, None, difference)
    saved = 1 - is_ / was
    # Where a draw of the old round holds no correction, no share of it can be told: as good as nothing saved.
    low, high = _interval(1 - new.rates / np.maximum(old.rates, was / 1000))
    interval = f"{_LEVEL_SAID} interval {_percent(low)} to {_percent(high)} %"
    if difference[0] <= 0 <= difference[1]:
        told = f"{_upper(name)} cannot be told apart from {before}: {_saved(saved)} ({interval})"
        if max(abs(low), abs(high)) < WORTHWHILE:
            verdict, sentence = "converged", f"{told}. Borders have converged."
        else:
            verdict, sentence = "unclear", f"{told}. More finished images would tell."
    elif saved < 0:
        more = f"{_upper(name)} needs {_percent(-saved)} % more corrections than {before}"
        fewer = f"{_LEVEL_SAID} interval {_percent(-high)} to {_percent(-low)} %"
        verdict, sentence = "worse", f"{more} ({fewer}): it did not help."
    elif saved < WORTHWHILE:
        verdict = "converged"
        sentence = f"{_upper(name)} saved {_percent(saved)} % over {before} ({interval}): borders have converged."
    else:
        verdict = "gains"
        fewer = f"{_upper(name)} needs {_percent(saved)} % fewer corrections than {before}"
        sentence = f"{fewer} ({interval}): another round pays."
    return Gain(verdict, sentence, saved, (low, high), difference)


def statement(rounds: Sequence[Stage]) -> Gain:
    """Whether the loop still gains, by its last round; where that one has too few cells, also by the one before."""
    if not rounds:
        return Gain("few", "No finished image had proposals yet: there is no effort to speak of.")
    last = rounds[-1]
    if last.gain is None:
        rate = last.effort.corrections_per_cell
        took = "" if rate is None else f" at {rate:.2f} corrections per cell"
        return Gain(
            "few",
            f"Only {_named(last.number or 0)} {'have' if last.number == 0 else 'has'} been corrected so far{took}: "
            "the next round's proposals will show whether training pays.",
        )
    earlier = next((stage.gain for stage in reversed(rounds[:-1]) if stage.gain and stage.gain.verdict != "few"), None)
    if last.gain.verdict == "few" and earlier is not None:
        return Gain("few", f"{last.gain.sentence} Before it: {earlier.sentence}")
    return last.gain


def _too_few(number: int, found: Effort) -> str:
    cells = f"{found.cells} cell{'' if found.cells == 1 else 's'}"
    images = f"{found.images} image{'' if found.images == 1 else 's'}"
    verb = "have" if number == 0 else "has"
    return (
        f"Too few cells to tell: {_named(number)} {verb} {cells} on {images} finished so far, "
        f"and {LEAST_CELLS} on {LEAST_IMAGES} are needed."
    )


def _named(number: int) -> str:
    return "the first proposals" if number == 0 else f"round {number}"


def _upper(name: str) -> str:
    return name[0].upper() + name[1:]


def _percent(share: float) -> str:
    text = f"{100 * share:.0f}"
    return "0" if text == "-0" else text.replace("-", "−")


def _saved(share: float) -> str:
    return f"{_percent(share)} % saved" if share >= 0 else f"{_percent(-share)} % more corrections"
