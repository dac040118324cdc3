"""What classifiers' bundles say of the cells of a study, whether or not somebody has labelled them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from django.db.models import QuerySet
from numpy.typing import NDArray

from annotation.label_names import same_name
from annotation.models import Cell, ImageName, Label, Study
from inference.cell_feature_jobs import Extractor, Made, compute, default_extractor
from inference.models import vectors_of
from inference.probabilities import write_probabilities
from training.bundle import BundleError
from training.models import Bundle, Kind

Probabilities = dict[str, NDArray[np.float64]]


class ClassifyProblem(Exception):
    """Cells cannot be classified; the message says why in one sentence."""


@dataclass(frozen=True)
class Classified:
    """Cells of the study that have features, in order, and for each bundle what it says of them: (n,) by label."""

    study: Study
    cells: Sequence[UUID]
    by_bundle: Sequence[tuple[Bundle, Probabilities]]
    made: Made

    @property
    def labels(self) -> dict[str, NDArray[np.float64]]:
        """By label what the bundle says that came first; one that tells the label alone goes before one of a group."""
        ordered = sorted(self.by_bundle, key=lambda each: "label" not in each[0].target)
        found: dict[str, NDArray[np.float64]] = {}
        for _, told in ordered:
            for name, values in told.items():
                found.setdefault(name, values)
        return found


def cells_of(study: Study) -> QuerySet[Cell]:
    """The cells of a study as people see them: those that somebody stands for, and the proposals that are shown."""
    return Cell.objects.filter(image__study=study, ignored=False).shown()


def chosen_classifiers(study: Study, bundle_id: str | None) -> list[Bundle]:
    """The bundle named, also of another study, else the classifiers in use, newest first. Raises ClassifyProblem."""
    if bundle_id is None:
        found = list(Bundle.objects.filter(study=study, kind=Kind.CLASSIFIER, in_use=True).order_by("-promoted_at"))
        if not found:
            raise ClassifyProblem(f"The study {study.name} has no classifier yet: train one, or name a bundle.")
        return found
    named = Bundle.objects.filter(pk=bundle_id).first()
    if named is None:
        raise ClassifyProblem(f"There is no bundle {bundle_id!r}.")
    if named.kind != Kind.CLASSIFIER:
        raise ClassifyProblem(f"The bundle {bundle_id} is a {named.kind}, not a classifier.")
    return [named]


def classify(
    study: Study,
    bundles: Sequence[Bundle],
    progress: Callable[[int, int], bool] | None = None,
    extractor: Callable[[str], Extractor] = default_extractor,
) -> Classified:
    """What bundles say of all cells of a study. Features that are missing are computed first and stored.

    Raises ClassifyProblem where a bundle's files are gone or want features that cannot be computed here.
    """
    # Imported here: the web process never loads what heads are made of.
    from training.classifier_bundle import Classifier

    try:
        loaded = [(bundle, Classifier.load(bundle.folder)) for bundle in bundles]
    except BundleError as problem:
        raise ClassifyProblem(str(problem)) from problem
    first, like = loaded[0]
    for bundle, classifier in loaded[1:]:
        if classifier.backbone != like.backbone:
            raise ClassifyProblem(
                f"The bundles {first.pk} and {bundle.pk} see cells by different backbones: name one of them."
            )
    # "efficientnet_lite0/1": the backbone, and the version of what is computed by it.
    eye = extractor(like.backbone.partition("/")[0])
    if like.backbone != eye.name:
        raise ClassifyProblem(
            f"The bundle {first.pk} wants features of {like.backbone}; {eye.name} is what sees cells here."
        )
    cells = cells_of(study)
    made = compute(study, eye, progress, cells)
    ids, features = vectors_of(cells, eye.name)
    told = [(bundle, classifier.probabilities(features) if ids else {}) for bundle, classifier in loaded]
    return Classified(study, ids, told, made)


def rows_of(classified: Classified) -> Iterator[tuple[str, UUID, float, float, str, float]]:
    """(image as it was imported, cell, x and y of its middle in px of the image, label, probability), image by image.
    Two queries."""
    labels = classified.labels
    place = {cell: row for row, cell in enumerate(classified.cells)}
    names: dict[int, str] = {}
    for image_id, name in ImageName.objects.filter(image__study=classified.study).values_list("image_id", "name"):
        names.setdefault(image_id, name)
    cells = cells_of(classified.study).order_by("image_id", "pk")
    columns = ("pk", "image_id", "image__sha256", "x0", "y0", "x1", "y1")
    for key, image_id, sha256, x0, y0, x1, y1 in cells.values_list(*columns):
        if key not in place:
            continue
        image = names.get(image_id, sha256)
        for name, values in labels.items():
            yield image, key, (x0 + x1) / 2, (y0 + y1) / 2, name, float(values[place[key]])


def keep(classified: Classified) -> list[str]:
    """Store what the bundles say of labels that the study has, for the gallery; the labels that it does not have."""
    known: dict[str, list[int]] = {}
    for label in Label.objects.filter(group__study=classified.study).offered():
        known.setdefault(same_name(label.name), []).append(label.pk)
    strange: list[str] = []
    for bundle, told in classified.by_bundle:
        names = [name for name in told if classified.labels[name] is told[name]]
        found = {name: known[same_name(name)][0] for name in names if same_name(name) in known}
        strange += sorted(set(names) - set(found))
        if found:
            table = np.stack([told[name] for name in found], axis=1)
            write_probabilities(classified.cells, [(list(found.values()), table)], bundle.pk)
    return strange
