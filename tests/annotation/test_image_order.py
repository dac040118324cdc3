"""The orders in which images are given to people: in the worklist, by the API, and as the next image for me."""

from threading import Barrier, Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from annotation.assignment import take_next
from annotation.image_order import MEANINGS, OrderRefused, choose_order
from annotation.models import Cell, ImageName, ImageOrder, ProposalRun, SmearImage, Study
from annotation.worklist import worklist
from annotation.worklist_query import SORTS, WorklistQuery

BORDER = {"kind": "rectangle", "x": 4, "y": 4, "width": 20, "height": 20}


def _image(study: Study, name: str, score: float | None = None, **fields: Any) -> SmearImage:
    """An image's row, with one proposal of that score where it is given."""
    fields.setdefault("state", "new" if score is None else "proposed")
    image = SmearImage.objects.create(
        study=study, sha256=f"{sum(map(ord, name)):064x}", width=64, height=48, fold=0, **fields
    )
    ImageName.objects.create(image=image, name=name)
    if score is not None:
        run, _ = ProposalRun.objects.get_or_create(study=study, bundle="0123456789ab", score_threshold=0.5)
        proposal = {"origin": "proposal", "status": "proposed", "run": run, "proposed_border": BORDER}
        Cell.objects.create(image=image, border=BORDER, x0=4, y0=4, x1=24, y1=24, score=score, **proposal)
    return image


@pytest.fixture
def images(study: Study) -> dict[str, SmearImage]:
    """Four that wait, one that is new, and one that is annotated and has the highest figures of all."""
    return {
        "a": _image(study, "a", 0.9, disagreement=0.1, novelty=0.2, learning_rank=2),
        "b": _image(study, "b", 0.7, disagreement=0.3, novelty=0.1, learning_rank=1),
        "c": _image(study, "c", 0.6, disagreement=None, novelty=0.9, learning_rank=None),
        "d": _image(study, "d", 0.8, disagreement=0.2, novelty=None, learning_rank=None),
        "new": _image(study, "new"),
        "done": _image(study, "done", 0.51, state="annotated", disagreement=1.0, novelty=2.0, learning_rank=3),
    }


ORDERS = {
    # Images that the order says nothing of come by the corrections to expect.
    "teaches": ["b", "a", "c", "d"],
    "uncertain": ["c", "b", "d", "a"],
    "disagree": ["b", "d", "a", "c"],
    "unlike": ["c", "a", "b", "d"],
}


def _listed(study: Study, sort: str) -> list[str]:
    return [row.name for row in worklist(study, WorklistQuery.parse({"sort": sort})).rows]


@pytest.mark.parametrize("order", ORDERS)
def test_the_worklist_and_the_api_follow_the_figures_and_finished_images_come_after(
    order: str, study: Study, images: dict[str, SmearImage], annotator: User, client_of: Any
) -> None:
    wanted = ORDERS[order]
    found = _listed(study, order)
    assert found[: len(wanted)] == wanted and len(found) == 6
    rows = client_of(annotator).get(f"/api/v1/studies/{study.pk}/images/", {"sort": order}).json()["results"]
    assert [row["name"] for row in rows][: len(wanted)] == wanted
    by_name = {row["name"]: row for row in rows}
    assert (by_name["b"]["disagreement"], by_name["b"]["novelty"], by_name["b"]["learning_rank"]) == (0.3, 0.1, 1)
    assert by_name["new"]["novelty"] is None


@pytest.mark.parametrize("order", ORDERS)
def test_the_next_image_follows_the_order_of_the_study(
    order: str, study: Study, images: dict[str, SmearImage], annotator: User
) -> None:
    choose_order(study, order)
    given = []
    while (image := take_next(study, annotator)) is not None:
        given.append(image.name)
        SmearImage.objects.filter(pk=image.pk).update(state="annotated")
    assert given[: len(ORDERS[order])] == ORDERS[order]
    # Images without proposals come last; none is left out.
    assert len(given) == 5 and given[-1] == "new"


@pytest.mark.parametrize("order", ["teaches", "uncertain", "disagree", "unlike"])
def test_before_there_is_a_round_images_come_by_the_corrections_to_expect(order: str, study: Study) -> None:
    for name, score in {"a": 0.9, "b": 0.6, "c": 0.8}.items():
        _image(study, name, score)
    _image(study, "new")
    assert _listed(study, order) == ["b", "c", "a", "new"]


def test_the_random_order_is_the_same_for_all_and_another_in_each_study(study: Study, other_study: Study) -> None:
    names = [f"{number:02d}" for number in range(20)]
    for number, name in enumerate(names):
        for one in (study, other_study):
            row = _image(one, name)
            SmearImage.objects.filter(pk=row.pk).update(sha256=f"{number:064x}")
    drawn = _listed(study, "random")
    assert drawn == _listed(study, "random") != names and sorted(drawn) == names
    assert _listed(other_study, "random") != drawn
    # Work changes no place.
    study.images.filter(names__name=drawn[3]).update(state="annotated", learning_rank=1)
    assert _listed(study, "random") == drawn


@pytest.mark.django_db(transaction=True)
def test_two_people_at_once_are_given_the_two_best(
    study: Study, images: dict[str, SmearImage], annotator: User, teammate: User
) -> None:
    choose_order(study, "teaches")
    barrier, given = Barrier(2), {}

    def ask(person: User) -> None:
        try:
            barrier.wait()
            image = take_next(study, person)
            given[person.username] = image.name if image else None
        finally:
            connection.close()

    threads = [Thread(target=ask, args=(person,)) for person in (annotator, teammate)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(given.values()) == {"a", "b"}


def test_an_image_keeps_its_place_while_one_works_on_it(
    study: Study, images: dict[str, SmearImage], annotator: User, client_of: Any
) -> None:
    SmearImage.objects.filter(pk=images["a"].pk).update(state="annotated")
    for order, beside in {"teaches": ("b", "c"), "disagree": ("d", "c"), "unlike": ("c", "b")}.items():
        body = client_of(annotator).get(f"/api/v1/images/{images['a'].pk}/", {"sort": order}).json()
        assert (body["previous"], body["next"]) == tuple(images[name].pk for name in beside)


def test_cards_show_the_figure_that_the_list_is_sorted_by(study: Study, images: dict[str, SmearImage]) -> None:
    def shown(sort: str) -> dict[str, str]:
        return {row.name: row.order_figure for row in worklist(study, WorklistQuery.parse({"sort": sort})).rows}

    assert shown("teaches") == {"a": "no. 2 to teach", "b": "no. 1 to teach", "c": "", "d": "", "new": "", "done": ""}
    assert shown("disagree")["b"] == "30% differ" and shown("disagree")["c"] == ""
    assert shown("unlike")["c"] == "10% alike" and shown("unlike")["done"] == ""
    assert set(shown("name").values()) == {""}


def test_every_order_is_offered_with_what_it_means(study: Study, annotator: User, client_of: Any) -> None:
    _image(study, "a")
    assert set(MEANINGS) == set(ImageOrder) <= set(SORTS)
    page = client_of(annotator).get(reverse("study", args=[study.pk])).content.decode()
    for order in ImageOrder:
        assert f'<option value="{order.value}" title="{MEANINGS[order]}"' in page
    assert 'class="worklist-order' not in page
    for order in ImageOrder:
        listed = client_of(annotator).get(reverse("study", args=[study.pk]), {"sort": order}).content.decode()
        assert f'<p class="worklist-order muted small">{MEANINGS[order]}.</p>' in listed
    # What the button does is said to everybody; who is no admin cannot change it.
    assert f"{MEANINGS[ImageOrder.TEACHES]}." in page and 'id="next-order"' not in page


def _set(client: Client, study: Study, order: str) -> Any:
    return client.post(reverse("study-order", args=[study.pk]) + "?sort=cells", {"order": order}, follow=True)


def test_admins_choose_the_order_on_the_page(study: Study, admin: User, client_of: Any) -> None:
    _image(study, "a")
    answer = _set(client_of(admin), study, "random")
    assert answer.redirect_chain[-1][0] == reverse("study", args=[study.pk]) + "?sort=cells"
    page = answer.content.decode()
    assert "now follows the order “In random order”" in page
    assert '<option value="random" selected>In random order</option>' in page
    assert Study.objects.get(pk=study.pk).next_order == "random"
    assert "An order is one of teaches" in _set(client_of(admin), study, "best").content.decode()
    assert Study.objects.get(pk=study.pk).next_order == "random"
    assert client_of(admin).get(reverse("study-order", args=[study.pk])).status_code == 405


def test_only_admins_choose_it(
    study: Study, annotator: User, reviewer: User, outsider: User, admin: User, client_of: Any
) -> None:
    api = f"/api/v1/studies/{study.pk}/next-order/"

    def put(client: Client, order: str = "random") -> Any:
        return client.put(api, {"order": order}, content_type="application/json")

    for user, status in [(annotator, 403), (reviewer, 403), (outsider, 404)]:
        assert _set(client_of(user), study, "random").status_code == status
        assert put(client_of(user)).status_code == status
    anonymous = Client()
    assert anonymous.post(reverse("study-order", args=[study.pk]), {"order": "random"})["Location"].startswith(
        reverse("sign-in")
    )
    assert put(anonymous).status_code in (401, 403)
    assert Study.objects.get(pk=study.pk).next_order == "teaches"
    assert put(client_of(admin)).json() == {"next_order": "random"}
    assert client_of(annotator).get(f"/api/v1/studies/{study.pk}/").json()["next_order"] == "random"
    refused = put(client_of(admin), "best")
    assert refused.status_code == 400 and "order" in refused.json()


def test_lists_by_an_unknown_order_are_refused(study: Study, annotator: User, outsider: User, client_of: Any) -> None:
    address = f"/api/v1/studies/{study.pk}/images/"
    refused = client_of(annotator).get(address, {"sort": "best"})
    assert refused.status_code == 400 and "teaches" in refused.json()["sort"][0]
    assert client_of(outsider).get(address, {"sort": "teaches"}).status_code == 404
    with pytest.raises(OrderRefused, match="An order is one of teaches, uncertain"):
        choose_order(study, "")


def test_orders_are_known_to_the_page_and_the_command_line() -> None:
    from inference.management.commands.simulate_loop import ORDERS as WORDS

    assert set(WORDS.values()) == set(ImageOrder)
