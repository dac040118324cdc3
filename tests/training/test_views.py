"""The pages of rounds: who sees and who may do what, and what they say in each state."""

import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from annotation.models import Membership, Role, Study
from training.launching import launch
from training.models import Bundle, JobState, Round
from training.rounds import run

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(annotated_study: Study, admin: User, no_broker: Any) -> Round:
    return launch(annotated_study, admin)


def bundle_of(made: Round, **fields: Any) -> Bundle:
    card = {"versions": {"torch": "2.14.1"}}
    made.bundle = Bundle.objects.create(id="abcdef123456", study=made.study, card=card, **fields)
    made.state = JobState.SUCCEEDED
    made.metrics = {"map": 0.701, "map_50": 0.953, "map_75": 0.81, "mar": 0.76}
    made.save()
    return made.bundle


# --- who ---


def test_members_of_every_role_see_rounds(
    made: Round, annotator: User, reviewer: User, admin: User, client_of: Any
) -> None:
    for user in (annotator, reviewer, admin):
        client = client_of(user)
        assert client.get(reverse("rounds", args=[made.study_id])).status_code == 200
        assert client.get(reverse("round", args=[made.pk])).status_code == 200


@pytest.mark.parametrize("name", ["round", "round-cancel", "round-promote", "round-resume", "rounds"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_outsider_finds_nothing(name: str, method: str, made: Round, outsider: User, client_of: Any) -> None:
    address = reverse(name, args=[made.study_id if name == "rounds" else made.pk])
    response = getattr(client_of(outsider), method)(address)
    # A page that only takes POST says so before it looks at who asks.
    assert response.status_code == (405 if method == "get" and name.startswith("round-") else 404) or (
        response.status_code == 405 and method == "post" and name == "round"
    )
    made.refresh_from_db()
    assert made.state == JobState.QUEUED


@pytest.mark.parametrize("name", ["round-cancel", "round-promote", "round-resume"])
def test_only_admins_cancel_and_promote(
    name: str, made: Round, annotator: User, reviewer: User, client_of: Any
) -> None:
    for user in (annotator, reviewer):
        assert client_of(user).post(reverse(name, args=[made.pk])).status_code == 403
    assert made.reload().state == JobState.QUEUED


def test_only_admins_launch(annotated_study: Study, annotator: User, reviewer: User, client_of: Any) -> None:
    address = reverse("rounds", args=[annotated_study.pk])
    for user in (annotator, reviewer):
        client = client_of(user)
        assert client.post(address, {"validation": "fold"}).status_code == 403
        assert "Launch round" not in client.get(address).content.decode()
    assert not Round.objects.exists()


def test_strangers_sign_in_first(made: Round) -> None:
    for name, key in (("rounds", made.study_id), ("round", made.pk)):
        address = reverse(name, args=[key])
        assert Client().get(address)["Location"] == f"/sign-in/?next={address}"


# --- launching ---


def test_an_admin_launches_from_the_form(
    annotated_study: Study, admin: User, no_broker: Any, client_of: Any, django_capture_on_commit_callbacks: Any
) -> None:
    client = client_of(admin)
    address = reverse("rounds", args=[annotated_study.pk])
    assert "Launch round" in client.get(address).content.decode()
    form = {"validation": "none", "epochs": "3", "seed": "5", "parent": "none"}
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(address, form)
    round_ = Round.objects.get()
    assert response["Location"] == reverse("round", args=[round_.pk])
    assert (round_.settings["validation"], round_.settings["epochs"], round_.seed) == ("none", 3, 5)
    assert round_.requested_by == admin
    assert no_broker == [("training.run_round", [round_.pk])]


def test_the_form_cross_validates_in_so_many_folds(
    annotated_study: Study, admin: User, no_broker: Any, client_of: Any
) -> None:
    form = {"validation": "folds-2", "parent": "auto"}
    client_of(admin).post(reverse("rounds", args=[annotated_study.pk]), form)
    assert Round.objects.get().settings["folds"] == 2


def test_a_refusal_is_shown_beside_the_form(made: Round, admin: User, client_of: Any) -> None:
    response = client_of(admin).post(reverse("rounds", args=[made.study_id]), {"validation": "fold"})
    assert response.status_code == 409
    assert "Round 1 of this study is queued already." in response.content.decode()


def test_a_study_without_annotations_says_what_is_missing(study: Study, admin: User, client_of: Any) -> None:
    client = client_of(admin)
    page = client.get(reverse("rounds", args=[study.pk])).content.decode()
    assert "No image is annotated yet" in page and "Launch round" not in page
    response = client.post(reverse("rounds", args=[study.pk]), {"validation": "fold"})
    assert "has no annotated image to learn from" in response.content.decode()


def test_the_form_takes_a_selection_trials_and_any_setting(
    annotated_study: Study, admin: User, no_broker: Any, client_of: Any, make_annotated: Any
) -> None:
    make_annotated(annotated_study, 20, patient="A", state="reviewed")
    client, address = client_of(admin), reverse("rounds", args=[annotated_study.pk])
    page = client.get(address).content.decode()
    assert '<option value="A">A</option>' in page and "Myeloblast" in page
    assert '<details class="launch-more">' in page, "what most rounds leave alone is folded away"
    form = {
        "validation": "fold",
        "images": "reviewed",
        "patients": ["A"],
        "trials": "3",
        "other": "lr=0.005\n\nbatch = 2",
    }
    client.post(address, form)
    made = Round.objects.get()
    assert made.selection == {"state": "reviewed", "patients": ["A"]} and made.trials == 3
    assert (made.settings["lr"], made.settings["batch"]) == (0.005, 2)
    page = client.get(reverse("round", args=[made.pk])).content.decode()
    assert "reviewed images of the patient A" in page


@pytest.mark.parametrize("other", ["speed=11", "lr", "lr=fast"])
def test_a_setting_that_makes_no_sense_is_said_beside_its_field(
    other: str, annotated_study: Study, admin: User, client_of: Any
) -> None:
    response = client_of(admin).post(
        reverse("rounds", args=[annotated_study.pk]), {"validation": "fold", "other": other}
    )
    assert response.status_code == 409
    page = response.content.decode()
    assert 'class="errorlist"' in page and '<details class="launch-more" open>' in page
    assert not Round.objects.exists()


def test_unchanged_data_is_said_and_the_form_offers_to_train_anyway(
    annotated_study: Study, admin: User, no_broker: Any, client_of: Any, good_child: Any
) -> None:
    run(launch(annotated_study).pk, command=good_child())
    client, address = client_of(admin), reverse("rounds", args=[annotated_study.pk])
    assert "Train anyway" not in client.get(address).content.decode()
    page = client.post(address, {"validation": "fold"}).content.decode()
    assert "Data unchanged since round 1" in page and "Train anyway" in page
    client.post(address, {"validation": "fold", "again": "on"})
    assert Round.objects.filter(number=2).exists()


def test_bundles_of_other_studies_are_offered_to_their_members(
    annotated_study: Study, other_study: Study, admin: User, client_of: Any
) -> None:
    Bundle.objects.create(id="fedcba654321", study=other_study, card={})
    address = reverse("rounds", args=[annotated_study.pk])
    assert "fedcba654321" not in client_of(admin).get(address).content.decode()
    Membership.objects.create(study=other_study, user=admin, role=Role.ANNOTATOR)
    page = client_of(admin).get(address).content.decode()
    assert "fedcba654321" in page and f'<optgroup label="{escape(other_study.name)}">' in page


# --- watching ---


def test_a_live_round_is_asked_for_again_and_again_and_an_ended_one_is_not(
    made: Round, annotator: User, client_of: Any
) -> None:
    client, address = client_of(annotator), reverse("round", args=[made.pk])
    assert 'hx-trigger="every 2s"' in client.get(address).content.decode()
    assert "Next in the queue" in client.get(address).content.decode()
    made.claim()
    made.fail("No space is left on the disk.")
    page = client.get(address).content.decode()
    assert "hx-trigger" not in page
    assert "No space is left on the disk." in page


def test_the_fragment_holds_the_progress(made: Round, annotator: User, client_of: Any) -> None:
    made.claim()
    made.beat(
        log="epoch 1: loss 0.9\n",
        progress={"fraction": 0.25, "epoch": 2, "epochs": 8, "eta_seconds": 150, "fold": 1},
        curve=[{"fold": 1, "epoch": 1.0, "loss": 0.9}, {"fold": 1, "epoch": 1, "map_50": 0.4}],
    )
    address = reverse("round", args=[made.pk])
    response = client_of(annotator).get(address, {"state": "running"}, headers={"HX-Request": "true"})
    text = " ".join(response.content.decode().split())
    assert "Fold 1, epoch 2 of 8" in text and "2 min left" in text and "25%" in text
    assert "epoch 1: loss 0.9" in text
    assert text.count("<svg") == 2
    assert "style=" not in text and "<html" not in text


def test_a_changed_state_loads_the_whole_page_anew(made: Round, annotator: User, client_of: Any) -> None:
    response = client_of(annotator).get(
        reverse("round", args=[made.pk]), {"state": "running"}, headers={"HX-Request": "true"}
    )
    assert response["HX-Refresh"] == "true"


def test_looking_at_a_round_whose_worker_died_says_so(made: Round, annotator: User, client_of: Any) -> None:
    made.claim()
    Round.objects.filter(pk=made.pk).update(heartbeat_at="2020-01-01T00:00:00Z")
    assert "The worker died" in client_of(annotator).get(reverse("round", args=[made.pk])).content.decode()


def test_the_page_names_what_the_round_was_made_of(made: Round, annotator: User, client_of: Any) -> None:
    bundle_of(made, in_use=True)
    page = client_of(annotator).get(reverse("round", args=[made.pk])).content.decode()
    for expected in (made.snapshot, "0.953", "abcdef123456", "in use", "By fold of 5", "2.14.1", "frozen_stages"):
        assert expected in page


def test_the_page_holds_the_round_against_the_one_before(made: Round, annotator: User, client_of: Any) -> None:
    bundle_of(made)
    metrics = {"map": 0.7, "map_50": 0.95, "map_75": 0.8, "mar": 0.75}
    comparison = {"beside": 1, "previous": 2, "images": 9, "groups": 4, "better": 3, "worse": 1, "same": 0}
    second = launch(made.study, again=True)
    second.comparison = comparison | {"now": metrics, "before": metrics | {"map_50": 0.94, "map": None}}
    second.data_changes = {"since": 1, "patients": [{"code": None, "cells_added": 7}], "cells_added": 7}
    second.data_changes |= {"added": [], "removed": [], "images_added": 0, "images_removed": 0}
    second.peak_memory = 3 * 2**29
    second.save()
    page = " ".join(client_of(annotator).get(reverse("round", args=[second.pk])).content.decode().split())
    for expected in (
        "On the 9 images that judged both",
        "No image judged both this round and round 2.",
        '<span class="better">+0.010</span>',
        "better for 3, worse for 1, the same for 0 of 4 patients",
        "7 cells added.",
        "without patient",
        "1.5 GiB",
    ):
        assert expected in page
    second.comparison = {"beside": None, "previous": 1}
    second.save()
    assert "Nothing judged both rounds" in client_of(annotator).get(reverse("round", args=[second.pk])).content.decode()


def test_a_parent_elsewhere_is_named_only_to_members_of_its_study(
    made: Round, other_study: Study, annotator: User, client_of: Any
) -> None:
    made.parent = Bundle.objects.create(id="fedcba654321", study=other_study, card={})
    made.save()
    address = reverse("round", args=[made.pk])
    page = client_of(annotator).get(address).content.decode()
    assert "of another study" in page and escape(other_study.name) not in page
    Membership.objects.create(study=other_study, user=annotator, role=Role.ANNOTATOR)
    assert escape(other_study.name) in client_of(annotator).get(address).content.decode()


def test_the_list_shows_states_metrics_and_the_bundle_in_use(made: Round, annotator: User, client_of: Any) -> None:
    bundle_of(made, in_use=True)
    page = client_of(annotator).get(reverse("rounds", args=[made.study_id])).content.decode()
    for expected in ("Round 1", "Succeeded", "0.953", "abcdef123456", "in use", "ada"):
        assert expected in page
    assert 'hx-trigger="every' not in page


def test_the_list_costs_the_same_number_of_queries_for_many_rounds(
    annotated_study: Study, annotator: User, client_of: Any, no_broker: Any, django_assert_num_queries: Any
) -> None:
    client, address = client_of(annotator), reverse("rounds", args=[annotated_study.pk])
    launch(annotated_study).cancel()
    with CaptureQueriesContext(connection) as of_one:
        client.get(address)
    for _ in range(5):
        launch(annotated_study).cancel()
    with django_assert_num_queries(len(of_one)):
        client.get(address)


def test_new_work_since_the_last_round_is_counted(
    made: Round, annotator: User, client_of: Any, make_annotated: Any
) -> None:
    bundle_of(made)
    make_annotated(made.study, 40)
    page = client_of(annotator).get(reverse("rounds", args=[made.study_id])).content.decode()
    assert '<strong class="number">1</strong> annotated image and' in page


# --- cancelling and promoting ---


def test_an_admin_cancels(made: Round, admin: User, client_of: Any) -> None:
    client_of(admin).post(reverse("round-cancel", args=[made.pk]))
    assert (made.reload().state, made.reason) == (JobState.CANCELLED, "Cancelled by ada before it started.")


def test_an_admin_promotes_an_earlier_bundle(
    annotated_study: Study, good_child: Any, admin: User, client_of: Any, no_broker: Any
) -> None:
    first, second = launch(annotated_study), None
    run(first.pk, command=good_child())
    second = launch(annotated_study, again=True)
    run(second.pk, command=good_child(seed=1))
    client = client_of(admin)
    assert "Use this bundle" in client.get(reverse("round", args=[first.pk])).content.decode()
    client.post(reverse("round-promote", args=[first.pk]))
    used = Bundle.used_by(annotated_study)
    assert used is not None and used == first.reload().bundle and used.promoted_by == admin


def test_an_admin_resumes_a_round_that_failed(
    made: Round, admin: User, annotator: User, client_of: Any, no_broker: Any
) -> None:
    made.claim()
    made.fail("There is no space left on the disk.")
    address = reverse("round", args=[made.pk])
    assert "Resume" not in client_of(annotator).get(address).content.decode()
    client = client_of(admin)
    assert reverse("round-resume", args=[made.pk]) in client.get(address).content.decode()
    page = client.post(reverse("round-resume", args=[made.pk]), follow=True).content.decode()
    assert made.reload().state == JobState.QUEUED
    said = "Resumed by ada: its checkpoint is no longer kept, so it begins anew."
    assert said in made.log and page.count(said) == 2, "at once and in the log"
    page = client.post(reverse("round-resume", args=[made.pk]), follow=True).content.decode()
    assert "cannot be resumed: it is queued" in page


def test_a_round_without_bundle_cannot_be_promoted(made: Round, admin: User, client_of: Any) -> None:
    page = client_of(admin).post(reverse("round-promote", args=[made.pk]), follow=True).content.decode()
    assert "left no bundle to use" in page


def test_the_web_process_imports_no_torch() -> None:
    code = (
        "import django, sys; django.setup(); import config.urls; from django.urls import get_resolver;"
        "get_resolver().url_patterns; import training.tasks, training.views.rounds;"
        "print('torch' in sys.modules, 'numpy.random' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "False"
