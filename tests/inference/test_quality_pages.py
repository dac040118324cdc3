"""Where people meet an image's quality: worklist, page, API; and who does."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotation.models import ImageQuality, Patient, SmearImage, Study
from inference.models import ImageQualityJob

pytestmark = pytest.mark.django_db

BLURRED = {
    "criterion": "focus",
    "value": 2.1,
    "unit": "µm",
    "verdict": "bad",
    "sentence": "The image is out of focus: its sharpest edges are 2.1 µm wide.",
}


@pytest.fixture
def images(study: Study, make_image: Any) -> list[SmearImage]:
    """A good one, a doubtful one, a poor one, and one that nobody has judged."""
    made = [make_image(study, seed=seed, patient=Patient.arrive(study, f"P-{seed % 2}")) for seed in range(4)]
    for image, verdict in zip(made, ("good", "doubtful", "bad"), strict=False):
        bad = verdict == "bad"
        ImageQuality.objects.create(
            image=image,
            method="quality/1",
            revision=0,
            verdict=verdict,
            reason="" if verdict == "good" else BLURRED["sentence"] if bad else "The stain is pale.",
            findings=[BLURRED] if bad else [],
            tiles=[[0, 0, 64, 48, "blurred" if bad else "optimal"]],
            good_share=0.0 if bad else 1.0,
        )
    return made


def test_the_worklist_marks_images_and_gives_the_reason(
    study: Study, images: list[SmearImage], annotator: User, client_of: Any
):
    page = client_of(annotator).get(reverse("study", args=[study.pk])).content.decode()
    assert page.count('class="quality-mark"') == 2
    assert BLURRED["sentence"] in page


@pytest.mark.parametrize(
    ("asked", "seen"), [("bad", [2]), ("doubtful", [1, 2]), ("good", [0]), ("none", [3]), ("nonsense", [0, 1, 2, 3])]
)
def test_poor_images_are_found(
    asked: str, seen: list[int], study: Study, images: list[SmearImage], annotator: User, client_of: Any
):
    page = client_of(annotator).get(reverse("study", args=[study.pk]), {"quality": asked}).content.decode()
    assert [f"field-{n}.png" in page for n in range(4)] == [n in seen for n in range(4)]
    if asked == "bad":
        # The editor's next and previous stay among them.
        assert f"{reverse('image', args=[images[2].pk])}?quality=bad" in page
    if asked != "nonsense":
        api = client_of(annotator).get(reverse("api-study-images", args=[study.pk]), {"quality": asked}).json()
        assert [row["id"] for row in api["results"]] == [images[n].pk for n in seen]


def test_a_filter_without_images_says_so(study: Study, make_image: Any, annotator: User, client_of: Any):
    make_image(study)
    page = client_of(annotator).get(reverse("study", args=[study.pk]), {"quality": "bad"}).content.decode()
    assert "No image is of this quality." in page
    refused = client_of(annotator).get(reverse("api-study-images", args=[study.pk]), {"quality": "ugly"})
    assert refused.status_code == 400


def test_the_page_counts_and_gives_reasons(study: Study, images: list[SmearImage], annotator: User, client_of: Any):
    page = client_of(annotator).get(reverse("quality", args=[study.pk])).content.decode()
    for expected in ("Not judged yet", "Focus", "The stain is pale.", BLURRED["sentence"], "P-0", "67\u202f%"):
        assert expected in page
    assert "Judge 1 image" not in page, "an annotator cannot ask"


def test_the_line_in_the_worklist(study: Study, images: list[SmearImage], annotator: User, client_of: Any):
    line = client_of(annotator).get(reverse("quality", args=[study.pk]), {"line": 1}).content.decode()
    assert "Of 3 images judged, 1 image is poor and 1 is doubtful." in line
    ImageQuality.objects.all().delete()
    assert "judged" not in client_of(annotator).get(reverse("quality", args=[study.pk]), {"line": 1}).content.decode()


def test_the_api_of_an_image_has_its_regions(images: list[SmearImage], annotator: User, client_of: Any):
    client = client_of(annotator)
    told = client.get(reverse("api-image-quality", args=[images[2].pk])).json()
    assert told["verdict"] == "bad" and told["findings"] == [BLURRED]
    assert told["regions"] == {"good_share": 0.0, "tiles": [[0, 0, 64, 48, "blurred"]]}
    unjudged = client.get(reverse("api-image-quality", args=[images[3].pk]))
    assert unjudged.status_code == 404 and unjudged.json()["detail"] == "Nobody has judged this image yet."
    assert client.get(reverse("api-image", args=[images[2].pk])).json()["quality"]["verdict"] == "bad"
    assert client.get(reverse("api-image", args=[images[3].pk])).json()["quality"] is None


def test_the_api_of_a_study(study: Study, images: list[SmearImage], annotator: User, client_of: Any):
    told = client_of(annotator).get(reverse("api-quality", args=[study.pk])).json()
    assert (told["images"], told["good"], told["doubtful"], told["bad"]) == (4, 1, 1, 1)
    assert told["criteria"] == [{"name": "Focus", "doubtful": 0, "bad": 1}]


def test_only_members_see_it_and_only_admins_ask(
    study: Study,
    images: list[SmearImage],
    annotator: User,
    reviewer: User,
    admin: User,
    outsider: User,
    client_of: Any,
    no_broker: list[Any],
):
    page = reverse("quality", args=[study.pk])
    for address in (
        page,
        reverse("api-quality", args=[study.pk]),
        reverse("api-image-quality", args=[images[0].pk]),
    ):
        assert client_of(outsider).get(address).status_code == 404
        assert Client().get(address).status_code in (302, 401, 403)
        assert client_of(annotator).get(address).status_code == 200
    assert client_of(outsider).post(page).status_code == 404
    assert client_of(annotator).post(page).status_code == 403
    assert client_of(reviewer).post(page).status_code == 403
    assert Client().post(page).status_code == 302
    assert not ImageQualityJob.objects.exists()
    assert "Judge 1 image" in client_of(admin).get(page).content.decode()
    assert client_of(admin).post(page).status_code == 302
    assert ImageQualityJob.objects.get().requested_by == admin
