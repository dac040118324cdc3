"""Single cells through MILLIE's network (Manescu et al. 2023): how far each alone speaks for a diagnosis, and where it
lies in the space in which the network tells cells apart. No cell needs a label."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
from django.db.models import F
from numpy.typing import NDArray

from annotation.cell_crops import cells_to_classify
from annotation.models import Study
from inference.cell_feature_jobs import Extractor, compute
from inference.diagnosis import DiagnosisProblem
from inference.diagnosis_looks import OWN
from inference.models import CellFeatures
from training.bundle import BundleError
from training.models import Bundle, Kind

if TYPE_CHECKING:
    from training.diagnosis_bundle import DiagnosisModel

Values = NDArray[np.float64]
Features = NDArray[np.float32]
Progress = Callable[[int, int], bool]

NO_MILLIE = "No MILLIE is in use in this study: launch a round of it, or use one of its bundles."
NO_CELLS = "There is no cell to score: nobody has drawn or accepted a border."


class Ended(Exception):
    """The end was asked for."""


@dataclass(frozen=True)
class PatientFeatures:
    """The cells (n,) of one patient, or of an image that came without one, what a backbone sees of them (n, C), and the
    sha256 of their images."""

    cells: list[UUID]
    features: Features
    images: set[str]


def millie_of(study: Study) -> Bundle | None:
    """The MILLIE in use. One query."""
    return Bundle.objects.filter(study=study, kind=Kind.MIL, in_use=True).first()


def decisions_of(bundle: Bundle | None) -> list[str]:
    """What a bundle decides, by name."""
    stated = (bundle.card.get("architecture") or {}).get("decisions") or () if bundle else ()
    return [str(each["name"]) for each in stated]


def alone(
    study: Study, bundle: Bundle, extractor: Callable[[str], Extractor], progress: Progress | None = None
) -> tuple[list[UUID], Mapping[str, Values]]:
    """By decision the probability (n,) of its first diagnosis by each cell alone. Cells of a patient that the bundle
    was taught on are scored by the chain that had not seen the patient.

    `progress` is told how many of how many cells have features, and ends the pass by returning False, which raises
    Ended. Raises DiagnosisProblem.
    """
    model = _loaded(bundle)
    cells: list[UUID] = []
    found: dict[str, list[Values]] = {decision.name: [] for decision in model.decisions}
    for own in _patients(study, model, extractor, progress):
        _, chain = model.chain_for(own.images)
        seen = chain.cells(own.features)
        cells += own.cells
        for decision in model.decisions:
            step: Any = chain.steps[decision.name]
            found[decision.name].append(_first(step.alone(seen)))
    if not cells:
        raise DiagnosisProblem(NO_CELLS)
    return cells, {name: np.concatenate(each) for name, each in found.items()}


def space(
    study: Study,
    bundle: Bundle,
    decision: str,
    extractor: Callable[[str], Extractor],
    progress: Progress | None = None,
) -> tuple[list[UUID], Features]:
    """Cells, in the order of their ids, and what the units (n, U) of MILLIE's networks for a decision say of each
    before cells are pooled. By the chain taught on all patients, as spaces of several cannot be compared: a picture of
    what the network sees, which judges nothing. Raises as alone()."""
    model = _loaded(bundle)
    if decision not in decisions_of(bundle):
        raise DiagnosisProblem(f"The bundle {bundle.pk} does not decide {decision!r}.")
    chain = model.chains["all"]
    step: Any = chain.steps[decision]
    cells: list[UUID] = []
    tables: list[Features] = []
    for own in _patients(study, model, extractor, progress):
        seen = chain.cells(own.features)
        cells += own.cells
        tables.append(np.concatenate([net.units(seen.features) for net in step.nets], axis=1).astype(np.float32))
    if not cells:
        raise DiagnosisProblem(NO_CELLS)
    order = sorted(range(len(cells)), key=lambda place: cells[place].bytes)
    return [cells[place] for place in order], np.concatenate(tables)[order]


def _loaded(bundle: Bundle) -> "DiagnosisModel":
    # Imported here: the web process never loads what these are made of.
    from training.diagnosis_bundle import DiagnosisModel

    if bundle.kind != Kind.MIL:
        raise DiagnosisProblem(f"The bundle {bundle.pk} is no MILLIE: it says nothing of single cells.")
    try:
        model = DiagnosisModel.load(bundle.folder)
    except BundleError as problem:
        raise DiagnosisProblem(str(problem)) from problem
    if model.colours != OWN:
        raise DiagnosisProblem(
            f"The bundle {bundle.pk} looks at cells in the colours of a reference; single cells are scored in their "
            "own: use one of a round with colours=own."
        )
    return model


def _first(scores: Values) -> Values:
    """The softmax (n,) of the first of K scores (n, K)."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    first: Values = raised[:, 0] / raised.sum(axis=1)
    return first


def _patients(
    study: Study, model: "DiagnosisModel", extractor: Callable[[str], Extractor], progress: Progress | None
) -> Iterator[PatientFeatures]:
    """Patient by patient; features that are missing are computed first."""
    eye = extractor(model.backbone.partition("/")[0])
    if eye.name != model.backbone:
        raise DiagnosisProblem(f"The bundle wants features of {model.backbone}; {eye.name} is what sees cells here.")
    going = [True]

    def told(done: int, total: int) -> bool:
        going[0] = progress is None or progress(done, total)
        return going[0]

    compute(study, eye, told)
    if not going[0]:
        raise Ended
    rows = CellFeatures.objects.filter(cell__in=cells_to_classify(study), backbone=eye.name)
    ordered = rows.order_by(F("cell__image__patient").asc(nulls_last=True), "cell__image", "cell")
    listed = ordered.values_list("cell_id", "cell__image__patient", "cell__image", "cell__image__sha256", "vector")
    for _, group in groupby(listed.iterator(chunk_size=2_000), key=lambda row: row[1] or f"image {row[2]}"):
        own = list(group)
        table = np.frombuffer(b"".join(bytes(row[4]) for row in own), dtype="<f2").reshape(len(own), -1)
        yield PatientFeatures([row[0] for row in own], table.astype(np.float32), {row[3] for row in own})
