"""The API takes changes under the name of the person whose page sends them, and under no other."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from annotation.models import SmearImage

pytestmark = pytest.mark.django_db


def test_signed_out_is_401_with_a_code(image: SmearImage, client: Any) -> None:
    answer = client.post(f"/api/v1/images/{image.pk}/operations/", {"operations": []}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (401, "signed_out")


def test_a_page_of_one_user_cannot_write_as_another(
    image: SmearImage, annotator: User, teammate: User, client_of: Any
) -> None:
    path, headers = f"/api/v1/images/{image.pk}/", {"X-Marrowloop-User": str(annotator.pk)}
    assert client_of(annotator).get(path, headers=headers).status_code == 200
    answer = client_of(teammate).get(path, headers=headers)
    assert answer.status_code == 401
    assert (answer.json()["code"], answer.json()["user"]) == ("signed_out", "theo")
