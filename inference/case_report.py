"""The case report of a patient, or of an image that came without one: what stands on it, as plain JSON.

Made anew from the rows at each look, so that it follows every correction, until somebody signs it
(inference/case_signing.py): from then on the bytes that were signed are shown.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from annotation.blind_reading import hidden_cells
from annotation.cell_crops import crops_of, typical_px
from annotation.counting import UNCOUNTED, UNIDENTIFIED, marks_of
from annotation.diagnoses import UNKNOWN
from annotation.label_choice import Choice, choices_of
from annotation.label_roles import CellRole
from annotation.models import Cell, CellLabel, ImageQuality, Label, LabelGroup, Patient, SmearImage, Study
from annotation.scheme import CELL_TYPE_GROUP
from inference.case_diagnosis import diagnosis_json
from inference.differential import GOAL, CellType, Differential, differential
from inference.lineage import Lineage, lineage_of
from inference.models import CellProbability

SCHEMA = "case-report/1"
NOTICE = "For research only, not a medical device."
# Cells of each of these roles that the report shows, those that a model is surest of first.
SHOWN_ROLES = (CellRole.PROMYELOCYTE, CellRole.AUER_ROD, CellRole.MYELOBLAST)
SHOWN_CELLS = 8
SPEAKING = "speaking"

Place = tuple[float, float]


class ReadingBlind(Exception):
    """The viewer reads cells of this case blind, and may not know what others say of them."""


@dataclass(frozen=True)
class Case:
    """What a report is of: one of the two is given. title: the patient's code, or the image's name."""

    study: Study
    patient: Patient | None = None
    image: SmearImage | None = None

    @property
    def title(self) -> str:
        return self.patient.code if self.patient else self.image.name if self.image else ""

    @property
    def recorded_diagnosis(self) -> str:
        """What somebody entered, of the patient or of the image's."""
        patient = self.patient or (self.image.patient if self.image else None)
        return self.study.diagnoses.title(patient.diagnosis if patient else UNKNOWN)

    @property
    def images(self) -> list[SmearImage]:
        """All images of the case, with their quality. Two queries."""
        own = {"patient": self.patient} if self.patient else {"pk": self.image.pk if self.image else 0}
        rows = SmearImage.objects.filter(study=self.study, **own)
        return list(rows.select_related("quality").prefetch_related("names").order_by("pk"))


def case_content(case: Case, viewer_id: int | None = None) -> dict[str, Any]:
    """The report as it is now. Raises ReadingBlind for a viewer who must not see it yet.

    Some ten queries, however many cells there are.
    """
    images = case.images
    refuse_blind(case, viewer_id)
    confirmed = Cell.objects.filter(image__in=[image.pk for image in images], ignored=False).confirmed()
    facts = list(confirmed.order_by("image_id", "pk").values_list("pk", "image_id", "x0", "y0", "x1", "y1"))
    places = {cell: ((x0 + x1) / 2, (y0 + y1) / 2) for cell, _, x0, y0, x1, y1 in facts}
    choices = choices_of(list(places), None)
    labels = {label.pk: label for label in Label.objects.filter(group__study=case.study).select_related("group")}
    types = cell_types(case.study, labels)
    by_id = {each.id: each for each in types}
    marks = marks_of(labels.values())
    out = {pk for pk, mark in marks.items() if mark == UNCOUNTED}

    def said(cell: UUID) -> tuple[int | None, bool]:
        chosen = choices[cell].labels if cell in choices else []
        return next((label for label in chosen if label in by_id), None), bool(out & set(chosen))

    represents = {image.pk for image in images if image.sample != SmearImage.Sample.EXTRA}
    own: dict[int, list[UUID]] = defaultdict(list)
    for cell, image_id, *_ in facts:
        own[image_id].append(cell)
    counting = [image for image in images if image.pk in represents and (own[image.pk] or _is_finished(image))]
    cells = [cell for image in counting for cell in own[image.pk]]
    whole = differential(types, map(said, cells))
    suspected = diagnosis_json(case.patient, case.study)
    told = [_image_json(image, image in counting, types, own[image.pk], said, places) for image in images]
    return {
        "schema": SCHEMA,
        "notice": NOTICE,
        "study": {"id": case.study.pk, "name": case.study.name, "synthetic": case.study.synthetic},
        "case": {
            "kind": "patient" if case.patient else "image",
            "id": case.patient.pk if case.patient else case.image.pk if case.image else None,
            "title": case.title,
            "recorded_diagnosis": case.recorded_diagnosis,
        },
        "diagnosis": suspected,
        "differential": differential_json(whole),
        "counter": {"goal": GOAL, "counted": whole.counted, "left": whole.left_to_goal},
        "review": _review(whole, counting, own, choices),
        "warnings": _warnings([image for image in told if not image["left_out"]]),
        "images": told,
        "cells": _shown_cells(case.study, cells, choices, labels, suspected),
    }


def core_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """What makes two reports the same: all but the cells to look at, whose order follows every lesson of a head."""
    return {key: value for key, value in content.items() if key != "cells"}


def refuse_blind(case: Case, viewer_id: int | None) -> None:
    """Raise ReadingBlind where somebody reads cells of the case blind. One query."""
    own = {"cell__image__patient": case.patient} if case.patient else {"cell__image": case.image}
    if viewer_id is not None and hidden_cells(viewer_id).filter(**own).exists():
        raise ReadingBlind("You are reading cells of this case blind: its report opens when you have finished.")


def cell_types(study: Study, labels: Mapping[int, Label]) -> list[CellType]:
    """The labels of the group of cell types, in their order: of that name, else the first of one choice."""
    groups = list(LabelGroup.objects.filter(study=study, multiple=False))
    group = next((each for each in groups if each.name == CELL_TYPE_GROUP), groups[0] if groups else None)
    own = [label for label in labels.values() if group is not None and label.group_id == group.pk]
    marks = marks_of(own)
    return [
        CellType(
            label.pk,
            label.name,
            label.colour,
            label.counted,
            lineage_of(label.name, label.aliases),
            marks.get(label.pk) == UNIDENTIFIED,
        )
        for label in sorted(own, key=lambda label: (label.order, label.pk))
    ]


def differential_json(counted: Differential) -> dict[str, Any]:
    ratio = counted.me_ratio
    return {
        "rows": [
            {
                "label": row.type.id,
                "name": row.type.name,
                "colour": row.type.colour,
                "lineage": str(row.type.lineage),
                "cells": row.cells,
                "share": round(row.share, 4),
                "low": round(row.low, 4),
                "high": round(row.high, 4),
            }
            for row in counted.rows
        ],
        "counted": counted.counted,
        "left_out": counted.left_out,
        "unidentified": counted.unidentified,
        "unlabelled": counted.unlabelled,
        "myeloid": counted.of(Lineage.MYELOID),
        "erythroid": counted.of(Lineage.ERYTHROID),
        "me_ratio": None if ratio is None else [None if each is None else round(each, 2) for each in ratio],
    }


def _is_finished(image: SmearImage) -> bool:
    return image.state in SmearImage.FINISHED


def _review(
    counted: Differential,
    images: Sequence[SmearImage],
    own: Mapping[int, Sequence[UUID]],
    choices: Mapping[UUID, Choice],
) -> dict[str, Any]:
    """What keeps the report from being signed, in sentences; cells of reviewed images are reviewed, and so is the cell
    of a single-cell picture that a person has labelled."""
    single = [cell for image in images if image.single_cell for cell in own[image.pk]]
    by_people = set(
        CellLabel.objects.filter(cell__in=single, annotator__isnull=False).order_by().values_list("cell", flat=True)
    )
    waiting = [
        cell
        for image in images
        if image.state != SmearImage.State.REVIEWED
        for cell in own[image.pk]
        if not (image.single_cell and cell in by_people)
    ]
    unreviewed = sum(image.state != SmearImage.State.REVIEWED and not image.single_cell for image in images)
    open_: list[str] = []
    if not counted.counted:
        open_.append("No cell is counted yet.")
    if waiting:
        open_.append(f"{_count(len(waiting), 'cell is', 'cells are')} not reviewed yet.")
    elif unreviewed:
        open_.append(f"{_count(unreviewed, 'image is', 'images are')} not reviewed yet.")
    if counted.unlabelled:
        open_.append(f"{_count(counted.unlabelled, 'cell has', 'cells have')} no cell type.")
    if counted.unidentified:
        open_.append(f"{_count(counted.unidentified, 'cell is', 'cells are')} unidentified.")
    return {"unreviewed": len(waiting), "open": open_}


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _image_json(
    image: SmearImage,
    counts: bool,
    types: Sequence[CellType],
    cells: Sequence[UUID],
    said: Callable[[UUID], tuple[int | None, bool]],
    places: Mapping[UUID, Place],
) -> dict[str, Any]:
    own = differential(types, map(said, cells))
    quality = getattr(image, "quality", None)
    if counts:
        left_out = ""
    elif image.sample == SmearImage.Sample.EXTRA:
        left_out = "Picked for its cells: it would bias the shares."
    else:
        left_out = "Nobody has annotated it."
    return {
        "id": image.pk,
        "name": image.name,
        "state": image.get_state_display(),
        "sha256": image.sha256,
        "cells": len(cells),
        "counted": own.counted if counts else 0,
        "counts": {row.type.name: row.cells for row in own.rows if row.cells} if counts else {},
        "left_out": left_out,
        "outside": _outside(quality, [places[cell] for cell in cells]) if counts and quality else 0,
        "quality": None if quality is None else {"verdict": quality.verdict, "reason": quality.reason},
    }


def _shown_cells(
    study: Study,
    cells: Sequence[UUID],
    choices: Mapping[UUID, Choice],
    labels: Mapping[int, Label],
    suspected: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """The cells that alone would speak most for the first diagnosis, and those that people gave the roles that a
    diagnosis is made of, with the square of the image that shows each. Three queries."""
    of_role: dict[CellRole, list[tuple[UUID, Label]]] = defaultdict(list)
    for cell in cells:
        for label in (labels[each] for each in (choices[cell].labels if cell in choices else ()) if each in labels):
            if label.counted and label.stands_for in SHOWN_ROLES:
                of_role[label.stands_for].append((cell, label))
    candidates = {cell for found in of_role.values() for cell, _ in found}
    told = {
        (cell, label): probability
        for cell, label, probability in CellProbability.objects.filter(cell__in=candidates).values_list(
            "cell", "label", "probability"
        )
    }
    shown: list[_Shown] = []
    speaking = suspected.get("speaking", ())
    for each in speaking[:SHOWN_CELLS]:
        cell = UUID(each["cell"])
        chosen = choices[cell].labels if cell in choices else []
        name = ", ".join(labels[label].name for label in chosen if label in labels)
        shown.append(_Shown(SPEAKING, f"Speak most for {suspected['speak_for']}", len(speaking), cell, name, None))
    for role in SHOWN_ROLES:
        own = [(cell, label.name, told.get((cell, label.pk))) for cell, label in of_role[role]]
        own.sort(key=lambda one: (-(one[2] or 0.0), str(one[0])))
        shown += [_Shown(str(role), str(role.label), len(own), *one) for one in own[:SHOWN_CELLS]]
    wanted = Cell.objects.filter(pk__in={each.cell for each in shown})
    squares = {crop.cell: crop for crop in crops_of(wanted, typical_px(study))}
    images = dict(wanted.values_list("pk", "image_id"))
    return [
        {
            "role": each.role,
            "role_name": each.role_name,
            "of": each.of,
            "cell": str(each.cell),
            "image": images[each.cell],
            "label": each.label or "No label",
            "probability": None if each.probability is None else round(each.probability, 3),
            "sha256": squares[each.cell].sha256,
            "square": list(squares[each.cell].square),
        }
        for each in shown
        if each.cell in squares
    ]


def _warnings(counted: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is to be known of the images that are counted on, in sentences."""
    verdicts = [image["quality"]["verdict"] for image in counted if image["quality"]]
    outside = sum(image["outside"] for image in counted)
    found = []
    for verdict, words in (("bad", "poor"), ("doubtful", "doubtful")):
        number = verdicts.count(verdict)
        if number:
            found.append(f"{number:,} of {len(counted):,} images counted on {'is' if number == 1 else 'are'} {words}.")
    if outside:
        found.append(f"{_count(outside, 'cell lies', 'cells lie')} where an image is not good to count on.")
    return found


def _outside(quality: ImageQuality, places: Sequence[Place]) -> int:
    """How many places lie where an image is not good to count on (inference/region_selection.py)."""
    poor = [(x, y, x + width, y + height) for x, y, width, height, kind in quality.tiles if kind != "optimal"]
    return sum(any(x0 <= x < x1 and y0 <= y < y1 for x0, y0, x1, y1 in poor) for x, y in places)


@dataclass(frozen=True)
class _Shown:
    """A cell as the report shows it, one of `of` of its role."""

    role: str
    role_name: str
    of: int
    cell: UUID
    label: str
    probability: float | None
