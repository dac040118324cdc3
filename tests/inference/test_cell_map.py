"""The map of cells: made of stored features by a job, kept whole, coloured by what one may know, for members alone."""

import json
import struct
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from numpy.typing import NDArray

from annotation.models import Cell, Patient, SmearImage, Study
from inference import cell_map, kept_map
from inference.cell_map import FEWEST, TooFew, project
from inference.cell_map_colours import choices
from inference.cell_map_jobs import launch, work
from inference.models import CellEvidence, CellFeatures, CellMapJob, EvidenceJob
from inference.tasks import make_cell_map
from tests.inference.gallery import cell, judge, label, look, say, shown
from tests.inference.millie import AML, use_millie
from tests.inference.millie import Toy as MillieToy
from training.models import Bundle, JobState, Kind


class FirstTwo:
    """In the place of UMAP, whose compilation takes half a minute: the first two main axes, doubled."""

    def transform(self, table: NDArray[Any]) -> NDArray[Any]:
        return 2 * table[:, :2]


@pytest.fixture(autouse=True)
def quick_neighbourhoods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_map, "_umap", lambda learned: FirstTwo())


class Toy:
    """The backbone that saw the cells of these tests."""

    name = "toy"

    def extract(self, crops: Any) -> NDArray[np.float32]:
        return np.array([[1, 2, 3]] * len(crops), dtype=np.float32)


@pytest.fixture
def cells(study: Study, make_image: Any, monkeypatch: pytest.MonkeyPatch) -> list[Cell]:
    """Twenty cells of two patients, in two heaps by their features, which are all there."""
    monkeypatch.setattr("inference.cell_map_jobs.compute", lambda *args: None)
    found = []
    rng = np.random.default_rng(1)
    for code, diagnosis, heap in (("P-1", "apl", 0.0), ("P-2", "healthy", 9.0)):
        image = make_image(study, width=400, height=300, seed=int(heap), patient=Patient.arrive(study, code, diagnosis))
        for n in range(10):
            made = cell(image, 20 + 30 * n, 50)
            look(made, *(rng.normal(0, 0.2, 3) + (heap, 0, 0)))
            found.append(made)
    return found


@pytest.fixture
def client(client_of: Any, annotator: User) -> Client:
    return client_of(annotator)


@pytest.fixture
def name(study: Study, cells: list[Cell], no_broker: Any) -> str:
    """The name of the map of these cells."""
    assert work(launch(study), Toy)
    kept = kept_map.kept_map(study)
    assert kept is not None
    return kept.name


def unpack(content: bytes) -> tuple[dict[str, Any], bytes]:
    (length,) = struct.unpack(">I", content[:4])
    return json.loads(content[4 : 4 + length]), content[4 + length :]


def coloured(client: Client, study: Study, name: str, by: str, cells: list[Cell]) -> tuple[list[Any], dict[str, Any]]:
    """What the points of cells are coloured by, as names of the legend, and the head."""
    head, codes = unpack(client.get(reverse("api-cell-map-colours", args=[study.pk, name]), {"by": by}).content)
    found = dict(zip(points(client, study, name)[0], np.frombuffer(codes, "<u2").tolist(), strict=True))
    names = {place: entry["name"] for place, entry in enumerate(head["legend"])} | {65534: None, 65535: "gone"}
    own = [found[each.pk] for each in cells]
    return (own if head["scale"] else [names[code] for code in own]), head


def points(client: Client, study: Study, name: str) -> tuple[list[UUID], NDArray[np.float32], NDArray[np.float32]]:
    head, body = unpack(client.get(reverse("api-cell-map-points", args=[study.pk, name])).content)
    n = head["cells"]
    ids = [UUID(bytes=body[16 * at : 16 * at + 16]) for at in range(n)]
    tables = np.frombuffer(body[16 * n :], "<f4").reshape(2, n, 2)
    return ids, tables[0], tables[1]


def test_heaps_of_features_are_heaps_on_the_map(study: Study, cells: list[Cell], name: str, client: Client) -> None:
    ids, pca, umap = points(client, study, name)
    place = dict(zip(ids, pca, strict=True))
    first = np.array([place[each.pk] for each in cells[:10]])
    second = np.array([place[each.pk] for each in cells[10:]])
    assert abs(first.mean(axis=0)[0] - second.mean(axis=0)[0]) == pytest.approx(9, abs=0.3)
    assert first.std(axis=0).max() < 0.5
    assert umap == pytest.approx(2 * pca)
    stand = client.get(reverse("api-cell-map", args=[study.pk])).json()
    assert stand["map"]["cells"] == stand["map"]["learned_from"] == 20
    assert stand["map"]["explained"][0] > 0.95 and sum(stand["map"]["explained"]) <= 1
    assert stand["old"] is False and stand["job"]["state"] == "succeeded"


def test_a_map_says_that_features_have_changed_since_and_is_made_anew(
    study: Study, cells: list[Cell], name: str, client: Client
) -> None:
    address = reverse("api-cell-map", args=[study.pk])
    look(cell(cells[0].image, 200, 200), 1, 1, 1)
    assert client.get(address).json()["old"] is True
    assert len(points(client, study, name)[0]) == 20, "it stays meanwhile"
    assert client.post(address).json()["job"]["state"] == "queued"
    client.post(address)
    assert CellMapJob.objects.count() == 2
    assert work(CellMapJob.objects.all()[0], Toy)
    stand = client.get(address).json()
    assert (stand["old"], stand["map"]["cells"]) == (False, 21)
    assert client.get(reverse("api-cell-map-points", args=[study.pk, name])).status_code == 404
    assert len(list((kept_map._folder(study)).iterdir())) == 1


def test_what_cells_are_coloured_by(
    study: Study, cells: list[Cell], name: str, client: Client, annotator: User, teammate: User
) -> None:
    say(cells[0], "Myeloblast", teammate)
    say(cells[1], "Promyelocyte", annotator)
    say(cells[1], "Myeloblast", teammate)
    judge(cells[2], Promyelocyte=0.714)
    Cell.objects.filter(pk=cells[3].pk).update(status=Cell.Status.DELETED)
    SmearImage.objects.filter(pk=cells[10].image_id).update(state="reviewed")
    few = [cells[0], cells[1], cells[2], cells[3], cells[10]]
    group = label(study, "Myeloblast").group_id
    names, head = coloured(client, study, name, f"label-{group}", few)
    # The viewer's own word goes before another's.
    assert names == ["Myeloblast", "Promyelocyte", None, "gone", None]
    assert head["nothing"] == "No label" and head["legend"][0]["colour"].startswith("#")
    assert coloured(client, study, name, "patient", few)[0] == ["P-1", "P-1", "P-1", "gone", "P-2"]
    assert coloured(client, study, name, "diagnosis", few)[0] == ["APL", "APL", "APL", "gone", "Healthy donor"]
    assert coloured(client, study, name, "state", few)[0][-1] == "Reviewed"
    codes, head = coloured(client, study, name, f"probability-{label(study, 'Promyelocyte').pk}", few)
    assert codes == [65534, 65534, 71, 65535, 65534] and head["scale"]
    for unknown in ("", "label-0", "label-x", "probability-999999999999999999999", "file"):
        address = reverse("api-cell-map-colours", args=[study.pk, name])
        assert client.get(address, {"by": unknown}).status_code == 400
    page = client.get(reverse("cell-map", args=[study.pk])).content.decode()
    assert f'value="label-{group}"' in page and 'value="diagnosis"' in page


def test_cells_that_are_picked_out_open_in_the_gallery(
    study: Study, other_study: Study, cells: list[Cell], annotator: User, client: Client
) -> None:
    address = reverse("api-picked-cells", args=[study.pk])
    ids = [str(each.pk) for each in (cells[7], cells[2], cells[2])]
    answer = client.post(address, {"cells": [*ids, str(uuid4())]}, content_type="application/json")
    assert answer.status_code == 201
    among = answer.json()["among"]
    assert sorted(shown(study, annotator, cells, among=among)) == [2, 7]
    assert shown(study, annotator, cells, among=among, patient=cells[10].image.patient_id) == []
    assert shown(study, annotator, cells, among="0" * 16) == [], "what is no longer kept shows nothing"
    assert len(shown(study, annotator, cells, among="../../etc")) == 20, "what is no name asks for nothing"
    again = client.post(address, {"cells": [*ids[::-1]]}, content_type="application/json").json()["among"]
    assert len(again) == 16 and sorted(shown(study, annotator, cells, among=again)) == [2, 7]
    assert client.post(address, {"cells": "all"}, content_type="application/json").status_code == 400


def test_the_map_is_for_members_of_the_study(
    study: Study, other_study: Study, name: str, client: Client, outsider: User, client_of: Any
) -> None:
    for address in (
        reverse("cell-map", args=[study.pk]),
        reverse("api-cell-map", args=[study.pk]),
        reverse("api-cell-map-points", args=[study.pk, name]),
        reverse("api-cell-map-colours", args=[study.pk, name]) + "?by=patient",
    ):
        assert client.get(address).status_code == 200, address
        assert client_of(outsider).get(address).status_code == 404, address
        assert Client().get(address).status_code == (401 if "/api/" in address else 302), address
    posts = {
        reverse("api-cell-map", args=[study.pk]): None,
        reverse("api-picked-cells", args=[study.pk]): {"cells": []},
    }
    for address, body in posts.items():
        assert client.post(address, body, content_type="application/json").status_code in (201, 202)
        assert client_of(outsider).post(address, body, content_type="application/json").status_code == 404
        assert Client().post(address, body, content_type="application/json").status_code == 401
    # Nor by way of the study that one may see.
    theirs = reverse("api-cell-map-points", args=[other_study.pk, name])
    assert client_of(outsider).get(theirs).status_code == 404


def test_jobs_that_cannot_make_a_map_say_why(
    study: Study, cells: list[Cell], no_broker: Any, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    # A worker that is to stop puts it back; it is the next one's.
    stopped = launch(study)
    assert not work(stopped, Toy, stopping=lambda: True)
    assert stopped.reload().state == JobState.QUEUED
    assert no_broker[-1] == ("inference.make_cell_map", [stopped.pk])
    cancelled = launch(study)
    assert cancelled == stopped

    def asked_for_its_end() -> Toy:
        cancelled.cancel("anna")
        return Toy()

    assert not work(CellMapJob.objects.get(pk=cancelled.pk), asked_for_its_end)
    assert cancelled.reload().state == JobState.CANCELLED
    CellFeatures.objects.filter(cell__in=cells[5:]).delete()
    with django_capture_on_commit_callbacks(execute=True):
        job = launch(study)
    assert no_broker[-1:] == [("inference.make_cell_map", [job.pk])]
    assert not work(job, Toy)
    assert job.reload().reason == f"A map needs at least {FEWEST} cells with features; there are 5."
    assert kept_map.kept_map(study) is None
    make_cell_map(0)


def test_cells_without_any_difference_have_no_map() -> None:
    with pytest.raises(TooFew, match="look the same"):
        project(np.ones((30, 4), dtype=np.float32), [np.ones((30, 4), dtype=np.float32)])


def test_cells_that_the_axes_were_not_learned_from_get_their_place() -> None:
    rng = np.random.default_rng(0)
    sample = rng.normal(0, 1, (40, 6)).astype(np.float32) * (5, 3, 1, 1, 1, 1)
    others = [sample[:10], sample[10:] + 1]
    told: list[tuple[str, int]] = []
    found = project(sample.astype(np.float32), others, lambda stage, done: told.append((stage, done)))
    assert len(found.pca) == len(found.umap) == 40 and found.learned_from == 40
    assert told == [("axes", 0), ("neighbourhoods", 0), ("places", 10), ("places", 40)]
    variances = np.var(project(sample, [sample]).pca, axis=0, ddof=1)
    assert variances / sample.var(axis=0, ddof=1).sum() == pytest.approx(found.explained, rel=1e-3)


def test_millie_s_space_is_a_map_of_its_own(
    study: Study,
    cells: list[Cell],
    name: str,
    client: Client,
    annotator: User,
    no_broker: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = reverse("api-cell-map", args=[study.pk])
    assert client.get(address, {"space": AML.name}).status_code == 404, "no MILLIE is in use"
    assert "map-space" not in client.get(reverse("cell-map", args=[study.pk])).content.decode()
    bundle = use_millie(study, monkeypatch)
    assert f'<option value="{AML.name}">' in client.get(reverse("cell-map", args=[study.pk])).content.decode()
    assert client.get(address, {"space": AML.name}).json()["map"] is None
    asked = client.post(f"{address}?space={AML.name}")
    assert asked.status_code == 202 and asked.json()["job"]["state"] == "queued"
    assert client.get(address).json()["job"]["state"] == "succeeded", "that of the backbone is another"
    assert work(CellMapJob.objects.get(space=AML.name), lambda *_: MillieToy())
    stand = client.get(address, {"space": AML.name}).json()
    assert stand["map"]["cells"] == 20 and stand["old"] is False and stand["map"]["name"] != name
    points = reverse("api-cell-map-points", args=[study.pk, stand["map"]["name"]])
    assert client.get(points).status_code == 404
    head, rest = unpack(client.get(points, {"space": AML.name}).content)
    assert head == {"cells": 20} and len(rest) == 20 * (16 + 8 + 8)
    places = np.frombuffer(rest[20 * 16 : 20 * 24], dtype="<f4").reshape(20, 2)
    # By what the network sees, here the first number alone, the two heaps lie apart along the first axis.
    assert len({bool(x > 0) for x in places[:, 0].tolist()}) == 2 and places[:, 0].std() > 3
    # Coloured by what each cell alone speaks for.
    job = EvidenceJob.objects.create(study=study, bundle=bundle, state=JobState.SUCCEEDED)
    CellEvidence.objects.create(cell=cells[0], decision=AML.name, probability=0.93, bundle=bundle.pk)
    assert {"evidence-0", "evidence-1"} <= {each["name"] for each in choices(study)}
    by = reverse("api-cell-map-colours", args=[study.pk, stand["map"]["name"]])
    head, codes = unpack(client.get(by, {"space": AML.name, "by": "evidence-0"}).content)
    assert head["scale"] and sorted(np.frombuffer(codes, dtype="<u2").tolist()) == [93] + [65_534] * 19
    assert client.get(by, {"space": AML.name, "by": "evidence-7"}).status_code == 400
    # Another bundle sees another space.
    Bundle.objects.filter(pk=bundle.pk).update(in_use=False)
    Bundle.objects.create(id="0" * 12, study=study, kind=Kind.MIL, card=bundle.card, in_use=True)
    assert client.get(address, {"space": AML.name}).json()["old"] is True
    assert job.bundle_id == bundle.pk
