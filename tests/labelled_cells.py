"""Fixtures of a study whose cells are told apart by their colour, for the tests of training and of inference."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from annotation.models import Cell, CellLabel, Label, LabelGroup, Patient, SmearImage, Study
from annotation.store import ImageStore


@pytest.fixture
def make_field(own_data_folder: Any) -> Callable[..., list[Cell]]:
    """make_field(study, patient, colours): a field of that patient with one square cell of 20 px a colour, in a row."""

    def make(study: Study, patient: str, colours: Sequence[tuple[int, int, int]], **fields: Any) -> list[Cell]:
        from django.conf import settings

        number = SmearImage.objects.count()
        image = Image.new("RGB", (30 * len(colours) + 10, 40), (220, 210, 215 + number % 40))
        draw = ImageDraw.Draw(image)
        for index, colour in enumerate(colours):
            draw.rectangle((10 + 30 * index, 10, 29 + 30 * index, 29), fill=colour)
        row = SmearImage.objects.create(
            study=study,
            patient=Patient.arrive(study, patient),
            sha256=ImageStore(settings.IMAGE_STORE).put(image),
            width=image.width,
            height=image.height,
            fold=0,
            **{"state": "annotated", **fields},
        )
        row.names.create(name=f"{patient}/field-{number}.png")
        cells = []
        for index in range(len(colours)):
            cell = Cell(image=row)
            cell.place({"kind": "rectangle", "x": 10 + 30 * index, "y": 10, "width": 20, "height": 20}, row)
            cell.save()
            cells.append(cell)
        return cells

    return make


RED, BLUE = (170, 60, 80), (70, 60, 170)


def near(colour: tuple[int, int, int], rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = (int(np.clip(value + rng.integers(-25, 26), 0, 255)) for value in colour)
    return red, green, blue


@pytest.fixture
def cell_type(study: Study) -> LabelGroup:
    """A group of one choice: Promyelocyte (red cells), Myeloblast (blue cells)."""
    LabelGroup.objects.filter(study=study).delete()
    group = LabelGroup.objects.create(study=study, name="Cell type")
    for order, name in enumerate(("Promyelocyte", "Myeloblast", "Lymphocyte")):
        Label.objects.create(group=group, name=name, order=order)
    return group


@pytest.fixture
def label_cell() -> Callable[..., None]:
    """label_cell(cell, name, annotator=None): in the study's scheme, as a person or an import does it."""

    def put(cell: Cell, name: str, annotator: Any = None) -> None:
        label = Label.objects.get(group__study=cell.image.study, name=name)
        CellLabel.objects.create(cell=cell, label=label, annotator=annotator)

    return put
