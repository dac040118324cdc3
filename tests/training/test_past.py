"""Back to a round: its moment, that the history agrees with its frozen snapshot, and the page of an image's past."""

import io
import json
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation.as_of import borders_as_of, choices_as_of, states_as_of
from annotation.image_state import set_state
from annotation.models import Cell, Label, SmearImage, Study
from annotation.moments import MomentError, moment_of
from annotation.operations import apply
from tests.annotation.changes import LARGER, ROUND, SQUARE, change, propose
from training.launching import launch
from training.models import Round
from training.moments import moment_of_round
from training.snapshot import read_snapshot
from training.views.past_page import path_of

# Locks, and transactions of several people.
pytestmark = pytest.mark.django_db(transaction=True)


def finished_borders(study: Study, round_: Round) -> dict[str, dict[str, Any]]:
    """By image and cell what the history says that the truth was when a round was launched."""
    moment = moment_of_round(round_)
    images = dict(SmearImage.objects.filter(study=study).values_list("pk", "sha256"))
    names = dict(Label.objects.filter(group__study=study).values_list("pk", "name"))
    choices = choices_as_of(images, moment.at)
    states = states_as_of(images, moment.at)
    borders = borders_as_of(images, moment.at)
    return {
        images[pk]: {
            str(border.id): (
                border.border,
                border.ignored,
                sorted(names[key] for key in choices[border.id].labels) if border.id in choices else [],
            )
            for border in borders[pk]
            if border.stands
        }
        for pk, state in states.items()
        if state.state in SmearImage.FINISHED
    }


def frozen_borders(round_: Round) -> dict[str, dict[str, Any]]:
    return {
        image["sha256"]: {
            border["id"]: (border["border"], border["ignored"], border["labels"]) for border in image["borders"]
        }
        for image in read_snapshot(round_.snapshot_folder).images
    }


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "reshape", "accept", "delete", "restore", "label", "state", "launch"]),
        st.integers(0, 2),
        st.integers(0, 5),
    ),
    min_size=4,
    max_size=16,
)


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=STEPS)
def test_the_history_agrees_with_the_snapshot_of_every_round(
    study: Study, annotated_study: Study, make_image: Any, annotator: User, no_broker: Any, steps: list[Any]
) -> None:
    """Whatever people do between rounds: what was confirmed on finished images at a round's launch is what it froze."""
    start = SmearImage.objects.count()
    images = [make_image(study, seed=100 + start + number) for number in range(3)]
    cells = {image.pk: [propose(image).pk for _ in range(3)] + [uuid.uuid4() for _ in range(3)] for image in images}
    labels = list(Label.objects.filter(group__study=study).order_by("pk").values_list("pk", flat=True))
    rounds = [launch(study)]
    rounds[-1].cancel()
    for kind, which, variant in steps:
        image = SmearImage.objects.get(pk=images[which].pk)
        cell = cells[image.pk][variant]
        version = Cell.objects.filter(pk=cell).values_list("version", flat=True).first() or 0
        if kind == "launch":
            rounds.append(launch(study))
            rounds[-1].cancel()
        elif kind == "state":
            finished = image.state in SmearImage.FINISHED
            set_state(image.pk, annotator, "in_progress" if finished else "annotated", None if finished else "accept")
        else:
            more: dict[str, Any] = (
                {"border": (SQUARE, LARGER, ROUND)[variant % 3]} if kind in ("create", "reshape") else {}
            )
            if kind == "label":
                more["labels"] = labels[variant : variant + 1]
            apply(image.pk, annotator, [change(kind, cell, 0 if kind == "create" else version, **more)])
    rounds.append(launch(study))
    rounds[-1].cancel()
    for round_ in rounds:
        assert finished_borders(study, round_) == frozen_borders(round_)


@pytest.fixture
def image(annotated_study: Study, make_image: Any, annotator: User) -> SmearImage:
    """A finished image: one proposal accepted, one drawn."""
    image: SmearImage = make_image(annotated_study, seed=50, name="field.png")
    kept = propose(image)
    apply(image.pk, annotator, [change("accept", kept.pk, 1), change("create", uuid.uuid4(), 0, border=SQUARE)])
    set_state(image.pk, annotator, "annotated")
    return image


def draw_in_a_transaction(image: SmearImage, user: User, before: Callable[[], Any], after: Callable[[], Any]) -> UUID:
    """Somebody else's border on the image, by a thread: `before` and `after` are called in its open transaction."""
    cell = uuid.uuid4()
    try:
        with transaction.atomic():
            # The transaction begins with its first query.
            User.objects.get(pk=user.pk)
            before()
            apply(image.pk, user, [change("create", cell, 0, border=LARGER)])
            after()
    finally:
        connection.close()
    return cell


def test_a_change_that_is_in_the_making_at_a_launch_is_waited_for(
    image: SmearImage, annotator: User, no_broker: Any
) -> None:
    drawn = threading.Event()
    with ThreadPoolExecutor(1) as somebody:
        # Its transaction stays open for a while after the launch has begun.
        cell = somebody.submit(draw_in_a_transaction, image, annotator, int, lambda: drawn.set() or time.sleep(0.3))
        assert drawn.wait(10)
        round_ = launch(image.study)
        assert str(cell.result(10)) in frozen_borders(round_)[image.sha256]
    assert finished_borders(image.study, round_) == frozen_borders(round_)


def test_a_change_after_a_launch_is_none_of_its_past_however_early_its_transaction_began(
    image: SmearImage, annotator: User, no_broker: Any
) -> None:
    begun, launched = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as somebody:
        cell = somebody.submit(
            draw_in_a_transaction, image, annotator, lambda: begun.set() or launched.wait(10), lambda: None
        )
        assert begun.wait(10)
        round_ = launch(image.study)
        launched.set()
        assert str(cell.result(10)) not in frozen_borders(round_)[image.sha256]
    assert finished_borders(image.study, round_) == frozen_borders(round_)


@pytest.fixture
def looked_back(image: SmearImage, annotator: User, no_broker: Any) -> Round:
    """A round, and since then one border of the image moved, one deleted and one added."""
    round_ = launch(image.study)
    round_.cancel()
    kept = image.cells.get(origin="proposal")
    drawn = image.cells.get(origin="drawn")
    apply(
        image.pk,
        annotator,
        [
            change("reshape", kept.pk, kept.version, border=LARGER),
            change("delete", drawn.pk, drawn.version),
            change("create", uuid.uuid4(), 0, border=SQUARE),
        ],
    )
    return round_


def test_the_export_of_a_round_holds_the_borders_of_its_snapshot(
    looked_back: Round, image: SmearImage, tmp_path: Any
) -> None:
    for name in ("1", "round 1"):
        out = io.StringIO()
        target = tmp_path / "then.csv"
        options = ["--study", looked_back.study.name, "--format", "csv", "--as-of", name]
        call_command("export", str(target), *options, stdout=out, stderr=io.StringIO())
        said = json.loads(out.getvalue())
        assert said["as_of"] == looked_back.created_at.isoformat()
        assert said["cells"] == looked_back.counts["cells"]
        text = target.read_text()
        for borders in frozen_borders(looked_back).values():
            assert all(key in text for key in borders)


def test_a_round_is_named_by_its_number(looked_back: Round, other_study: Study) -> None:
    moment = moment_of(looked_back.study, "1")
    assert (moment.at, moment.name) == (looked_back.created_at, "round 1")
    assert len(moment.finished) == looked_back.counts["images"]
    assert moment_of(looked_back.study, "Round 1") == moment
    with pytest.raises(MomentError, match="Somebody else's study has no round 1"):
        moment_of(other_study, "1")


# --- pages ---


def test_members_see_the_past_and_nobody_else(
    looked_back: Round, image: SmearImage, annotator: User, reviewer: User, admin: User, outsider: User, client_of: Any
) -> None:
    address, redirecting = reverse("image-past", args=[image.pk]), reverse("round-borders", args=[looked_back.pk])
    for user in (annotator, reviewer, admin):
        assert client_of(user).get(address).status_code == 200
        assert client_of(user).get(redirecting).status_code == 302
    for each in (address, redirecting):
        assert client_of(outsider).get(each).status_code == 404
        assert Client().get(each)["Location"] == f"/sign-in/?next={each}"
        assert client_of(admin).post(each).status_code == 405


def test_each_border_is_told_by_what_became_of_it(
    looked_back: Round, image: SmearImage, annotator: User, client_of: Any
) -> None:
    page = client_of(annotator).get(reverse("image-past", args=[image.pk]), {"at": "1"}).content.decode()
    text = " ".join(page.split())
    for kind in ("moved", "removed", "added"):
        assert page.count(f'class="past-layer" data-since="{kind}"') == 1
    assert 'data-since="same"' not in page
    assert '<strong class="number">2</strong> cells had a border' in text and "The image was annotated." in text
    then, now = path_of(ROUND, 1), path_of(LARGER, 1)
    assert f'<path class="past-then" d="{then}"></path><path class="past-now" d="{now}"></path>' in page
    assert reverse("image-pixels", args=[image.pk]) in page and "style=" not in page
    assert 'href="?at=1" aria-current="true"' in page


def test_without_a_moment_the_last_round_is_shown(
    looked_back: Round, image: SmearImage, annotator: User, client_of: Any
) -> None:
    second = launch(looked_back.study)
    second.cancel()
    page = client_of(annotator).get(reverse("image-past", args=[image.pk])).content.decode()
    assert "as of round 2" in page
    assert page.count('class="past-layer"') == 1 and 'data-since="same"' in page


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("7", "has no round 7"),
        ("noon", "is neither the number of a round nor a time"),
        ("2999-01-01", "lies in the future"),
        ("0001-01-01T00:00:00+14:00", "is neither the number of a round nor a time"),
        ("2020-01-01", "The image came after 2020-01-01"),
    ],
)
def test_a_moment_that_cannot_be_shown_is_one_sentence(
    looked_back: Round, image: SmearImage, annotator: User, client_of: Any, asked: str, said: str
) -> None:
    response = client_of(annotator).get(reverse("image-past", args=[image.pk]), {"at": asked})
    assert response.status_code == 400
    page = response.content.decode()
    assert said in page.replace("&#x27;", "'") and "<svg" not in page


def test_a_study_without_rounds_has_times_to_look_back_to(
    study: Study, make_image: Any, annotator: User, client_of: Any
) -> None:
    image = make_image(study)
    client, address = client_of(annotator), reverse("image-past", args=[image.pk])
    assert "No round since this image came" in client.get(address).content.decode()
    page = client.get(address, {"at": image.created_at.isoformat()}).content.decode()
    assert "No border then, and none since." in page


def test_the_round_and_the_editor_lead_there(
    looked_back: Round, image: SmearImage, annotator: User, client_of: Any
) -> None:
    client = client_of(annotator)
    assert (
        reverse("round-borders", args=[looked_back.pk])
        in client.get(reverse("round", args=[looked_back.pk])).content.decode()
    )
    first = SmearImage.objects.filter(study=looked_back.study).order_by("pk").first()
    assert first is not None
    led = client.get(reverse("round-borders", args=[looked_back.pk]))
    assert led["Location"] == reverse("image-past", args=[first.pk]) + "?at=1"
    assert 'href="past/"' in client.get(reverse("image", args=[image.pk])).content.decode()


def test_a_round_before_any_border_has_none_to_show(looked_back: Round, annotator: User, client_of: Any) -> None:
    Round.objects.filter(pk=looked_back.pk).update(created_at="2020-01-01T00:00:00Z")
    assert client_of(annotator).get(reverse("round-borders", args=[looked_back.pk])).status_code == 404


def test_a_point_is_a_small_circle_and_a_rectangle_its_corners() -> None:
    assert path_of({"kind": "rectangle", "x": 1.0, "y": 2.0, "width": 3.0, "height": 4.0}, 1) == "M1,2 4,2 4,6 1,6Z"
    assert path_of({"kind": "point", "cx": 10.0, "cy": 10.0}, 2).startswith("M12,10 ")
