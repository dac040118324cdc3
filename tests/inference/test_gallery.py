"""The gallery's page and API: who may see what, what is said of cells, their crops, and two people at one cell."""

import json
import struct
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from annotation.models import Cell, CellLabel, CellText, ImageName, Patient, SmearImage, Study, TextAttribute
from inference import kept_crops
from inference.models import InteractiveHead
from tests.inference.gallery import cell, judge, label, say


@pytest.fixture
def image(study: Study, make_image: Any) -> SmearImage:
    patient = Patient.arrive(study, "P-7")
    return make_image(study, width=400, height=300, um_per_pixel=0.1, patient=patient, name="faggot_cell_012.png")


@pytest.fixture
def client(client_of: Any, annotator: User) -> Client:
    return client_of(annotator)


def send(client: Client, name: str, study: Study, body: Any) -> Any:
    return client.post(reverse(name, args=[study.pk]), body, content_type="application/json")


def asked_of(study: Study, made: Cell) -> list[tuple[str, str, Any]]:
    """Every address of the gallery: method, address, body."""
    ids = {"cells": [str(made.pk)]}
    return [
        ("get", reverse("gallery", args=[study.pk]), None),
        ("get", reverse("cell-crop", args=[study.pk, made.pk]), None),
        ("get", reverse("cell-crop", args=[study.pk, made.pk]) + "?around=1", None),
        ("get", reverse("api-gallery-order", args=[study.pk]), None),
        ("get", reverse("api-gallery-counts", args=[study.pk]), None),
        ("get", reverse("api-gallery-news", args=[study.pk]), None),
        ("post", reverse("api-gallery-cells", args=[study.pk]), ids),
        ("post", reverse("api-gallery-crops", args=[study.pk]), ids),
        ("post", reverse("api-gallery-labelled", args=[study.pk]), {"groups": []}),
    ]


def status(client: Client, method: str, address: str, body: Any) -> int:
    options = {"data": body, "content_type": "application/json"} if method == "post" else {}
    return int(getattr(client, method)(address, **options).status_code)


def test_the_gallery_is_for_members_of_the_study(
    study: Study, other_study: Study, image: SmearImage, outsider: User, client: Client, client_of: Any
) -> None:
    made = cell(image, 100, 100, 60)
    stranger = Client()
    for method, address, body in asked_of(study, made):
        assert status(client, method, address, body) in (200, 202), address
        assert status(client_of(outsider), method, address, body) == 404, address
        assert status(stranger, method, address, body) == (401 if "/api/" in address else 302), address


def test_cells_are_not_reached_through_another_study(
    study: Study, other_study: Study, image: SmearImage, outsider: User, client_of: Any
) -> None:
    made = cell(image, 100, 100, 60)
    theirs = client_of(outsider)
    assert theirs.get(reverse("cell-crop", args=[other_study.pk, made.pk])).status_code == 404
    ids = {"cells": [str(made.pk)]}
    assert send(theirs, "api-gallery-cells", other_study, ids).json() == {"cells": []}
    assert send(theirs, "api-gallery-crops", other_study, ids).content == b"\x00\x00\x00\x02[]"
    group = label(study, "Myeloblast").group_id
    assert send(theirs, "api-gallery-labelled", other_study, {"groups": [group]}).status_code == 202
    assert not InteractiveHead.objects.exists()


def test_no_name_of_a_file_is_told(study: Study, image: SmearImage, client: Client) -> None:
    made = cell(image, 100, 100, 60)
    for method, address, body in asked_of(study, made):
        options = {"data": body, "content_type": "application/json"} if body is not None else {}
        response = getattr(client, method)(address, **options)
        assert b"faggot_cell" not in response.content, address
        assert "faggot_cell" not in str(response.headers), address
    assert ImageName.objects.filter(name__contains="faggot_cell").exists()


def test_what_is_known_of_a_cell(
    study: Study, image: SmearImage, annotator: User, teammate: User, client: Client
) -> None:
    made = cell(image, 100, 100, 60)
    remark = TextAttribute.objects.get(study=study)
    say(made, "Promyelocyte", annotator)
    say(made, "Myeloblast", teammate)
    CellText.objects.create(cell=made, attribute=remark, annotator=annotator, text="Bilobed nucleus")
    judge(made, Promyelocyte=0.71234, Lymphocyte=0.0001)
    promyelocyte, myeloblast = label(study, "Promyelocyte").pk, label(study, "Myeloblast").pk
    (known,) = send(client, "api-gallery-cells", study, {"cells": [str(uuid4()), str(made.pk)]}).json()["cells"]
    crop = known.pop("crop")
    assert len(crop) == 12
    assert known == {
        "id": str(made.pk),
        "version": 1,
        "image": image.pk,
        "state": "new",
        "patient": "P-7",
        # The viewer's own choice, and all of it: an operation replaces the whole of it.
        "labels": [promyelocyte],
        "confidence": {},
        "texts": {str(remark.pk): "Bilobed nucleus"},
        "said": [
            {"by": "anna", "labels": [promyelocyte], "confidence": {}},
            {"by": "theo", "labels": [myeloblast], "confidence": {}},
        ],
        "probabilities": {str(promyelocyte): 0.712},
        "evidence": {},
        "field": 26.0,
        "unit": "µm",
        "usual": True,
        "size": [6.0, 6.0],
    }


def test_sizes_of_what_has_no_scale_or_is_too_large(study: Study, make_image: Any, client: Client) -> None:
    in_px, in_um = make_image(study, width=400, height=300, seed=4), make_image(study, 400, 300, 5, um_per_pixel=0.1)
    cells = [cell(in_px, 50, 50, 100), cell(in_um, 0, 0, 290)]
    known = send(client, "api-gallery-cells", study, {"cells": [str(each.pk) for each in cells]}).json()["cells"]
    assert known[0]["unit"] == "px" and known[0]["size"] == [100, 100] and known[0]["usual"]
    assert known[1]["size"] == [29.0, 29.0] and known[1]["field"] > 29 and not known[1]["usual"]


@pytest.mark.parametrize("body", [{}, {"cells": "all"}, {"cells": ["x"]}, {"cells": [3]}, [], {"cells": ["0"] * 201}])
@pytest.mark.parametrize("name", ["api-gallery-cells", "api-gallery-crops"])
def test_nonsense_is_refused_in_a_sentence(name: str, body: Any, study: Study, client: Client) -> None:
    response = send(client, name, study, body)
    assert response.status_code == 400
    assert "id" in response.json()["cells"][0]


def unpack(content: bytes) -> dict[UUID, Image.Image]:
    (length,) = struct.unpack(">I", content[:4])
    listed, rest = json.loads(content[4 : 4 + length]), content[4 + length :]
    pictures = {}
    for each in listed:
        picture, rest = rest[: each["bytes"]], rest[each["bytes"] :]
        pictures[UUID(each["id"])] = Image.open(BytesIO(picture))
    assert rest == b""
    return pictures


def test_crops_of_many_cells_open_each_image_once(
    study: Study, make_image: Any, client: Client, monkeypatch: Any
) -> None:
    images = [make_image(study, width=400, height=300, seed=n, um_per_pixel=0.1) for n in (1, 2)]
    cells = [cell(images[n % 2], 20 * n, 20 * n, 40) for n in range(8)]
    opened = []
    decoded = kept_crops._decoded
    monkeypatch.setattr(kept_crops, "_decoded", lambda sha256: opened.append(sha256) or decoded(sha256))
    # Asked for half of them: the others are cut in passing.
    for asked in (cells[:4], cells[4:], cells):
        pictures = unpack(send(client, "api-gallery-crops", study, {"cells": [str(each.pk) for each in asked]}).content)
        assert set(pictures) == {each.pk for each in asked}
        assert {(picture.size, picture.format) for picture in pictures.values()} == {((128, 128), "JPEG")}
    assert sorted(opened) == sorted(image.sha256 for image in images)


def test_a_crop_shows_the_cell_and_stays_in_the_browsers_cache(study: Study, image: SmearImage, client: Client) -> None:
    made = cell(image, 100, 100, 60)
    address = reverse("cell-crop", args=[study.pk, made.pk])
    response = client.get(address, {"size": "128", "v": "x"})
    assert response["Content-Type"] == "image/jpeg" and "immutable" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]
    assert Image.open(BytesIO(response.content)).size == (128, 128)
    tag = response["ETag"]
    assert client.get(address, {"size": "128"}, headers={"If-None-Match": tag}).status_code == 304
    assert "immutable" not in client.get(address)["Cache-Control"]
    # With another border it is another picture.
    Cell.objects.filter(pk=made.pk).update(x0=200, x1=260)
    assert client.get(address, {"size": "128"}, headers={"If-None-Match": tag}).status_code == 200
    assert Image.open(BytesIO(client.get(address).content)).size == (299, 299)
    assert Image.open(BytesIO(client.get(address, {"around": "1"}).content)).size == (720, 720)


def test_a_crop_whose_image_is_gone_is_not_found(
    study: Study, image: SmearImage, client: Client, settings: Any
) -> None:
    made = cell(image, 100, 100, 60)
    for file in settings.IMAGE_STORE.rglob("*.png"):
        file.unlink()
    assert client.get(reverse("cell-crop", args=[study.pk, made.pk])).status_code == 404
    assert unpack(send(client, "api-gallery-crops", study, {"cells": [str(made.pk)]}).content) == {}


def test_the_number_of_queries_does_not_grow_with_the_cells(study: Study, image: SmearImage, client: Client) -> None:
    counts = []
    for number in (2, 20):
        cells = [cell(image, n, n, 40) for n in range(number)]
        for each in cells:
            say(each, "Myeloblast")
            judge(each, Myeloblast=0.5)
        body = {"cells": [str(each.pk) for each in cells]}
        send(client, "api-gallery-crops", study, body)
        with CaptureQueriesContext(connection) as queries:
            send(client, "api-gallery-cells", study, body)
            send(client, "api-gallery-crops", study, body)
            client.get(reverse("api-gallery-counts", args=[study.pk]))
            client.get(reverse("api-gallery-news", args=[study.pk]))
            client.get(reverse("gallery", args=[study.pk]))
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_how_many_cells_have_each_label(
    study: Study, image: SmearImage, annotator: User, teammate: User, client: Client
) -> None:
    cells = [cell(image, n, n, 40) for n in range(4)]
    say(cells[0], "Myeloblast", annotator)
    say(cells[0], "Myeloblast", teammate)
    say(cells[1], "Myeloblast", teammate)
    say(cells[1], "Auer rod", teammate)
    myeloblast, auer = label(study, "Myeloblast").pk, label(study, "Auer rod").pk
    address = reverse("api-gallery-counts", args=[study.pk])
    everything = {
        "labels": {str(myeloblast): 2, str(auer): 1},
        "counted": {str(myeloblast): 2},
        "none": 2,
        "all": 4,
    }
    assert client.get(address).json() == everything
    # Beside a label stands what choosing it would show.
    assert client.get(address, {"label": auer}).json() == everything
    assert client.get(address, {"patient": "none"}).json() == {"labels": {}, "counted": {}, "none": 0, "all": 0}


def label_from_gallery(client: Client, made: Cell, known: Any, labels: list[int]) -> Any:
    """As the page sends it: the cell's version as it was shown, and the whole choice."""
    operation = {
        "id": str(uuid4()), "kind": "label", "cell": str(made.pk), "version": known["version"], "labels": labels,
        "confidence": known["confidence"], "texts": known["texts"],
    }  # fmt: skip
    address = reverse("api-operations", args=[made.image_id])
    return client.post(address, {"operations": [operation]}, content_type="application/json")


def test_two_people_at_one_cell(
    study: Study, image: SmearImage, annotator: User, teammate: User, client: Client, client_of: Any
) -> None:
    made = cell(image, 100, 100, 60)
    theirs = client_of(teammate)
    ids = {"cells": [str(made.pk)]}
    promyelocyte, myeloblast = label(study, "Promyelocyte").pk, label(study, "Myeloblast").pk
    (seen,) = send(client, "api-gallery-cells", study, ids).json()["cells"]
    since = client.get(reverse("api-gallery-news", args=[study.pk])).json()["now"]
    assert label_from_gallery(theirs, made, seen, [myeloblast]).status_code == 200
    # Anna saw the cell before: she is told how it is now, and nothing of hers is merged with it.
    late = label_from_gallery(client, made, seen, [promyelocyte])
    assert late.status_code == 412
    (result,) = late.json()["results"]
    assert result["status"] == "stale" and result["cell"]["labels"] == [myeloblast]
    assert list(CellLabel.objects.values_list("annotator__username", "label")) == [("theo", myeloblast)]
    news = client.get(reverse("api-gallery-news", args=[study.pk]), {"since": since}).json()
    assert news["cells"] == {str(made.pk): 2}
    (now,) = send(client, "api-gallery-cells", study, ids).json()["cells"]
    assert label_from_gallery(client, made, now, [promyelocyte]).status_code == 200
    (agreed,) = send(client, "api-gallery-cells", study, ids).json()["cells"]
    assert agreed["labels"] == [promyelocyte] and len(agreed["said"]) == 2


def test_heads_are_asked_for(study: Study, image: SmearImage, client: Client, monkeypatch: Any) -> None:
    told = []
    monkeypatch.setattr("inference.api.gallery.begin", lambda group: told.append(group.name))
    group = label(study, "Myeloblast").group_id
    answer = send(client, "api-gallery-labelled", study, {"groups": [group, 10**9]})
    assert answer.status_code == 202 and told == ["Cell type"]
    assert [head["state"] for head in answer.json()["heads"]] == ["none", "none"]
    assert send(client, "api-gallery-labelled", study, {"groups": "all"}).status_code == 400


def test_the_crops_kept_longest_unused_go(
    study: Study, image: SmearImage, client: Client, monkeypatch: Any, settings: Any
) -> None:
    settings.CROP_CACHE_GIB = 0
    monkeypatch.setattr(kept_crops, "_LOOK_AFTER", 1)
    made = cell(image, 100, 100, 60)
    body = {"cells": [str(made.pk)]}
    assert len(unpack(send(client, "api-gallery-crops", study, body).content)) == 1
    assert not list(kept_crops.folder().glob("*/*.jpg"))
    settings.CROP_CACHE_GIB = 1
    send(client, "api-gallery-crops", study, body)
    assert len(list(kept_crops.folder().glob("*/*.jpg"))) == 1
