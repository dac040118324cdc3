"""Bundles that see crops themselves: classifying, several of them, the gallery's probabilities, and Why."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User

from annotation.models import Cell, Label, LabelGroup, Study
from inference import saliency_jobs
from inference.classification import ClassifyProblem, classify, keep
from inference.models import CellFeatures, CellProbability, SaliencyJob
from inference.voices import head_that_tells
from tests.labelled_cells import BLUE, RED
from tests.training.colour_network import ColourNetwork
from tests.training.coloured_cells import MeanColour
from training.bundle import read_bundle
from training.cell_network import NETWORKS
from training.classifier_target import Target
from training.models import Bundle, JobState

pytestmark = pytest.mark.django_db
RODS = [{"Characteristics": ["Auer rod"]}, {"Characteristics": ["Granules"]}] * 3


@pytest.fixture(autouse=True)
def networks(monkeypatch: pytest.MonkeyPatch, no_broker: Any) -> None:
    monkeypatch.setitem(NETWORKS, "finetune", "tests.training.colour_network")
    saliency_jobs._network.cache_clear()


@pytest.fixture
def bundle(study: Study, cell_type: LabelGroup, make_classifier: Any) -> Bundle:
    made: Bundle = make_classifier(study, Target("Cell type"), "finetune")
    return made


@pytest.fixture
def cells(study: Study, make_field: Callable[..., list[Cell]]) -> list[Cell]:
    return make_field(study, "P1", [RED, BLUE, RED])


def test_all_cells_are_seen_once_and_what_is_said_is_kept_by_the_networks_name(
    study: Study, bundle: Bundle, cells: list[Cell], settings: Any
) -> None:
    told: list[tuple[int, int]] = []
    ColourNetwork.seen = 0
    classified = classify(study, [bundle], lambda *pair: told.append(pair) is None)
    assert told == [(0, 3), (3, 3)] and classified.made.cells == ColourNetwork.seen == 3
    likely = dict(zip(classified.cells, classified.labels["Promyelocyte"], strict=True))
    assert likely[cells[0].pk] > 0.8 > 0.2 > likely[cells[1].pk]
    # No stored feature is theirs, and what heads learn from stays what it was.
    assert not CellFeatures.objects.exists()
    again = classify(study, [bundle])
    assert again.made.cells == 0 and ColourNetwork.seen == 3
    assert (again.labels["Promyelocyte"] == classified.labels["Promyelocyte"]).all()
    cells[1].place({"kind": "rectangle", "x": 4, "y": 10, "width": 20, "height": 20}, cells[1].image)
    cells[1].save()
    assert classify(study, [bundle]).made.cells == 1
    keep(classified)
    kept = CellProbability.objects.filter(label__name="Promyelocyte", probability__gte=0.5)
    assert set(kept.values_list("cell", "bundle")) == {(cells[n].pk, bundle.pk) for n in (0, 2)}


def test_a_pass_that_is_ended_keeps_what_was_seen(study: Study, bundle: Bundle, cells: list[Cell]) -> None:
    ColourNetwork.seen = 0
    classify(study, [bundle], lambda done, total: False)
    assert ColourNetwork.seen == 0
    classify(study, [bundle], lambda done, total: done == 0)
    assert classify(study, [bundle]).made.cells == 0


def test_bundles_on_features_and_bundles_that_see_crops_speak_of_the_same_cells(
    study: Study, bundle: Bundle, cells: list[Cell], make_classifier: Any, mean_colour: MeanColour
) -> None:
    other = make_classifier(study, Target("Cell type", "Promyelocyte"))
    classified = classify(study, [other, bundle], None, lambda _: mean_colour)
    assert classified.cells == sorted(cell.pk for cell in cells) and CellFeatures.objects.count() == 3
    by_bundle = {each.pk: told for each, told in classified.by_bundle}
    assert by_bundle[other.pk].keys() == {"Promyelocyte"}
    assert by_bundle[bundle.pk].keys() == {"Promyelocyte", "Myeloblast"}
    # One that tells a label alone goes first.
    assert classified.labels["Promyelocyte"] is by_bundle[other.pk]["Promyelocyte"]


def test_a_bundle_that_is_damaged_is_said(study: Study, bundle: Bundle, cells: list[Cell]) -> None:
    (bundle.folder / "weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(ClassifyProblem, match="weights"):
        classify(study, [bundle])


@pytest.mark.parametrize("method", ["gradients", "occlusion"])
def test_why_is_asked_of_the_network_itself(
    study: Study, bundle: Bundle, cells: list[Cell], annotator: User, method: str
) -> None:
    label = Label.objects.get(group__study=study, name="Promyelocyte")
    assert saliency_jobs.ask(study, cells[0], label, bundle.pk, method, annotator)["state"] == JobState.QUEUED
    assert saliency_jobs.work(SaliencyJob.objects.get(), lambda backbone: pytest.fail("It sees crops itself."))
    found = saliency_jobs.answer_of(study, cells[0], label, bundle.pk, method)
    classified = classify(study, [bundle])
    said = classified.labels["Promyelocyte"][list(classified.cells).index(cells[0].pk)]
    assert found["probability"] == pytest.approx(said, abs=0.1 if method == "gradients" else 0.01)
    table = np.array(found["values"]).reshape(found["size"], found["size"])
    count = len(table)
    assert table[count // 3 : -count // 3, count // 3 : -count // 3].mean() > 20 and abs(table[0]).max() < 10


def test_where_a_cell_may_have_many_labels_each_has_a_network_and_is_asked_alone(
    study: Study, cells: list[Cell], make_classifier: Any
) -> None:
    rod = Label.objects.get(group__study=study, group__name="Characteristics", name="Auer rod")
    made = make_classifier(study, Target("Characteristics"), "finetune", labels=RODS)
    card = read_bundle(made.folder).card
    assert [head["name"] for head in card["architecture"]["heads"]] == ["Auer rod"]
    kept = head_that_tells(rod, made)
    assert kept.network == (made.folder, 0)
    eye, head = saliency_jobs._network(*kept.network)
    assert head.width == 2 and eye.name.endswith("/0")
