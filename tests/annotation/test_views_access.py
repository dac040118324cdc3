"""Every page and file: members see it, another study's admin gets 404, too low a role 403; others sign in first."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotation.models import Role, Study

STUDY_PAGES = ["study", "upload", "scheme", "members"]
IMAGE_FILES = ["image-pixels", "image-thumbnail"]
# Changes of members, with what each sends.
MEMBER_CHANGES = {
    "member-add": {"username": "theo", "role": "annotator"},
    "member-role": {"username": "anna", "role": "admin"},
    "member-remove": {"username": "anna"},
    "member-create": {"username": "new", "role": "annotator"},
}


@pytest.fixture
def superuser(db: Any) -> User:
    return User.objects.create_superuser("root", password="smear-and-stain-1")


@pytest.mark.parametrize("name", STUDY_PAGES)
def test_study_pages_open_for_members_of_every_role(
    name: str, study: Study, annotator: User, reviewer: User, admin: User, superuser: User, client_of: Any
) -> None:
    for user in (annotator, reviewer, admin, superuser):
        assert client_of(user).get(reverse(name, args=[study.pk])).status_code == 200


@pytest.mark.parametrize("name", STUDY_PAGES)
def test_study_pages_do_not_exist_for_outsiders(name: str, study: Study, outsider: User, client_of: Any) -> None:
    response = client_of(outsider).get(reverse(name, args=[study.pk]))
    assert response.status_code == 404
    assert study.name not in response.content.decode()


@pytest.mark.parametrize("name", STUDY_PAGES)
def test_study_pages_send_strangers_to_sign_in(name: str, study: Study) -> None:
    address = reverse(name, args=[study.pk])
    response = Client().get(address)
    assert (response.status_code, response["Location"]) == (302, f"/sign-in/?next={address}")


def test_a_study_that_does_not_exist_looks_like_one_of_others(study: Study, outsider: User, client_of: Any) -> None:
    there = client_of(outsider).get(reverse("study", args=[study.pk]))
    nowhere = client_of(outsider).get(reverse("study", args=[study.pk + 999]))
    assert nowhere.status_code == there.status_code == 404
    # The pages differ in the token of their sign-out form only.
    assert len(nowhere.content) == len(there.content)


@pytest.mark.parametrize("name", IMAGE_FILES)
def test_image_files_are_served_to_members_only(
    name: str, study: Study, annotator: User, outsider: User, make_image: Any, client_of: Any
) -> None:
    address = reverse(name, args=[make_image(study).pk])
    assert client_of(annotator).get(address).status_code == 200
    assert client_of(outsider).get(address).status_code == 404
    assert Client().get(address)["Location"] == f"/sign-in/?next={address}"


@pytest.mark.parametrize("name", IMAGE_FILES)
def test_a_known_hash_is_no_way_around_the_permission(
    name: str, study: Study, outsider: User, make_image: Any, client_of: Any
) -> None:
    image = make_image(study)
    tags = f'"{image.sha256}", "{image.sha256}-small"'
    response = client_of(outsider).get(reverse(name, args=[image.pk]), headers={"If-None-Match": tags})
    assert response.status_code == 404


@pytest.mark.parametrize("name", MEMBER_CHANGES)
def test_only_admins_change_members(
    name: str, study: Study, annotator: User, reviewer: User, outsider: User, client_of: Any
) -> None:
    address = reverse(name, args=[study.pk])
    before = set(study.memberships.values_list("user__username", "role"))
    for user, expected in ((annotator, 403), (reviewer, 403), (outsider, 404)):
        assert client_of(user).post(address, MEMBER_CHANGES[name]).status_code == expected
    assert Client().post(address, MEMBER_CHANGES[name])["Location"].startswith("/sign-in/")
    assert set(study.memberships.values_list("user__username", "role")) == before


def test_only_superusers_make_accounts(study: Study, admin: User, superuser: User, client_of: Any) -> None:
    address = reverse("member-create", args=[study.pk])
    assert client_of(admin).post(address, {"username": "new", "role": "annotator"}).status_code == 403
    assert not User.objects.filter(username="new").exists()
    assert client_of(superuser).post(address, {"username": "new", "role": "annotator"}).status_code == 200


def test_only_superusers_make_studies(study: Study, admin: User, superuser: User, client_of: Any) -> None:
    assert client_of(admin).post(reverse("studies"), {"name": "Mine"}).status_code == 403
    assert not Study.objects.filter(name="Mine").exists()
    response = client_of(superuser).post(reverse("studies"), {"name": "Mine"})
    assert response["Location"] == reverse("upload", args=[Study.objects.get(name="Mine").pk])


def test_changes_need_the_token_of_the_form(study: Study, admin: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    response = client.post(reverse("member-add", args=[study.pk]), {"username": "x", "role": Role.ADMIN})
    assert response.status_code == 403
    assert "form has expired" in response.content.decode()


def test_sign_in_and_out(study: Study, annotator: User) -> None:
    client = Client()
    refused = client.post(reverse("sign-in"), {"username": "anna", "password": "wrong"})
    assert "do not match" in refused.content.decode()
    entered = client.post(
        reverse("sign-in"), {"username": "anna", "password": "smear-and-stain-1", "next": f"/studies/{study.pk}/"}
    )
    assert entered["Location"] == f"/studies/{study.pk}/"
    assert client.get(reverse("sign-out")).status_code == 405
    assert client.post(reverse("sign-out"))["Location"] == reverse("sign-in")
    assert client.get(reverse("studies")).status_code == 302


def test_sign_in_never_leads_to_another_site(annotator: User) -> None:
    response = Client().post(
        reverse("sign-in"), {"username": "anna", "password": "smear-and-stain-1", "next": "https://example.org/"}
    )
    assert response["Location"] == reverse("studies")


def test_password_change_is_for_those_who_know_the_old_one(annotator: User, client_of: Any) -> None:
    client = client_of(annotator)
    new = {"new_password1": "counting-cells-2", "new_password2": "counting-cells-2"}
    assert client.post(reverse("password-change"), {"old_password": "wrong"} | new).status_code == 200
    assert client.post(reverse("password-change"), {"old_password": "smear-and-stain-1"} | new).status_code == 302
    annotator.refresh_from_db()
    assert annotator.check_password("counting-cells-2")


@pytest.mark.parametrize("name", ["studies", "password-change"])
def test_pages_forbid_inline_script_and_style(name: str, annotator: User, client_of: Any) -> None:
    response = client_of(annotator).get(reverse(name))
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    page = response.content.decode()
    assert " style=" not in page and "<style" not in page and " onclick=" not in page
