"""The image that the tests of annotation work on, and cells on it."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User

from annotation.models import Cell, SmearImage, Study
from tests.annotation.changes import SQUARE, change, one, propose


@pytest.fixture
def image(study: Study, make_image: Any) -> SmearImage:
    return make_image(study)


@pytest.fixture
def drawn(image: SmearImage, annotator: User) -> Cell:
    return one(image, annotator, change("create", uuid.uuid4(), 0, border=SQUARE)).cell


@pytest.fixture
def proposal(image: SmearImage) -> Cell:
    return propose(image)
