"""From the rows of a study to a frozen snapshot: the only place where training reads annotation's tables."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from annotation.borders import bounds, is_point
from annotation.label_choice import choices_in
from annotation.models import Cell, Label, LabelGroup, SmearImage, Study
from annotation.points import median_size, region_around
from annotation.revision import still_moment
from annotation.store import ImageStore
from training.contract import content_hash
from training.selection import Selection, SelectionError
from training.snapshot import SCHEMA, SnapshotError, write_snapshot

# Kinds of borders that can say where a cell's edge runs.
OUTLINES = ("polygon", "ellipse", "circle")


class RoundRefused(Exception):
    """A round cannot be launched; the message is one sentence that says why."""


@dataclass(frozen=True)
class FrozenSnapshot:
    """A snapshot on disk, and what it holds (see Round.counts)."""

    hash: str
    folder: Path
    manifest: dict[str, Any]
    counts: dict[str, Any]
    # The hash of the part that a detector learns from.
    lesson: str
    # The moment that it holds, by the database's clock.
    at: datetime


def freeze(study: Study, selection: Selection | None = None) -> FrozenSnapshot:
    """Write the study's finished images, or those selected, as a snapshot folder for a detector, named by its hash; the
    same data is written once.

    Without pictures of single cells: the cells beside the one in the middle have no borders there, so that a detector
    would learn to pass them over.

    Costs seventeen queries at most, and a hard link an image. Raises RoundRefused where there is nothing to learn from,
    the selection names what the study does not have, or an image is gone from the store. Outside of a transaction
    people wait while it reads, and no longer.
    """
    manifest, files, at = _read(study, selection or Selection())
    folder = written(manifest, files)
    return FrozenSnapshot(folder.name, folder, manifest, count(manifest), lesson_of(manifest), at)


def written(manifest: Mapping[str, Any], files: Mapping[str, Path]) -> Path:
    """The folder of the snapshot, written once. Raises RoundRefused where that cannot be."""
    try:
        return write_snapshot(manifest, files, Path(settings.SNAPSHOT_FOLDER))
    except SnapshotError as error:
        raise RoundRefused(str(error)) from error
    except OSError as error:
        raise RoundRefused(f"The snapshot cannot be written: {error.strerror}.") from error


@transaction.atomic
def _read(study: Study, selection: Selection) -> tuple[dict[str, Any], dict[str, Path], datetime]:
    """The manifest of the present, the files of its images by sha256, and when that was. Raises RoundRefused."""
    try:
        selection.check(study)
    except SelectionError as error:
        raise RoundRefused(str(error)) from error
    at = still_moment(study)
    if not SmearImage.objects.filter(study=study).finished().exists():
        raise RoundRefused(f"The study {study.name} has no annotated image to learn from.")
    images = list(selection.images(study).fields().select_related("patient").prefetch_related("names"))
    if not images and selection.images(study).exists():
        raise RoundRefused(
            f"Of what was selected the study {study.name} has pictures of single cells only; a detector learns from "
            "fields."
        )
    labels = _labels(images)
    if selection.labels:
        images = _with_labels(images, labels, selection)
    if not images:
        raise RoundRefused(f"The study {study.name} has none of what was selected: {selection.words}.")
    files = stored_files(images)
    borders = _borders(images, labels)
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "study": study.name,
        "labels": [
            {"group": group.name, "name": label.name}
            for group in LabelGroup.objects.filter(study=study).prefetch_related("labels")
            for label in group.labels.all()
        ],
        "images": [
            image_entry(image, borders.get(image.pk, [])) for image in sorted(images, key=lambda image: image.sha256)
        ],
    }
    if not any(not border["ignored"] for image in manifest["images"] for border in image["borders"]):
        which = "annotated" if selection == Selection() else "selected"
        raise RoundRefused(f"The {which} images of the study {study.name} hold no cell to learn from.")
    return manifest, files, at


def image_entry(image: SmearImage, borders: list[dict[str, Any]]) -> dict[str, Any]:
    """An image in a manifest. Free where its patient and names are at hand."""
    return {
        "sha256": image.sha256,
        "file": f"images/{image.sha256}.png",
        "width": image.width,
        "height": image.height,
        "um_per_pixel": image.um_per_pixel,
        # A round's page names images to all members, and a single cell's file may say what it is.
        "names": [] if image.single_cell else sorted(name.name for name in image.names.all()),
        "patient": image.patient.code if image.patient else None,
        "diagnosis": image.patient.diagnosis if image.patient else None,
        "group": image.group,
        "fold": image.slot,
        "borders": borders,
    }


def lesson_of(manifest: Mapping[str, Any]) -> str:
    """The hash of what a detector learns from in a manifest: pixels, patients, folds and borders.

    Cells are labelled all the time; a detector that is trained anew for that would come out the same.
    """
    return content_hash(
        {
            "images": [
                {
                    **{name: image[name] for name in ("sha256", "group", "fold")},
                    "borders": [
                        {name: value for name, value in border.items() if name not in ("id", "labels")}
                        for border in image["borders"]
                    ],
                }
                for image in manifest["images"]
            ]
        }
    )


def count(manifest: dict[str, Any]) -> dict[str, Any]:
    """What a manifest holds, by patient, label and slot; slots are folds of 60 (annotation/folds.py)."""
    labels: Counter[str] = Counter()
    patients: dict[str, dict[str, Any]] = {}
    slots: dict[str, dict[str, int]] = defaultdict(lambda: {"images": 0, "cells": 0})
    cells = ignored = negatives = 0
    for image in manifest["images"]:
        own = [border for border in image["borders"] if not border["ignored"]]
        cells += len(own)
        ignored += len(image["borders"]) - len(own)
        negatives += not image["borders"]
        labels.update(label for border in own for label in border["labels"])
        slot = slots[str(image["fold"])]
        slot["images"] += 1
        slot["cells"] += len(own)
        if image["patient"] is not None:
            patient = patients.setdefault(
                image["patient"],
                {
                    "code": image["patient"],
                    "diagnosis": image["diagnosis"],
                    "slot": image["fold"],
                    "images": 0,
                    "cells": 0,
                },
            )
            patient["images"] += 1
            patient["cells"] += len(own)
    return {
        "images": len(manifest["images"]),
        "negatives": negatives,
        "cells": cells,
        "ignored": ignored,
        "labels": dict(sorted(labels.items())),
        "patients": sorted(patients.values(), key=lambda patient: patient["code"]),
        "images_without_patient": sum(image["patient"] is None for image in manifest["images"]),
        "slots": dict(sorted(slots.items(), key=lambda item: int(item[0]))),
    }


def stored_files(images: list[SmearImage]) -> dict[str, Path]:
    """The files of images by sha256. Raises RoundRefused where one is gone."""
    store = ImageStore(Path(settings.IMAGE_STORE))
    files = {image.sha256: store.pixels(image.sha256) for image in images}
    missing = [image for image in images if not files[image.sha256].is_file()]
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise RoundRefused(f"The pixels of the annotated image {missing[0].name}{others} are missing in the store.")
    return files


def _with_labels(images: list[SmearImage], labels: Mapping[Any, set[str]], selection: Selection) -> list[SmearImage]:
    """Those that hold a confirmed cell of one of the selection's labels."""
    held: dict[int, list[set[str]]] = defaultdict(list)
    cells = Cell.objects.filter(image__in=images, ignored=False).confirmed().values_list("pk", "image_id")
    for pk, image_id in cells:
        held[image_id].append(labels.get(pk, set()))
    return [image for image in images if selection.wants(held[image.pk])]


def _borders(images: list[SmearImage], labels: Mapping[Any, set[str]]) -> dict[int, list[dict[str, Any]]]:
    """Confirmed borders of the images by image, in order of id, so that the same rows give the same hash.

    A point is an ignored region of the size of the snapshot's median cell (annotation/points.py).
    """
    cells = (
        Cell.objects.filter(image__in=images)
        .confirmed()
        .order_by("pk")
        .select_related("image")
        .only("image", "border", "proposed_border", "x0", "y0", "x1", "y1", "ignored", "image__width", "image__height")
    )
    rows = list(cells)
    size = median_size((c.x0, c.y0, c.x1, c.y1) for c in rows if not c.ignored and not is_point(c.border))
    vouched = not _draw_boxes(rows)
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for cell in rows:
        border, ignored, box = cell.border, cell.ignored, (cell.x0, cell.y0, cell.x1, cell.y1)
        if is_point(border):
            width, height = cell.image.width, cell.image.height
            border, ignored = region_around(border, size, width, height), True
            box = bounds(border, width, height)
        found[cell.image_id].append(
            {
                "id": str(cell.pk),
                "border": border,
                "bounds": list(box),
                "ignored": ignored,
                "labels": sorted(labels.get(cell.pk, [])),
                "outline": not ignored and _is_outline(cell, vouched),
            }
        )
    return found


def _draw_boxes(cells: Iterable[Cell]) -> bool:
    """Whether most borders that people drew or changed are rectangles: then what they accept says where cells lie, and
    not where their edges run. A loop on blood whose truth are boxes taught the mask branch the outlines of the method
    without a model, and moved a fifth of the borders in each round since."""
    drawn = [c.border["kind"] for c in cells if not c.ignored and c.border != c.proposed_border]
    outlines = sum(kind in OUTLINES for kind in drawn)
    return drawn.count("rectangle") > outlines


def _is_outline(cell: Cell, vouched: bool) -> bool:
    """Whether the border says where the cell's edge runs: no rectangle does, no ellipse that was put into a box by a
    detector and left so, and a polygon that was left as proposed only where accepting it has `vouched` for it."""
    kind = cell.border["kind"]
    return kind in OUTLINES and (cell.border != cell.proposed_border or (kind == "polygon" and vouched))


def _labels(images: list[SmearImage]) -> dict[Any, set[str]]:
    """The names of the labels that hold for each cell of the images."""
    said = {cell: choice.labels for cell, choice in choices_in(images).items()}
    names = dict(
        Label.objects.filter(pk__in={label for labels in said.values() for label in labels}).values_list("pk", "name")
    )
    return {cell: {names[label] for label in labels} for cell, labels in said.items()}
