"""Why a model gives a cell a label: asked by members, answered by a worker, kept by name, and refused in words."""

import json
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from PIL import Image

from annotation.models import Cell, Label, LabelGroup, Study
from inference import kept_heads, saliency_jobs
from inference.cell_feature_jobs import compute
from inference.interactive import labels_changed, retrain
from inference.models import INTERACTIVE, CellProbability, InteractiveHead, SaliencyJob, vectors_of
from inference.saliency_jobs import work
from inference.tasks import explain_cell
from tests.labelled_cells import BLUE, RED, near
from tests.training.coloured_cells import MeanColour
from training.classifier_target import Target
from training.models import JobState

pytestmark = pytest.mark.django_db
Fields = Callable[..., list[Cell]]


class ColourMaps(MeanColour):
    """Sees the mean colour of the middle, as a mean over a map."""

    def maps(self, crop: Image.Image) -> list[Any]:
        import torch

        pixels = np.asarray(crop.resize((30, 30)), dtype=np.float32) / 255
        return [torch.from_numpy(pixels).permute(2, 0, 1)[None]]

    def pooled(self, maps: Sequence[Any]) -> Any:
        return maps[0][0, :, 11:19, 11:19].mean(dim=(1, 2))


@pytest.fixture
def eye() -> ColourMaps:
    return ColourMaps()


@pytest.fixture
def cell(study: Study, cell_type: LabelGroup, make_field: Fields, no_broker: list[Any]) -> Cell:
    return make_field(study, "P1", [RED])[0]


@pytest.fixture
def client(client_of: Any, annotator: User) -> Client:
    return client_of(annotator)


def label(study: Study, name: str = "Promyelocyte") -> Label:
    return Label.objects.get(group__study=study, name=name)


def question(study: Study, bundle: str, method: str = "gradients", name: str = "Promyelocyte") -> dict[str, Any]:
    return {"label": label(study, name).pk, "bundle": bundle, "method": method}


def ask(client: Client, cell: Cell, asked: dict[str, Any], study: Study | None = None) -> Any:
    address = reverse("api-why", args=[(study or cell.image.study).pk, cell.pk])
    return client.post(address, asked, content_type="application/json")


def look(client: Client, cell: Cell, asked: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(reverse("api-why", args=[cell.image.study_id, cell.pk]), asked).json()
    return answer


@pytest.mark.parametrize("method", ["gradients", "occlusion"])
def test_a_question_becomes_a_job_and_its_map_is_kept(
    study: Study, cell: Cell, make_classifier: Any, client: Client, eye: ColourMaps, no_broker: Any, method: str,
    django_capture_on_commit_callbacks: Any,
) -> None:  # fmt: skip
    asked = question(study, make_classifier(study, Target("Cell type")).pk, method)
    assert look(client, cell, asked) == {"state": "none"}
    with django_capture_on_commit_callbacks(execute=True):
        assert ask(client, cell, asked).json()["state"] == "queued"
        assert ask(client, cell, asked).json()["state"] == "queued"
    job = SaliencyJob.objects.get()
    assert no_broker == [("inference.explain_cell", [job.pk])]
    assert work(job, lambda backbone: eye)
    found = look(client, cell, asked)
    assert found["state"] == "succeeded" and found["probability"] > 0.5
    table = np.array(found["values"]).reshape(found["size"], found["size"])
    assert table.max() == 100
    # What it looks at is the middle, which is red; what is beside it never counts.
    count = len(table)
    middle = table[count // 3 : -count // 3, count // 3 : -count // 3]
    assert middle.mean() > 20 and abs(table[0]).max() < 10
    assert (found["strongest"] is None) == (method == "gradients")
    seen = eye.seen
    assert ask(client, cell, asked).json() == found
    assert SaliencyJob.objects.count() == 1 and eye.seen == seen


def test_another_border_is_another_question(
    study: Study, cell: Cell, make_classifier: Any, client: Client, eye: ColourMaps
) -> None:
    asked = question(study, make_classifier(study, Target("Cell type")).pk)
    ask(client, cell, asked)
    work(SaliencyJob.objects.get(), lambda backbone: eye)
    cell.place({"kind": "rectangle", "x": 4, "y": 10, "width": 20, "height": 20}, cell.image)
    cell.save()
    assert look(client, cell, asked) == {"state": "none"}


def test_the_heads_that_learn_are_asked_as_they_are_now(
    study: Study,
    cell: Cell,
    cell_type: LabelGroup,
    make_field: Fields,
    label_cell: Any,
    client: Client,
    eye: ColourMaps,
) -> None:
    asked = question(study, INTERACTIVE)
    ask(client, cell, asked)
    assert not work(SaliencyJob.objects.get(), lambda backbone: eye)
    assert look(client, cell, asked)["reason"] == "The heads that learn as you label have not learned Promyelocyte yet."
    rng = np.random.default_rng(3)
    for patient in range(4):
        for index, each in enumerate(
            make_field(study, f"P{patient}", [near((RED, BLUE)[n % 2], rng) for n in range(4)])
        ):
            label_cell(each, ("Promyelocyte", "Myeloblast")[index % 2])
    compute(study, eye)
    labels_changed(cell_type)
    InteractiveHead.objects.update_or_create(group=cell_type, defaults={"asked": 1, "learned": 0})
    retrain(study.pk, cell_type.pk)
    ask(client, cell, asked)
    assert work(SaliencyJob.objects.first(), lambda backbone: eye)
    found = look(client, cell, asked)
    # Of its picture alone, whatever else is labelled of the patient. Stored features are half numbers.
    asked_head = kept_heads.head_of(cell_type.pk, label(study).pk)
    assert asked_head is not None
    _, features = vectors_of([cell])
    assert found["probability"] == pytest.approx(
        asked_head.head.probabilities(features)[0, asked_head.column], abs=0.01
    )
    kept = kept_heads.head_of(cell_type.pk, label(study, "Myeloblast").pk)
    assert kept is not None and kept.backbone == "mean-colour"
    assert kept_heads.head_of(cell_type.pk, label(study, "Lymphocyte").pk) is None
    # Learned once more: another head, another map.
    InteractiveHead.objects.update(asked=2)
    retrain(study.pk, cell_type.pk)
    assert look(client, cell, asked) == {"state": "none"}


def test_who_can_be_asked(study: Study, cell: Cell, make_classifier: Any, client: Client) -> None:
    bundle = make_classifier(study, Target("Cell type"))
    CellProbability.objects.create(cell=cell, label=label(study), probability=0.8, bundle=INTERACTIVE)
    address = reverse("api-why-choices", args=[study.pk, cell.pk])
    found = client.get(address).json()
    assert [each["name"] for each in found["methods"]] == ["occlusion", "gradients"]
    assert [(each["name"], each["bundle"], each["probability"]) for each in found["voices"]] == [
        ("Promyelocyte", INTERACTIVE, 0.8),
        ("Promyelocyte", bundle.pk, None),
        ("Myeloblast", bundle.pk, None),
    ]


def test_what_cannot_be_asked_is_refused_in_words(
    study: Study, other_study: Study, cell: Cell, make_classifier: Any, client: Client, eye: ColourMaps
) -> None:
    own = make_classifier(study, Target("Cell type"))
    theirs = make_classifier(other_study, Target("Cell type", "Promyelocyte"))
    asked = question(study, own.pk)
    for bundle in (theirs.pk, "nobody"):
        refused = ask(client, cell, asked | {"bundle": bundle})
        assert refused.status_code == 400
        assert refused.json()["detail"] == f"The study Charité pilot has no classifier '{bundle}'."
    foreign = Label.objects.filter(group__study=other_study).first()
    assert foreign is not None
    refused = ask(client, cell, asked | {"label": foreign.pk})
    assert (refused.status_code, refused.json()) == (400, {"detail": "The study has no such label."})
    assert "method" in ask(client, cell, asked | {"method": "guess"}).json()
    cell.pk = uuid4()
    assert ask(client, cell, asked).status_code == 404
    assert not SaliencyJob.objects.exists()


def test_a_label_that_the_classifier_does_not_tell_fails_with_a_sentence(
    study: Study, cell: Cell, make_classifier: Any, client: Client, eye: ColourMaps
) -> None:
    bundle = make_classifier(study, Target("Cell type"))
    asked = question(study, bundle.pk, name="Lymphocyte")
    ask(client, cell, asked)
    assert not work(SaliencyJob.objects.get(), lambda backbone: eye)
    assert look(client, cell, asked)["reason"] == f"The classifier {bundle.pk} does not tell Lymphocyte."
    eye.name = "another/1"
    asked = question(study, bundle.pk)
    ask(client, cell, asked)
    assert not work(SaliencyJob.objects.first(), lambda backbone: eye)
    assert look(client, cell, asked)["reason"] == "It wants features of mean-colour; another/1 is what sees cells here."


def test_the_end_of_a_job_that_was_asked_for(study: Study, cell: Cell, make_classifier: Any, eye: ColourMaps) -> None:
    bundle = make_classifier(study, Target("Cell type"))
    job = SaliencyJob.objects.create(cell=cell, label=label(study), bundle=bundle.pk, method="occlusion")

    def cancelled_meanwhile(backbone: str) -> ColourMaps:
        SaliencyJob.objects.get(pk=job.pk).cancel("anna")
        return eye

    assert not work(job, cancelled_meanwhile)
    assert job.reload().state == JobState.CANCELLED
    assert not work(job, lambda backbone: eye), "delivered twice"
    explain_cell(0)


def test_why_is_for_members_of_the_study(
    study: Study, other_study: Study, cell: Cell, make_classifier: Any, client: Client, outsider: User, client_of: Any
) -> None:
    asked = question(study, make_classifier(study, Target("Cell type")).pk)
    addresses = [reverse(name, args=[study.pk, cell.pk]) for name in ("api-why", "api-why-choices")]
    for address in addresses:
        assert client.get(address, asked).status_code == 200
        assert client_of(outsider).get(address, asked).status_code == 404
        assert Client().get(address, asked).status_code == 401
    assert ask(client_of(outsider), cell, asked).status_code == 404
    # Nor by way of the study that one may see.
    assert ask(client_of(outsider), cell, asked, other_study).status_code == 404
    assert ask(Client(), cell, asked).status_code == 401


def test_a_map_that_is_damaged_is_made_anew(
    study: Study, cell: Cell, make_classifier: Any, client: Client, eye: ColourMaps
) -> None:
    asked = question(study, make_classifier(study, Target("Cell type")).pk)
    ask(client, cell, asked)
    work(SaliencyJob.objects.get(), lambda backbone: eye)
    (path,) = saliency_jobs.folder().rglob("*.json")
    assert json.loads(path.read_text())["size"] == 32
    path.write_text('{"state"')
    assert ask(client, cell, asked).json()["state"] == "queued"
