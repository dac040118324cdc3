"""The bundles of a study: which is in use, who changed that and when, and the way back; page and API."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotation.models import Study
from training.launching import launch
from training.models import Bundle, Promotion, Round
from training.rounds import run

pytestmark = pytest.mark.django_db


@pytest.fixture
def two(annotated_study: Study, good_child: Any, no_broker: Any) -> list[Bundle]:
    """The bundles of two rounds, of which the second is in use."""
    bundles = []
    for seed in range(2):
        made = launch(annotated_study, again=True)
        run(made.pk, command=good_child(seed=seed))
        bundle = made.reload().bundle
        assert bundle is not None
        bundles.append(bundle)
    return bundles


def test_every_change_is_in_the_history(two: list[Bundle], admin: User) -> None:
    first, second = two
    first.promote(by=admin)
    first.promote(by=admin)
    rows = [(p.bundle, p.previous, p.by) for p in Promotion.objects.order_by("pk")]
    assert rows == [(first, None, None), (second, first, None), (first, second, admin)]


@pytest.mark.django_db(transaction=True)
def test_of_promotions_at_once_each_follows_the_other(
    annotated_study: Study, good_child: Any, no_broker: Any, two: list[Bundle]
) -> None:
    import threading

    def promote(bundle: Bundle) -> None:
        Bundle.objects.get(pk=bundle.pk).promote()
        connection.close()

    threads = [threading.Thread(target=promote, args=[bundle]) for bundle in two * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history = list(Promotion.objects.order_by("pk"))
    assert Bundle.objects.get(in_use=True) == history[-1].bundle
    for before, after in zip(history, history[1:], strict=False):
        assert after.previous == before.bundle != after.bundle


# --- who ---


def test_members_see_bundles_and_only_admins_the_way_back(
    two: list[Bundle], annotator: User, reviewer: User, admin: User, client_of: Any
) -> None:
    address = reverse("bundles", args=[two[0].study_id])
    for user in (annotator, reviewer):
        page = client_of(user).get(address).content.decode()
        assert two[0].pk in page and "bundle-promote" not in page and "Back to round" not in page
    page = client_of(admin).get(address).content.decode()
    assert "Back to round 1" in page and reverse("bundle-promote", args=[two[0].study_id, two[0].pk]) in page


@pytest.mark.parametrize("name", ["bundle-promote", "api-bundle-promote"])
def test_only_admins_promote(name: str, two: list[Bundle], annotator: User, reviewer: User, client_of: Any) -> None:
    address = reverse(name, args=[two[0].study_id, two[0].pk])
    for user in (annotator, reviewer):
        assert client_of(user).post(address).status_code == 403
    assert Bundle.objects.get(in_use=True) == two[1]


def test_outsiders_find_nothing(two: list[Bundle], outsider: User, other_study: Study, client_of: Any) -> None:
    client = client_of(outsider)
    for name in ("bundles", "api-bundles"):
        assert client.get(reverse(name, args=[two[0].study_id])).status_code == 404
    for name in ("bundle-promote", "api-bundle-promote"):
        assert client.post(reverse(name, args=[two[0].study_id, two[0].pk])).status_code == 404
        # Nor through a study of their own.
        assert client.post(reverse(name, args=[other_study.pk, two[0].pk])).status_code == 404
    assert Bundle.objects.get(in_use=True) == two[1]


def test_strangers_sign_in_first(two: list[Bundle]) -> None:
    address = reverse("bundles", args=[two[0].study_id])
    assert Client().get(address)["Location"] == f"/sign-in/?next={address}"
    assert Client().get(reverse("api-bundles", args=[two[0].study_id])).status_code in (302, 401)
    for name in ("bundle-promote", "api-bundle-promote"):
        assert Client().post(reverse(name, args=[two[0].study_id, two[0].pk])).status_code in (302, 401)
    assert Bundle.objects.get(in_use=True) == two[1]


# --- what ---


def test_an_admin_goes_back_and_forth_with_one_click(two: list[Bundle], admin: User, client_of: Any) -> None:
    client = client_of(admin)
    rounds = client.get(reverse("rounds", args=[two[0].study_id])).content.decode()
    back = reverse("bundle-promote", args=[two[0].study_id, two[0].pk])
    assert back in rounds
    page = client.post(back, follow=True).content.decode()
    assert f"Proposals are made by bundle {two[0].pk} from now on." in page
    assert "Back to round 2" in page and "ada" in page
    assert Bundle.objects.get(in_use=True) == two[0]


def test_the_page_of_a_study_without_bundle_says_so(study: Study, annotator: User, client_of: Any) -> None:
    assert "No bundle yet" in client_of(annotator).get(reverse("bundles", args=[study.pk])).content.decode()


def test_the_page_costs_the_same_number_of_queries_for_many_bundles(
    two: list[Bundle], annotator: User, client_of: Any, good_child: Any, django_assert_num_queries: Any
) -> None:
    client, address = client_of(annotator), reverse("bundles", args=[two[0].study_id])
    with CaptureQueriesContext(connection) as of_two:
        client.get(address)
    for seed in range(2, 5):
        run(launch(two[0].study, again=True).pk, command=good_child(seed=seed))
    assert Round.objects.count() == 5
    with django_assert_num_queries(len(of_two)):
        client.get(address)


def test_the_api_lists_and_promotes(two: list[Bundle], admin: User, client_of: Any) -> None:
    client = client_of(admin)
    body = client.post(reverse("api-bundle-promote", args=[two[0].study_id, two[0].pk])).json()
    assert (body["id"], body["in_use"]) == (two[0].pk, True)
    body = client.get(reverse("api-bundles", args=[two[0].study_id])).json()
    assert {each["id"]: each["in_use"] for each in body["bundles"]} == {two[0].pk: True, two[1].pk: False}
    assert body["bundles"][0]["metrics"]["map_50"] == 0.95
    newest = body["promotions"][0]
    assert (newest["bundle"], newest["previous"], newest["by"]) == (two[0].pk, two[1].pk, "ada")
