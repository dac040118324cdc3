"""What a search may choose, and how far: the paper's space around the settings as given. Free of torch and Optuna."""

from dataclasses import dataclass, replace

from training.settings import FIELDS, DetectorSettings, SettingsError

MOST_TRIALS = 500
# The schedule may become so much shorter or longer than the one as given.
SHORTER, LONGER = 0.6, 1.5
# IoUs that are tried on what a trial's network found; no network is trained for them. The score thresholds tried with
# them are those of training/corrections.py.
NMS_CHOICES = (0.3, 0.4, 0.5, 0.6, 0.7)


class SearchError(ValueError):
    """A search that cannot be made, joined or gone on with; one sentence."""


@dataclass(frozen=True)
class Dimension:
    """One setting that the sampler draws, from `low` to `high`, both within."""

    name: str
    title: str
    low: float
    high: float
    log: bool = False
    whole: bool = False

    def holding(self, value: float) -> "Dimension":
        """The same, stretched so far that `value` lies within: the settings as given are always the first trial."""
        return replace(self, low=min(self.low, value), high=max(self.high, value))


_DIMENSIONS = (
    Dimension("lr", "Learning rate", 1e-3, 0.05, log=True),
    Dimension("momentum", "Momentum", 0.7, 0.97),
    Dimension("weight_decay", "Weight decay", 1e-6, 1e-2, log=True),
    Dimension("warmup", "Warmup share", 0.05, 0.5),
    Dimension("scale", "Scale augmentation", 0.0, 0.5),
    Dimension("colour", "Colour augmentation", 0.0, 2.0),
    Dimension("brightness", "Brightness augmentation", 0.0, 2.0),
)
_EPOCHS = Dimension("epochs", "Epochs", 1, 1, whole=True)

# The score threshold is none of them: a round chooses it by the same rule on what its own network finds.
TITLES = {each.name: each.title for each in (*_DIMENSIONS, _EPOCHS)} | {"nms": "NMS IoU"}
LOGARITHMIC = frozenset(each.name for each in _DIMENSIONS if each.log)


def space_around(settings: DetectorSettings, epochs: int) -> list[Dimension]:
    """The dimensions of a search from these settings; `epochs` is the length of the schedule that they mean."""
    dimensions = []
    for each in _DIMENSIONS:
        value = float(getattr(settings, each.name))
        # A logarithm has no place for 0, which may be given: the least value stands for it.
        dimensions.append(each if each.log and value <= 0 else each.holding(value))
    shortest, longest = max(1, round(SHORTER * epochs)), max(epochs + 1, round(LONGER * epochs))
    most = int(FIELDS["epochs"].metadata["most"])
    dimensions.append(replace(_EPOCHS, low=min(shortest, most - 1), high=min(longest, most)))
    return dimensions


def as_given(settings: DetectorSettings, epochs: int) -> dict[str, float | int]:
    """The point of the space where these settings lie."""
    point: dict[str, float | int] = {}
    for each in space_around(settings, epochs):
        value = epochs if each.name == "epochs" else getattr(settings, each.name)
        point[each.name] = min(max(value, each.low), each.high) if not each.whole else int(min(value, each.high))
    return point


def check_trials(trials: int, settings: DetectorSettings) -> None:
    """Raises SettingsError, with one sentence, where a round with these settings cannot search so."""
    if not 0 <= trials <= MOST_TRIALS:
        raise SettingsError(f"The number of search trials must be from 0 to {MOST_TRIALS}, not {trials}.")
    if trials and settings.folds:
        raise SettingsError("A cross-validated round cannot search: every patient judges.")
