"""Pictures of the same pixels with different classes are told to admins on a page, and to nobody else."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from PIL import Image

from annotation.contradictions import contradictions
from annotation.models import Cell, Membership, Study
from tests.annotation.changes import change, one

pytestmark = pytest.mark.django_db


@pytest.fixture
def imported(study: Study, tmp_path: Path, capsys: Any) -> Path:
    """Three pictures under five names: one contradicts itself, one is said twice in two spellings."""
    for number, names in enumerate((["promyelocyte_1", "blast_7"], ["auer_2", "lymphocyte_3"], ["monocyte_4"])):
        pixels = np.random.default_rng(number).integers(0, 255, (48, 48, 3), dtype=np.uint8)
        for name in names:
            Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    classes = {"promyelocyte_1": "promyelocytes", "blast_7": "myeloblast", "auer_2": "Promyelocyte"}
    classes |= {"lymphocyte_3": "promyelocytes", "monocyte_4": "monocyte"}
    rows = [f"{name}.png,P1,{cell_class}" for name, cell_class in classes.items()]
    (tmp_path / "cells.csv").write_text("\n".join(["file,patient,cell_class", *rows]))
    bring(study, tmp_path, capsys)
    return tmp_path


def bring(study: Study, folder: Path, capsys: Any) -> dict[str, Any]:
    table = str(folder / "cells.csv")
    call_command("import_images", str(folder), "--study", study.name, "--cells", table)
    said: dict[str, Any] = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    return said


def test_what_contradicts_itself_is_found_with_all_its_files(study: Study, imported: Path, annotator: User) -> None:
    (found,) = contradictions(study)
    assert sorted(found.files) == [("blast_7.png", "Myeloblast"), ("promyelocyte_1.png", "Promyelocyte")]
    assert (found.classes, found.labels) == (2, "")
    # Somebody looks and decides.
    cell = Cell.objects.get(image=found.image)
    label = study.label_groups.get(name="Cell type").labels.get(name="Promyelocyte")
    one(found.image, annotator, change("label", cell.pk, cell.version, labels=[label.pk]))
    (found,) = contradictions(study)
    assert found.labels == "Promyelocyte"


def test_a_later_table_that_says_otherwise_is_found(study: Study, imported: Path, capsys: Any) -> None:
    (imported / "cells.csv").write_text("file,patient,cell_class\nmonocyte_4.png,P1,lymphocyte\n")
    assert bring(study, imported, capsys)["contradictions"] == 1
    assert [("monocyte_4.png", "Monocyte, Lymphocyte")] in [each.files for each in contradictions(study)]
    # Said again it is noted once.
    bring(study, imported, capsys)
    assert len(contradictions(study)) == 2


def test_only_admins_see_the_page_and_are_led_to_it(
    study: Study,
    imported: Path,
    admin: User,
    annotator: User,
    reviewer: User,
    outsider: User,
    client_of: Any,
) -> None:
    address = reverse("contradictions", args=[study.pk])
    page = client_of(admin).get(address).content.decode()
    assert "promyelocyte_1.png" in page and "blast_7.png" in page and "monocyte_4" not in page
    assert (
        "1 picture came with different classes"
        in client_of(admin).get(reverse("scheme", args=[study.pk])).content.decode()
    )
    for user in (annotator, reviewer):
        assert client_of(user).get(address).status_code == 403
        assert address not in client_of(user).get(reverse("scheme", args=[study.pk])).content.decode()
    assert client_of(outsider).get(address).status_code == 404
    assert Client().get(address).status_code == 302


def test_where_nothing_contradicts_the_page_says_so(study: Study, admin: User, client_of: Any) -> None:
    assert "No contradiction" in client_of(admin).get(reverse("contradictions", args=[study.pk])).content.decode()


@pytest.mark.django_db
def test_members_are_told_no_file(study: Study, imported: Path, annotator: User, client_of: Any) -> None:
    """Gallery, editor, worklist, their API and the titles of pages."""
    Membership.objects.filter(user=annotator).update(role="reviewer")
    client = client_of(annotator)
    image = Cell.objects.select_related("image").first().image  # type: ignore[union-attr]
    addresses = [
        *(reverse(name, args=[study.pk]) for name in ("study", "gallery", "scheme", "rounds", "classify", "upload")),
        *(reverse(name, args=[study.pk]) for name in ("api-study", "api-gallery-order", "api-gallery-counts")),
        *(reverse(name, args=[image.pk]) for name in ("image", "image-pixels", "image-thumbnail", "image-past")),
    ]
    for address in addresses:
        response = client.get(address)
        assert response.status_code == 200, address
        content = b"".join(response.streaming_content) if response.streaming else response.content
        for name in (b"promyelocyte_1", b"blast_7", b"lymphocyte_3", b"monocyte_4", b"auer_2"):
            assert name not in content and name not in str(response.headers).encode(), (address, name)
