"""Measures are stored once, made anew where the border or the scale is another, and told of one cell on demand."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from annotation.measure_table import MEASURES, PLACES
from annotation.measuring import cells_due, images_due, measurable, measure_image, measure_study
from annotation.models import Cell, CellMeasures, SmearImage, Study
from annotation.store import ImageStore
from tests.annotation.changes import LARGER, SQUARE, change, one

pytestmark = pytest.mark.django_db
AREA = PLACES["area"]


def area(cell: Cell) -> float | None:
    return CellMeasures.objects.get(cell=cell).values[AREA]


def test_a_cell_is_measured_once(image: SmearImage, drawn: Cell):
    assert measure_image(image) == 1 and measure_image(image) == 0
    stored = CellMeasures.objects.get()
    assert area(drawn) == 400 and stored.in_um is False and len(stored.values) == len(MEASURES)
    assert stored.by_name()["solidity"] == 1


def test_a_moved_border_is_measured_anew_and_no_other(image: SmearImage, drawn: Cell, annotator: User):
    other = one(image, annotator, change("create", uuid4(), 0, border=SQUARE)).cell
    measure_image(image)
    one(image, annotator, change("reshape", drawn.pk, 1, border=LARGER))
    assert list(cells_due(measurable())) == [drawn]
    assert measure_image(image) == 1
    assert (area(drawn), area(other)) == (900, 400)


def test_another_scale_measures_anew_in_micrometres(image: SmearImage, drawn: Cell):
    measure_study(image.study)
    assert not images_due().exists()
    SmearImage.objects.filter(pk=image.pk).update(um_per_pixel=0.5)
    assert list(images_due()) == [image]
    assert measure_study(image.study).cells == 1
    assert area(drawn) == 100 and CellMeasures.objects.get().in_um and not images_due().exists()


def test_a_study_is_done_image_by_image_and_ends_when_asked(study: Study, make_image: Any, annotator: User):
    for seed in range(3):
        one(make_image(study, seed=seed), annotator, change("create", uuid4(), 0, border=SQUARE))
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> bool:
        told.append((done, total))
        return done < 2

    assert measure_study(study, progress).cells == 2 and told == [(0, 3), (1, 3), (2, 3)]
    assert measure_study(study, lambda done, total: False).cells == 0
    assert measure_study(study).cells == 1 and measure_study(study).cells == 0


def test_proposals_deleted_and_ignored_cells_are_not_measured(image: SmearImage, proposal: Cell, drawn: Cell):
    Cell.objects.filter(pk=drawn.pk).update(status=Cell.Status.DELETED)
    assert measure_image(image) == 0
    Cell.objects.filter(pk=drawn.pk).update(status=Cell.Status.CONFIRMED, ignored=True)
    assert measure_image(image) == 0


def test_an_image_that_is_gone_is_told_of_and_stays_due(image: SmearImage, drawn: Cell, settings: Any):
    ImageStore(settings.IMAGE_STORE).pixels(image.sha256).unlink()
    assert measure_study(image.study).missing == (image,)
    assert images_due().exists() and not CellMeasures.objects.exists()


def test_rows_of_another_recipe_say_nothing(image: SmearImage, drawn: Cell):
    measure_image(image)
    CellMeasures.objects.update(recipe="measures/0", values=[1.0])
    assert set(CellMeasures.objects.get().by_name().values()) == {None}


def test_the_command_measures_what_is_due(drawn: Cell, study: Study, capsys: Any):
    call_command("measure_cells", study=study.name)
    assert capsys.readouterr().out.startswith('{"cells": 1, "missing": 0')
    call_command("measure_cells", study=study.name)
    assert capsys.readouterr().out.startswith('{"cells": 0')


def told(client: Client, cell: Cell) -> dict[str, Any]:
    answer = client.get(reverse("api-cell-measures", args=[cell.pk]))
    assert answer.status_code == 200
    return {each["name"]: each for group in answer.json()["groups"] for each in group["measures"]}


def test_the_measures_of_one_cell_are_of_its_border_as_it_is(drawn: Cell, annotator: User, client_of: Any):
    client = client_of(annotator)
    assert told(client, drawn)["area"] | {"description": ""} == {
        "name": "area", "label": "Area", "unit": "px²", "description": "", "value": 400, "text": "400.0",
    }  # fmt: skip
    measure_image(drawn.image)
    one(drawn.image, annotator, change("reshape", drawn.pk, 1, border=LARGER))
    assert told(client, drawn)["area"]["value"] == 900 and area(drawn) == 400
    measure_image(drawn.image)
    assert told(client, drawn)["area"]["value"] == 900


def test_who_may_ask_for_the_measures_of_a_cell(drawn: Cell, annotator: User, outsider: User, client_of: Any):
    address = reverse("api-cell-measures", args=[drawn.pk])
    assert client_of(annotator).get(address).status_code == 200
    assert client_of(outsider).get(address).status_code == 404
    assert Client().get(address).status_code == 401
    assert client_of(annotator).get(reverse("api-cell-measures", args=[uuid4()])).status_code == 404


def test_a_cell_whose_image_is_gone_has_no_measures(drawn: Cell, annotator: User, client_of: Any, settings: Any):
    ImageStore(settings.IMAGE_STORE).pixels(drawn.image.sha256).unlink()
    assert client_of(annotator).get(reverse("api-cell-measures", args=[drawn.pk])).status_code == 404
