from io import BytesIO
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image

from annotation.models import SmearImage, Study
from annotation.store import ImageStore


def _png(seed: int = 0, size: tuple[int, int] = (64, 48)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _send(client: Client, study: Study, content: bytes, name: str = "field.png", **fields: str) -> Any:
    return client.post(
        reverse("api-study-images", args=[study.pk]), {"file": SimpleUploadedFile(name, content), **fields}
    )


def test_a_file_is_stored(study: Study, annotator: User, client_of: Any, settings: Any) -> None:
    response = _send(client_of(annotator), study, _png(), "P7_field.png", patient=" P-7 ", um_per_pixel="0.0668")
    image = SmearImage.objects.get(study=study)
    assert response.status_code == 201
    assert response.json() == {"name": "P7_field.png", "status": "stored", "image": image.pk, "reason": ""}
    assert (image.name, image.width, image.height, image.um_per_pixel) == ("P7_field.png", 64, 48, 0.0668)
    assert image.patient is not None and image.patient.code == "P-7"
    assert ImageStore(settings.IMAGE_STORE).pixels(image.sha256).exists()


def test_a_duplicate_is_told_and_keeps_both_names(study: Study, annotator: User, client_of: Any) -> None:
    client = client_of(annotator)
    _send(client, study, _png(), "first.png")
    response = _send(client, study, _png(), "second.png")
    image = SmearImage.objects.get(study=study)
    assert response.status_code == 200
    answer = response.json()
    assert (answer["status"], answer["image"], answer["duplicate_of"]) == ("duplicate", image.pk, "first.png")
    assert [name.name for name in image.names.all()] == ["first.png", "second.png"]


@pytest.mark.parametrize(
    ("content", "name"), [(b"These are words.", "words.jpg"), (_png()[:200], "half.png"), (b"", "empty.png")]
)
def test_what_is_no_image_is_refused_with_the_reason(
    content: bytes, name: str, study: Study, annotator: User, client_of: Any
) -> None:
    response = _send(client_of(annotator), study, content, name)
    answer = response.json()
    assert (response.status_code, answer["status"], answer["name"]) == (422, "refused", name)
    assert answer["reason"] and answer["image"] is None
    assert not study.images.exists()


def test_too_many_pixels_are_refused(study: Study, annotator: User, client_of: Any, settings: Any) -> None:
    settings.PIXEL_BUDGET = 1000
    response = _send(client_of(annotator), study, _png())
    assert (response.status_code, response.json()["status"]) == (422, "refused")


def test_a_file_over_the_budget_is_refused_unread(study: Study, annotator: User, client_of: Any, settings: Any) -> None:
    settings.UPLOAD_BUDGET = 2**20
    response = _send(client_of(annotator), study, b"\0" * (2**20 + 2**17), "huge.tif")
    assert (response.status_code, response.json()["status"]) == (413, "refused")
    assert "1 MB" in response.json()["reason"]


@pytest.mark.parametrize("size", ["0", "-1", "nan", "wide", "1e9"])
def test_a_size_that_is_none_is_refused(size: str, study: Study, annotator: User, client_of: Any) -> None:
    response = _send(client_of(annotator), study, _png(), um_per_pixel=size)
    assert response.status_code == 422 and "µm per pixel" in response.json()["reason"]
    assert not study.images.exists()


def test_a_request_without_a_file_is_an_error(study: Study, annotator: User, client_of: Any) -> None:
    assert client_of(annotator).post(reverse("api-study-images", args=[study.pk])).status_code == 400


def test_a_full_disk_is_said(study: Study, annotator: User, client_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ImageStore, "put", full)
    response = _send(client_of(annotator), study, _png())
    assert response.status_code == 507 and "disk of the server is full" in response.json()["detail"]
    assert not study.images.exists()


def test_members_upload_and_nobody_else(
    study: Study, annotator: User, reviewer: User, outsider: User, client_of: Any
) -> None:
    for seed, user in enumerate((annotator, reviewer)):
        assert _send(client_of(user), study, _png(seed)).status_code == 201
    assert _send(client_of(outsider), study, _png(7)).status_code == 404
    assert _send(Client(), study, _png(8)).status_code == 401
    assert study.images.count() == 2


def test_uploads_need_the_token(study: Study, annotator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(annotator)
    assert _send(client, study, _png()).status_code == 403


def test_a_refused_file_leaves_no_patient(study: Study, annotator: User, client_of: Any) -> None:
    client = client_of(annotator)
    assert _send(client, study, b"words", patient="P-1").status_code == 422
    assert not study.patients.exists()
    for seed in range(2):
        assert _send(client, study, _png(seed), patient="P-1").status_code == 201
    assert [patient.images.count() for patient in study.patients.all()] == [2]
