"""Home, End, PgUp and PgDn go through the worklist that one came from."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation.models import ImageName, SmearImage, Study
from annotation.neighbours import jump

pytestmark = pytest.mark.django_db


@pytest.fixture
def images(study: Study) -> list[SmearImage]:
    made = []
    for i in range(30):
        image = SmearImage.objects.create(
            study=study, sha256=f"{i:064x}", width=64, height=48, fold=0, state="new" if i % 2 else "proposed"
        )
        ImageName.objects.create(image=image, name=f"{99 - i}.png")
        made.append(image)
    return made


def test_jumps_follow_the_list_and_end_at_its_ends(images: list[SmearImage]) -> None:
    assert jump(images[12], {}, "first") == images[0].pk
    assert jump(images[12], {}, "last") == images[29].pk
    assert jump(images[12], {}, "forward") == images[22].pk
    assert jump(images[12], {}, "backward") == images[2].pk
    assert jump(images[25], {}, "forward") == images[29].pk
    assert jump(images[0], {}, "backward") == images[0].pk
    # Names run the other way, and fifteen images are a short list.
    assert jump(images[13], {"sort": "name", "state": "new"}, "first") == images[29].pk
    assert jump(images[13], {"sort": "name", "state": "new"}, "forward") == images[9].pk
    # Of another state by now: it stands where it would.
    assert jump(images[12], {"sort": "name", "state": "new"}, "last") == images[1].pk


def test_the_api_asks_once_and_refuses_what_it_does_not_know(
    images: list[SmearImage], annotator: User, outsider: User, client_of: Any
) -> None:
    client = client_of(annotator)
    address = f"/api/v1/images/{images[12].pk}/jump/"
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = client.get(address, {"to": "last", "state": "new"})
    assert answer.json() == {"image": images[1].pk}
    assert len(queries) < 8
    assert client.get(address, {"to": "nowhere"}).status_code == 400
    assert client_of(outsider).get(address, {"to": "last"}).status_code == 404
