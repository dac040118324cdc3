"""The deleted cells of an image: members see them, the last one first, with their own labels."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from annotation.models import Cell, SmearImage

pytestmark = pytest.mark.django_db

SQUARE = {"kind": "polygon", "points": [[10, 10], [30, 10], [30, 30], [10, 30]]}


def cell(image: SmearImage, revision: int, status: str) -> Cell:
    made = Cell(image=image, status=status, revision=revision)
    made.place(SQUARE, image)
    made.save()
    return made


def test_the_last_deleted_cell_comes_first(
    image: SmearImage, annotator: User, outsider: User, client_of: Any, django_assert_max_num_queries: Any
) -> None:
    first, last = cell(image, 3, "deleted"), cell(image, 5, "deleted")
    cell(image, 4, "confirmed")
    client = client_of(annotator)
    path = f"/api/v1/images/{image.pk}/deleted/"
    with django_assert_max_num_queries(10):
        cells = client.get(path).json()["cells"]
    assert [each["id"] for each in cells] == [str(last.pk), str(first.pk)]
    assert client_of(outsider).get(path).status_code == 404
