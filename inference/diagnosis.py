"""What bundles suspect of patients: from their cells' features to probabilities, ratios and the cells that speak for
it."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db.models import QuerySet
from numpy.typing import NDArray
from PIL import Image

from annotation.cell_crops import crops_of, typical_px
from annotation.diagnoses import UNKNOWN
from annotation.models import Cell, Patient, SmearImage, Study
from annotation.store import ImageStore
from inference.cell_feature_jobs import Extractor, compute, default_extractor
from inference.diagnosis_looks import OWN, Look, features_by_look
from inference.diagnosis_said import Diagnosed, DiagnosisProblem, Said, decided
from inference.image_diagnosis import ImageModels
from inference.models import vectors_of
from training.bundle import BundleError
from training.crop_features import Stopped
from training.models import Bundle, Kind
from training.rounds import diagnosis_views

__all__ = ["Diagnosed", "DiagnosisProblem", "Models", "Pass", "Said", "chosen_models", "diagnose_patients"]

Features = NDArray[np.float32]

# Cells that speak most for what is suspected, and are named.
SPEAKING = 10
NO_CELL = "The patient has no cell that was seen: detect or draw cells first."
NOT_VIABLE = "The patient has no viable nucleated cell: there is nothing to diagnose by."


class Models:
    """Bundles that diagnose, loaded: all by one backbone."""

    def __init__(self, bundles: Sequence[Bundle]) -> None:
        """Raises DiagnosisProblem for files that are gone or damaged, and for bundles of several backbones."""
        # Imported here: the web process never loads what these are made of.
        from training.diagnosis_bundle import DiagnosisModel

        try:
            self.loaded = [(bundle, DiagnosisModel.load(bundle.folder)) for bundle in bundles]
        except BundleError as problem:
            raise DiagnosisProblem(str(problem)) from problem
        backbones = {model.backbone for _, model in self.loaded}
        if len(backbones) > 1:
            raise DiagnosisProblem(
                f"The bundles see cells by different backbones, {' and '.join(sorted(backbones))}: ask for one after "
                "the other."
            )
        self.backbone = backbones.pop()

    def eye(self, extractor: Callable[[str], Extractor] = default_extractor) -> Extractor:
        """Raises DiagnosisProblem where cells cannot be seen here as the bundles want them."""
        eye = extractor(self.backbone.partition("/")[0])
        if eye.name != self.backbone:
            raise DiagnosisProblem(f"The bundles want features of {self.backbone}; {eye.name} is what sees cells here.")
        return eye

    @property
    def looks(self) -> set[Look]:
        """As what they want to see cells beside how these are (inference/diagnosis_looks.py)."""
        wanted = {(model.colours, number) for _, model in self.loaded for number in range(model.views + 1)}
        return wanted - {(OWN, 0)}

    def diagnose(
        self,
        patient: str,
        features: Features,
        images: set[str],
        cells: Sequence[Any] = (),
        looks: Mapping[Look, Features] | None = None,
    ) -> Diagnosed:
        """One patient, of the features (n, C) of its cells and the sha256 of its images; `cells` (n,) name them.
        `looks`: features of the same cells by what `self.looks` asks for; views that are not at hand are left out.
        Raises DiagnosisProblem where a bundle wants other colours than are at hand."""
        from training.diagnosis_teachers import MilStep
        from training.ratios import LEAST_CELLS, ratios_of

        found = Diagnosed(patient, cells=len(features), images=len(images))
        if not len(features):
            found.reason = NO_CELL
            return found
        for bundle, model in self.loaded:
            name, chain = model.chain_for(images)
            seen = chain.cells(*_as_wanted(bundle, model, features, looks or {}))
            if seen.reading is not None:
                if float(seen.reading.viable.sum()) < LEAST_CELLS:
                    return Diagnosed(patient, len(features), len(images), reason=NOT_VIABLE)
                if not found.counts:
                    ratios, found.left_out = ratios_of(seen.reading)
                    found.ratios = {role: ratio.as_dict() for role, ratio in ratios.items()}
                    taken = np.bincount(seen.reading.types.argmax(axis=1), minlength=len(seen.reading.names))
                    found.counts = dict(zip(seen.reading.names, taken.tolist(), strict=True))
            for decision in model.decisions:
                step = chain.steps[decision.name]
                chances = model.calibrations[decision.name].probabilities(step.scores(seen)[None])[0]
                found.said.append(decided(bundle, decision, chances, model.threshold(decision), name))
                if isinstance(step, MilStep) and not found.speaking and len(cells):
                    alone = step.alone(seen)
                    score = alone[:, 0] - alone[:, 1:].max(axis=1)
                    order = np.argsort(-score)[:SPEAKING]
                    found.speaking = [(cells[row], float(score[row])) for row in order.tolist()]
        return found


def _as_wanted(
    bundle: Bundle, model: Any, features: Features, looks: Mapping[Look, Features]
) -> tuple[Features, list[Features]]:
    """Of a patient's cells what a bundle looks at, and the views that are at hand."""
    if model.colours != OWN and (model.colours, 0) not in looks:
        raise DiagnosisProblem(
            f"The bundle {bundle.pk} looks at cells in the colours of a reference, which are not made here: use one of "
            "a round with colours=own."
        )
    views = [looks[model.colours, number] for number in range(1, model.views + 1) if (model.colours, number) in looks]
    return features if model.colours == OWN else looks[model.colours, 0], views


def chosen_models(study: Study | None, bundle_ids: Sequence[str]) -> list[Bundle]:
    """The bundles named, of whatever study, else those in use in the study. Raises DiagnosisProblem."""
    if not bundle_ids:
        found = list(Bundle.objects.filter(study=study, kind__in=Kind.reporting(), in_use=True).order_by("kind"))
        if not found:
            where = f"The study {study.name} has" if study else "There is"
            raise DiagnosisProblem(f"{where} no bundle that diagnoses: train an ensemble or MILLIE, or name a bundle.")
        return found
    by_id = Bundle.objects.in_bulk(bundle_ids)
    for each in bundle_ids:
        if each not in by_id:
            raise DiagnosisProblem(f"There is no bundle {each!r}.")
        if not Kind(by_id[each].kind).diagnoses:
            raise DiagnosisProblem(f"The bundle {each} is a {by_id[each].kind}, which diagnoses nobody.")
    return [by_id[each] for each in dict.fromkeys(bundle_ids)]


def cells_of(patients: Iterable[Patient] | QuerySet[Patient]) -> QuerySet[Cell]:
    """The cells that enter a diagnosis: as people see them, without those that were picked for their kind."""
    return cells_in(SmearImage.objects.filter(patient__in=patients).representative())


def cells_in(images: Iterable[SmearImage] | QuerySet[SmearImage]) -> QuerySet[Cell]:
    """The cells of images that a diagnosis looks at."""
    return Cell.objects.filter(image__in=images, ignored=False).shown().exclude(border__kind="point")


@dataclass(frozen=True)
class Pass:
    """What was said of patients, seconds by stage, and the sha256 of images that are gone from the store."""

    diagnosed: list[Diagnosed]
    seconds: Mapping[str, float]
    missing: tuple[str, ...]


def diagnose_patients(
    study: Study,
    patients: Sequence[Patient],
    bundles: Sequence[Bundle],
    progress: Callable[[int, int], bool] | None = None,
    extractor: Callable[[str], Extractor] = default_extractor,
) -> Pass:
    """Patients of a study, whether or not anybody labelled a cell or knows a diagnosis there. Features that are missing
    are computed first and stored; bundles of whole images need none. Raises DiagnosisProblem."""
    clock = _Clock()
    of_images = [bundle for bundle in bundles if bundle.kind == Kind.IMAGE]
    of_cells = [bundle for bundle in bundles if bundle.kind != Kind.IMAGE]
    image_models = ImageModels(of_images) if of_images else None
    found = [Diagnosed(each.code) for each in patients]
    missing: set[str] = set()
    if of_cells:
        found, missing = _by_cells(study, patients, of_cells, progress, extractor, clock)
    if image_models is not None:
        missing |= _by_images(patients, found, image_models, progress)
        clock.stage("images")
    return Pass(found, clock.seconds, tuple(sorted(missing)))


def _by_cells(
    study: Study,
    patients: Sequence[Patient],
    bundles: Sequence[Bundle],
    progress: Callable[[int, int], bool] | None,
    extractor: Callable[[str], Extractor],
    clock: "_Clock",
) -> tuple[list[Diagnosed], set[str]]:
    models = Models(bundles)
    eye = models.eye(extractor)
    clock.stage("loading")
    cells = cells_of(patients)
    made = compute(study, eye, progress, cells)
    ids, features = vectors_of(cells, eye.name)
    clock.stage("features")
    rows: dict[int, list[int]] = defaultdict(list)
    images: dict[int, set[str]] = defaultdict(set)
    owner: dict[UUID, tuple[int, str]] = {
        cell: (patient, sha256)
        for cell, patient, sha256 in cells.order_by().values_list("pk", "image__patient_id", "image__sha256")
        if patient is not None
    }
    for row, cell in enumerate(ids):
        patient, sha256 = owner[cell]
        rows[patient].append(row)
        images[patient].add(sha256)
    looks: Mapping[Look, Features] = {}
    if models.looks and len(ids):
        try:
            looks = _looks(study, models.looks, cells, ids, owner, eye, progress)
        except Stopped:
            # Whoever asked for the end takes nothing of what is said.
            return [Diagnosed(each.code) for each in patients], set(made.missing)
        clock.stage("views")
    found = []
    for each in patients:
        own = rows[each.pk]
        named = [ids[row] for row in own]
        seen = {look: table[own] for look, table in looks.items()}
        found.append(models.diagnose(each.code, features[own], images[each.pk], named, seen))
    clock.stage("diagnosis")
    return found, set(made.missing)


def _looks(
    study: Study,
    wanted: set[Look],
    cells: QuerySet[Cell],
    ids: Sequence[UUID],
    owner: Mapping[UUID, tuple[int, str]],
    eye: Extractor,
    progress: Callable[[int, int], bool] | None,
) -> Mapping[Look, Features]:
    """Features of the cells `ids` as bundles want to look at them. Raises Stopped where `progress` ends it."""
    store = ImageStore(Path(settings.IMAGE_STORE))
    squares = {crop.cell: crop for crop in crops_of(cells, typical_px(study))}
    shown = [(squares[cell].sha256, squares[cell].square, str(owner[cell][0])) for cell in ids]

    def goes_on() -> bool:
        return progress is None or progress(0, len(ids))

    opened = lru_cache(maxsize=1)(partial(_opened, store))
    return features_by_look(wanted, shown, opened, eye, diagnosis_views(study.pk), goes_on)


def _by_images(
    patients: Sequence[Patient],
    found: Sequence[Diagnosed],
    models: ImageModels,
    progress: Callable[[int, int], bool] | None,
) -> set[str]:
    """Add what whole images say; the sha256 of those that are gone. One query."""
    store = ImageStore(Path(settings.IMAGE_STORE))
    shown = SmearImage.objects.filter(patient__in=patients).representative()
    images: dict[int, list[str]] = defaultdict(list)
    for owner, sha256 in shown.order_by("sha256").values_list("patient_id", "sha256"):
        if owner is not None:
            images[owner].append(sha256)
    missing: set[str] = set()
    for number, (patient, each) in enumerate(zip(patients, found, strict=True)):
        if progress is not None and not progress(number, len(patients)):
            break
        missing |= set(models.say(each, {sha256: partial(_opened, store, sha256) for sha256 in images[patient.pk]}))
    return missing


def _opened(store: ImageStore, sha256: str) -> Image.Image:
    with Image.open(store.pixels(sha256)) as file:
        return file.convert("RGB")


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def stage(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = round(now - self._last, 3)
        self._last = now


def known_diagnoses(study: Study) -> dict[str, str]:
    """By code the diagnosis of the patients of whom one is known."""
    known = Patient.objects.filter(study=study).exclude(diagnosis=UNKNOWN)
    return dict(known.values_list("code", "diagnosis"))
