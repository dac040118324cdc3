"""What a classifier learns from a snapshot: its labelled cells, as classes for one head or several. Free of Django and
of torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.crop import Square, crop_hash, crop_square
from annotation.folds import fold_of
from training.classifier_folds import FoldsError, classes_of, classifier_folds
from training.classifier_target import Target

# The class of a head of one label that stands for all others.
OTHERS = "others"


@dataclass(frozen=True)
class LabelledCell:
    """A cell of a snapshot that somebody has labelled: where it is shown, whose it is, and its labels by group.

    crop: the name of what shows it. extra: it was picked for its kind, so that shares of cells must not count it.
    """

    id: str
    sha256: str
    square: Square
    crop: str
    patient: str
    slot: int
    labels: Mapping[str, Sequence[str]]
    extra: bool


@dataclass(frozen=True)
class HeadLesson:
    """What one head learns. `classes` are those that it tells apart; `targets` (n,) are their numbers, from
    len(classes) on those of `untaught`, too rare to learn, which judge all the same: a head takes them for something.
    `rows` (n,) are numbers of the cells; `folds` (n,) say which fold judges each."""

    name: str
    classes: tuple[str, ...]
    untaught: tuple[str, ...]
    rows: NDArray[np.int64]
    targets: NDArray[np.int64]
    folds: NDArray[np.int64]

    @property
    def of_one_label(self) -> bool:
        return self.classes[0] == OTHERS

    @property
    def taught(self) -> NDArray[np.bool_]:
        """(n,) the cells that heads are trained on."""
        return self.targets < len(self.classes)


@dataclass(frozen=True)
class Lesson:
    """All heads of a classifier, the cells they learn from, and by label why it has no head or no class."""

    cells: tuple[LabelledCell, ...]
    heads: tuple[HeadLesson, ...]
    left_out: Mapping[str, str]


def lesson_of(manifest: Mapping[str, Any], target: Target, folds: int) -> Lesson:
    """What the snapshot teaches about the target, in so many folds by patient.

    Cells without a label of the group, and those whose label is retired, teach nothing; where a cell may have many
    labels, every labelled cell that lacks one is among its others. Raises FoldsError with one sentence where nothing
    can be learned and judged.
    """
    names, retired, multiple = _scheme(manifest, target)
    if target.label is not None and target.label not in names:
        raise FoldsError(f"The snapshot has no label {target.label} in {target.group}.")
    cells = tuple(each for each in labelled_cells(manifest) if not set(each.labels.get(target.group, ())) & retired)
    if not multiple:
        cells = tuple(each for each in cells if each.labels.get(target.group))
    if not cells:
        raise FoldsError(f"No cell has a label of {target.group} yet.")
    wanted = names if target.label is None else [target.label]
    if target.label is None and not multiple:
        head, left_out = _of_all(target.group, names, cells, folds)
        return Lesson(cells, (head,), left_out)
    heads, left_out = [], {}
    for name in wanted:
        try:
            heads.append(_of_one(target.group, name, cells, folds))
        except FoldsError as problem:
            left_out[name] = str(problem)
    if not heads:
        raise FoldsError(next(iter(left_out.values()), f"{target.group} has no label to learn."))
    return Lesson(cells, tuple(heads), left_out)


def labelled_cells(manifest: Mapping[str, Any]) -> list[LabelledCell]:
    typical = manifest.get("typical_cell_px")
    found = []
    for image in manifest["images"]:
        for border in image["borders"]:
            if border["ignored"] or not any(border.get("choices", {}).values()):
                continue
            x0, y0, x1, y1 = border["bounds"]
            square = crop_square((x0, y0, x1, y1), image["um_per_pixel"], typical)
            found.append(
                LabelledCell(
                    id=border["id"],
                    sha256=image["sha256"],
                    square=square,
                    crop=crop_hash(image["sha256"], square),
                    patient=image["group"],
                    slot=image["fold"],
                    labels=border["choices"],
                    extra=image.get("sample") == "extra",
                )
            )
    return found


def _scheme(manifest: Mapping[str, Any], target: Target) -> tuple[list[str], set[str], bool]:
    """The labels of the target's group that are offered, those that are retired, and whether a cell may have many."""
    own = [label for label in manifest["labels"] if label["group"] == target.group]
    names = [label["name"] for label in own if not label.get("retired")]
    return names, {label["name"] for label in own if label.get("retired")}, any(label.get("multiple") for label in own)


def _of_one(group: str, name: str, cells: Sequence[LabelledCell], k: int) -> HeadLesson:
    targets = np.array([int(name in cell.labels.get(group, ())) for cell in cells])
    if not targets.any():
        raise FoldsError(f"No cell is labelled {name} yet.")
    folds = classifier_folds(targets, (OTHERS, name), *_patients(cells), k)
    return HeadLesson(name, (OTHERS, name), (), np.arange(len(cells)), targets, folds)


def _of_all(
    group: str, names: Sequence[str], cells: Sequence[LabelledCell], k: int
) -> tuple[HeadLesson, dict[str, str]]:
    """One head for all labels that can be judged; the others are left out, with the reason."""
    at = {name: number for number, name in enumerate(names)}
    found = np.array([at[cell.labels[group][0]] for cell in cells])
    patients, slots = _patients(cells)
    folds = np.array([fold_of(cell.slot, k) for cell in cells])
    held = classes_of(found, patients, k)
    taught = [number for number in held if len(np.unique(folds[found == number])) > 1]
    untaught = [number for number in range(len(names)) if number not in taught and (found == number).any()]
    order = {number: place for place, number in enumerate([*taught, *untaught])}
    left_out = {
        names[number]: f"Fewer than {k} patients have it." if number not in held else "Its patients are in one fold."
        for number in untaught
    }
    learns = np.isin(found, taught)
    if len(taught) < 2:
        # Says what is wrong, for all that is labelled.
        classifier_folds(found, names, patients, slots, k)
    else:
        classifier_folds(found[learns], names, [p for p, own in zip(patients, learns, strict=True) if own], slots, k)
    targets = np.array([order[number] for number in found.tolist()])
    head = HeadLesson(
        group,
        tuple(names[number] for number in taught),
        tuple(names[number] for number in untaught),
        np.arange(len(cells)),
        targets,
        folds,
    )
    return head, left_out


def _patients(cells: Sequence[LabelledCell]) -> tuple[list[str], dict[str, int]]:
    return [cell.patient for cell in cells], {cell.patient: cell.slot for cell in cells}
