"""What classifiers' bundles say of the cells of a study, whether or not somebody has labelled them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from django.db import transaction
from django.db.models import QuerySet
from numpy.typing import NDArray

from annotation.label_names import same_name
from annotation.models import Cell, Label, SmearImage, Study
from inference.cell_feature_jobs import Extractor, Made, compute, default_extractor
from inference.models import CellProbability, vectors_of
from inference.network_scores import Seen, network_scores
from inference.probabilities import write_probabilities
from training.bundle import BundleError
from training.models import Bundle, Kind

# The web process never loads what heads are made of.
if TYPE_CHECKING:
    from training.classifier_bundle import Classifier

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
    from training.classifier_bundle import Classifier, networks_of

    try:
        loaded = [(bundle, Classifier.load(bundle.folder)) for bundle in bundles]
        cells = cells_of(study)
        seen = [
            network_scores(study, networks_of(bundle.folder), cells, progress)
            for bundle, classifier in loaded
            if classifier.sees_crops
        ]
    except BundleError as problem:
        raise ClassifyProblem(str(problem)) from problem
    on_features = [pair for pair in loaded if not pair[1].sees_crops]
    if on_features:
        seen.append(_stored_features(study, on_features, cells, progress, extractor))
    # All bundles speak of the same cells: of those that all of them could see.
    ids = sorted(set(seen[0].cells).intersection(*(each.cells for each in seen)))
    tables = {each.name: each.of(ids) for each in seen}
    told = [
        (bundle, classifier.probabilities(tables[classifier.backbone]) if ids else {}) for bundle, classifier in loaded
    ]
    missing = dict.fromkeys(sha256 for each in seen for sha256 in each.made.missing)
    return Classified(study, ids, told, Made(max(each.made.cells for each in seen), tuple(missing)))


def _stored_features(
    study: Study,
    loaded: Sequence[tuple[Bundle, "Classifier"]],
    cells: QuerySet[Cell],
    progress: Callable[[int, int], bool] | None,
    extractor: Callable[[str], Extractor],
) -> Seen:
    """What heads on stored features look at. Raises ClassifyProblem where they want different ones, or others than can
    be computed here."""
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
    made = compute(study, eye, progress, cells)
    return Seen(eye.name, *vectors_of(cells, eye.name), made)


def rows_of(
    study: Study, cells: Sequence[UUID], labels: Probabilities, names: Mapping[int, str]
) -> Iterator[tuple[str, UUID, float, float, str, float]]:
    """(image, cell, x and y of its middle in px of the image, label, probability), image by image: `labels` has the
    probabilities of `cells` by label, `names` what images are called by their ids. Cells that are gone, and images
    without a name, are left out. One query."""
    place = {cell: row for row, cell in enumerate(cells)}
    found = cells_of(study).order_by("image_id", "pk").values_list("pk", "image_id", "x0", "y0", "x1", "y1")
    for key, image_id, x0, y0, x1, y1 in found.iterator():
        if key not in place or image_id not in names:
            continue
        for label, values in labels.items():
            yield names[image_id], key, (x0 + x1) / 2, (y0 + y1) / 2, label, float(values[place[key]])


def names_as_imported(study: Study) -> dict[int, str]:
    """What each image of a study was called when it came, relative to the folder given; by its id. One query."""
    names: dict[int, str] = {}
    rows = SmearImage.objects.filter(study=study).order_by("pk", "names__pk")
    for image_id, name, sha256 in rows.values_list("pk", "names__name", "sha256"):
        names.setdefault(image_id, name or sha256)
    return names


def known_labels(study: Study, names: Iterable[str]) -> dict[str, Label]:
    """The study's label of each name, however it is spelt; names that it has no label for are left out. One query."""
    known: dict[str, Label] = {}
    for label in Label.objects.filter(group__study=study).offered().select_related("group"):
        known.setdefault(same_name(label.name), label)
    return {name: known[same_name(name)] for name in names if same_name(name) in known}


def keep(classified: Classified) -> list[str]:
    """Store what the bundles say of labels that the study has, for the gallery; the labels that it does not have.

    What an earlier model said of labels of the same group, of which these bundles do not speak, is forgotten: it would
    stand beside what they say as if it were theirs.
    """
    labels = known_labels(classified.study, classified.labels)
    tables = []
    groups = set()
    for bundle, told in classified.by_bundle:
        found = {name: labels[name] for name in told if name in labels and classified.labels[name] is told[name]}
        if "label" not in bundle.target:
            groups |= {label.group_id for label in found.values()}
        if found:
            table = np.stack([told[name] for name in found], axis=1)
            tables.append((bundle.pk, [label.pk for label in found.values()], table))
    spoken = {label for _, own, _ in tables for label in own}
    silent = Label.objects.filter(group__in=groups).exclude(pk__in=spoken)
    with transaction.atomic():
        CellProbability.objects.filter(label__in=silent).delete()
        for bundle_id, own, table in tables:
            write_probabilities(classified.cells, [(own, table)], bundle_id, forget=own)
    return sorted(set(classified.labels) - set(labels))
