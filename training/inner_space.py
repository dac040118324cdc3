"""What a search inside the training patients may choose, by what is trained. Free of torch and Optuna: the web process
reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.classifier_settings import ClassifierSettings
from training.diagnosis_settings import POOLINGS, EnsembleSettings, ImageSettings, MilSettings
from training.search_space import MOST_TRIALS, Dimension
from training.settings import SettingsError


@dataclass(frozen=True)
class Options:
    """One setting that is chosen among these."""

    name: str
    title: str
    choices: tuple[str, ...]


Space = Sequence[Dimension | Options]

_ENSEMBLE: Space = (
    Dimension("units", "Units", 1, 32, log=True, whole=True),
    Dimension("penalty", "Penalty", 1e-4, 1.0, log=True),
    Dimension("images", "Images drawn", 5, 60, whole=True),
    Dimension("cells", "Cells an image", 10, 60, whole=True),
)
_MIL: Space = (
    Options("pooling", "Pooling", POOLINGS),
    Dimension("control", "Stain taken off", 0.0, 1.0),
    Dimension("units", "Units", 8, 128, log=True, whole=True),
    Dimension("lr", "Learning rate", 1e-3, 2e-2, log=True),
    Dimension("weight_decay", "Weight decay", 1e-3, 0.5, log=True),
    Dimension("dropout", "Dropout", 0.0, 0.6),
)
_HEAD: Space = (
    Dimension("penalty", "Penalty", 1e-5, 1e-2, log=True),
    Dimension("directions", "Directions", 25, 400, log=True, whole=True),
    Dimension("balance", "Balance", 0.0, 1.0),
)
_LAYERS: Space = (
    Dimension("layers", "Layers", 1, 3, whole=True),
    Dimension("units", "Units", 32, 512, log=True, whole=True),
    Dimension("dropout", "Dropout", 0.0, 0.6),
)

TITLES = {each.name: each.title for space in (_ENSEMBLE, _MIL, _LAYERS, _HEAD) for each in space} | {"views": "Views"}
LOGARITHMIC = frozenset(
    each.name
    for space in (_ENSEMBLE, _MIL, _HEAD, _LAYERS)
    for each in space
    if isinstance(each, Dimension) and each.log
)


def space_of(settings: Any) -> Space:
    """The space of a round with these settings. Raises SettingsError, with one sentence, where it has none."""
    if isinstance(settings, EnsembleSettings):
        return _ENSEMBLE
    if isinstance(settings, MilSettings):
        return _MIL
    if isinstance(settings, ClassifierSettings):
        learns = getattr(settings, "learns", "head")
        if learns in ("head", "layers"):
            # Views that are not computed cannot be learned from.
            views = [Dimension("views", "Views", 0, settings.views, whole=True)] if settings.views else []
            return [*(_HEAD if learns == "head" else _LAYERS), *views]
        raise SettingsError(
            "Networks that see crops search for no settings: each trial would take as long as the round."
        )
    if isinstance(settings, ImageSettings):
        raise SettingsError(
            "A round of whole images searches for no settings: each trial would teach more networks than the round."
        )
    raise SettingsError("A round of this kind searches for no settings.")


def check_inner_trials(trials: int, settings: Any) -> None:
    """Raises SettingsError, with one sentence, where a round with these settings cannot search so."""
    if not 0 <= trials <= MOST_TRIALS:
        raise SettingsError(f"The number of search trials must be from 0 to {MOST_TRIALS}, not {trials}.")
    if trials:
        space_of(settings)
