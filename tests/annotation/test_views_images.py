from io import BytesIO
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.urls import reverse
from PIL import Image

from annotation.models import Study
from annotation.store import ImageStore, pixel_hash


def _bytes(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def test_the_pixels_that_came_in_go_out(study: Study, annotator: User, make_image: Any, client_of: Any) -> None:
    image = make_image(study, name="Smith, John 1957.png")
    response = client_of(annotator).get(reverse("image-pixels", args=[image.pk]))
    assert pixel_hash(Image.open(BytesIO(_bytes(response)))) == image.sha256
    assert response["Content-Type"] == "image/png"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "private, max-age=31536000, immutable"
    assert response["Content-Disposition"] == f'inline; filename="field-{image.pk}.png"'


def test_the_thumbnail_is_small(study: Study, annotator: User, make_image: Any, client_of: Any) -> None:
    image = make_image(study, width=1200, height=900)
    response = client_of(annotator).get(reverse("image-thumbnail", args=[image.pk]))
    assert Image.open(BytesIO(_bytes(response))).size == (480, 360)
    assert response["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize("name", ["image-pixels", "image-thumbnail"])
def test_what_the_browser_has_is_not_sent_again(
    name: str, study: Study, annotator: User, make_image: Any, client_of: Any
) -> None:
    client = client_of(annotator)
    address = reverse(name, args=[make_image(study).pk])
    tag = client.get(address)["ETag"]
    again = client.get(address, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
    assert client.get(address, headers={"If-None-Match": '"another"'}).status_code == 200


def test_a_missing_file_is_not_found_and_logged(
    study: Study, annotator: User, make_image: Any, client_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    image = make_image(study)
    ImageStore(settings.IMAGE_STORE).pixels(image.sha256).unlink()
    assert client_of(annotator).get(reverse("image-pixels", args=[image.pk])).status_code == 404
    assert f"The file of image {image.pk} is not in the image store" in caplog.text


def test_files_take_no_changes(study: Study, annotator: User, make_image: Any, client_of: Any) -> None:
    address = reverse("image-pixels", args=[make_image(study).pk])
    assert client_of(annotator).post(address).status_code == 405
    assert client_of(annotator).head(address).status_code == 200
