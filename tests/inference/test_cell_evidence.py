"""Cells that speak for a diagnosis, by MILLIE: scored alone by a job, in the gallery's order, and hidden where models
are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation.models import Cell, CellReading, Patient, Reader, Reading, Study
from inference import cell_evidence, millie_cells
from inference.cell_evidence import AlreadyScoring, ask, decisions_kept, work
from inference.diagnosis import DiagnosisProblem
from inference.evidence_due import AGAIN_AFTER, is_due, launch_due
from inference.gallery_cells import described
from inference.models import CellEvidence, CellFeatureJob, CellFeatures, EvidenceJob
from tests.inference.gallery import cell, look, shown
from tests.inference.millie import AML, HEALTHY, Toy, use_millie
from tests.inference.test_diagnosis import later, taught, train
from training.diagnosis_settings import MilSettings
from training.mil import UNITS
from training.models import Bundle, JobState

__all__ = ["later", "taught", "train"]

pytestmark = pytest.mark.django_db
FIGURES = (0.5, 2.0, -1.0, 0.1)


@pytest.fixture
def cells(study: Study, make_image: Any, no_broker: list[Any]) -> list[Cell]:
    """Three of a patient, and one of an image without a patient; MILLIE sees FIGURES in them."""
    images = [make_image(study, width=400, patient=Patient.arrive(study, "P-1")), make_image(study, seed=1, width=400)]
    found = []
    for place, figure in enumerate(FIGURES):
        found.append(cell(images[place == 3], 20 + 30 * place))
        look(found[-1], figure, 0.0, 1.0)
    return found


@pytest.fixture
def millie(study: Study, cells: list[Cell], monkeypatch: pytest.MonkeyPatch) -> Bundle:
    return use_millie(study, monkeypatch)


def toy(_: str) -> Toy:
    return Toy()


def kept(cells: list[Cell], decision: str) -> list[float]:
    told = dict(CellEvidence.objects.filter(decision=decision).values_list("cell", "probability"))
    return [told[each.pk] for each in cells]


def test_each_cell_is_scored_alone(study: Study, cells: list[Cell], millie: Bundle) -> None:
    assert work(ask(study), toy)
    # Of scores x and -x.
    assert kept(cells, AML.name) == pytest.approx([1 / (1 + np.exp(-2 * each)) for each in FIGURES], abs=1e-3)
    assert kept(cells, HEALTHY.name) == pytest.approx([1 / (1 + np.exp(2 * each)) for each in FIGURES], abs=1e-3)
    assert decisions_kept(study) == [AML.name, HEALTHY.name]
    cells.pop().delete()
    assert work(ask(study), toy)
    assert CellEvidence.objects.count() == 6, "written anew as a whole"


def test_patients_that_taught_it_are_scored_by_the_chain_that_had_not_seen_them(
    study: Study, cells: list[Cell], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_millie(study, monkeypatch, taught_on=cells[0].image.sha256)
    assert work(ask(study), toy)
    of_patient, alone = kept(cells[:3], AML.name), kept(cells[3:], AML.name)
    assert of_patient == pytest.approx([1 / (1 + np.exp(2 * each)) for each in FIGURES[:3]], abs=1e-3)
    assert alone == pytest.approx([1 / (1 + np.exp(-2 * FIGURES[3]))], abs=1e-3)


def test_the_gallery_s_orders(study: Study, cells: list[Cell], millie: Bundle, annotator: User, reviewer: User) -> None:
    late = cell(cells[0].image, 300)
    assert work(ask(study), toy)
    everything = [*cells, late]
    assert shown(study, annotator, everything, sort="speaks-for") == [1, 0, 3, 2, 4]
    assert shown(study, annotator, everything, sort="speaks-for", decision=HEALTHY.name) == [2, 3, 0, 1, 4]
    assert shown(study, annotator, everything, sort="speaks-against", decision=AML.name) == [2, 3, 0, 1, 4]
    assert shown(study, annotator, everything, sort="speaks-for", decision="nothing") == [1, 0, 3, 2, 4]
    (told,) = described(study, [cells[1].pk], annotator.pk)
    assert told["evidence"] == {AML.name: 0.982, HEALTHY.name: 0.018}
    # Whoever reads a cell without being told what models say finds it last, and is told nothing.
    reading = Reading.objects.create(study=study, name="Blind", asked_by=reviewer)
    reader = Reader.objects.create(reading=reading, user=annotator)
    CellReading.objects.create(reader=reader, cell=cells[1], place=0)
    assert shown(study, annotator, everything, sort="speaks-for") == [0, 3, 2, 4, 1]
    assert described(study, [cells[1].pk], annotator.pk)[0]["evidence"] == {}
    assert shown(study, reviewer, everything, sort="speaks-for") == [1, 0, 3, 2, 4]


def test_a_job_says_what_it_lacks_ends_when_asked_and_goes_back(
    study: Study, cells: list[Cell], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DiagnosisProblem, match="No MILLIE is in use"):
        ask(study)
    bundle = use_millie(study, monkeypatch)
    job = ask(study)
    with pytest.raises(AlreadyScoring):
        ask(study)
    assert not work(job, toy, stopping=lambda: True) and job.reload().state == JobState.QUEUED
    other = EvidenceJob.objects.get(pk=job.pk)
    assert not work(job, toy, stopping=lambda: other.cancel() and False)
    assert job.reload().state == JobState.CANCELLED and not CellEvidence.objects.exists()
    job = ask(study)
    Bundle.objects.filter(pk=bundle.pk).update(in_use=False)
    assert not work(job, toy) and "No MILLIE is in use" in job.reload().reason
    Bundle.objects.filter(pk=bundle.pk).update(in_use=True)
    Cell.objects.all().delete()
    with pytest.raises(DiagnosisProblem, match="no cell to score"):
        ask(study)


def test_the_pages_offer_it(
    study: Study, cells: list[Cell], annotator: User, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(annotator)
    classify, gallery = reverse("classify", args=[study.pk]), reverse("gallery", args=[study.pk])
    assert "None is in use" in client.get(classify).content.decode()
    assert "speaks-for" not in client.get(gallery).content.decode()
    use_millie(study, monkeypatch)
    assert f"{classify}#evidence" in client.get(gallery).content.decode()
    address = reverse("evidence", args=[study.pk])
    text = client.post(address, follow=True).content.decode()
    assert "It waits for a worker." in text
    assert "already" in client.post(address, follow=True).content.decode()
    assert "HX-Refresh" not in client.get(address)
    assert work(EvidenceJob.objects.get(), toy)
    assert client.get(address)["HX-Refresh"] == "true"
    text = client.get(classify).content.decode()
    assert "Speaks most for APL" in text and "Score all cells again now" in text and "asked for by anna" in text
    text = client.get(gallery).content.decode()
    assert "Speaks most for APL" in text and f'<option value="{HEALTHY.name}">' in text
    assert f"{classify}#evidence" not in text


def test_who_may_see_and_ask(
    study: Study,
    cells: list[Cell],
    millie: Bundle,
    annotator: User,
    reviewer: User,
    outsider: User,
    client_of: Callable[[User], Client],
) -> None:
    page, api = (reverse(name, args=[study.pk]) for name in ("evidence", "api-evidence"))
    cancel = reverse("evidence-cancel", args=[study.pk])
    for address in (page, api):
        assert client_of(outsider).get(address).status_code == 404
        assert client_of(outsider).post(address).status_code == 404
        assert Client().post(address).status_code in (302, 401, 403)
    assert client_of(outsider).post(cancel).status_code == 404
    assert not EvidenceJob.objects.exists()
    assert client_of(annotator).get(api).json() == {"decisions": [], "scored_at": None, "job": None}
    assert client_of(annotator).post(api).json()["job"]["state"] == "queued"
    assert client_of(annotator).post(api).status_code == 409
    assert client_of(annotator).post(cancel).status_code == 403
    client_of(reviewer).post(cancel)
    assert EvidenceJob.objects.get().state == JobState.CANCELLED
    Bundle.objects.update(in_use=False)
    assert client_of(annotator).post(api).status_code == 400


def test_it_begins_by_itself_and_never_twice(
    study: Study, cells: list[Cell], millie: Bundle, client_of: Callable[[User], Client], annotator: User
) -> None:
    launch_due()
    launch_due()
    job = EvidenceJob.objects.get()
    assert job.requested_by is None and work(job, toy)
    launch_due()
    assert EvidenceJob.objects.count() == 1, "nothing is new"
    # A cell without features waits for them; with them it is scored, but not at once: others may follow.
    new = cell(cells[0].image, 300)
    EvidenceJob.objects.update(finished_at=timezone.now() - 2 * AGAIN_AFTER)
    launch_due()
    assert EvidenceJob.objects.count() == 1
    look(new, 3.0, 0.0, 1.0)
    EvidenceJob.objects.update(finished_at=timezone.now())
    launch_due()
    assert EvidenceJob.objects.count() == 1
    EvidenceJob.objects.update(finished_at=timezone.now() - 2 * AGAIN_AFTER)
    computing = CellFeatureJob.objects.create(study=study)
    launch_due()
    assert EvidenceJob.objects.count() == 1, "more features are to come"
    computing.delete()
    launch_due()
    again = EvidenceJob.objects.get(state=JobState.QUEUED)
    assert work(again, toy)
    assert shown(study, annotator, [*cells, new], sort="speaks-for") == [4, 1, 0, 3, 2]
    text = client_of(annotator).get(reverse("classify", args=[study.pk])).content.decode()
    assert "Last scored" in text and "just now</time>, by itself." in text
    assert client_of(annotator).get(reverse("api-evidence", args=[study.pk])).json()["scored_at"] is not None
    # Another MILLIE is asked at once.
    Bundle.objects.filter(pk=millie.pk).update(in_use=False)
    Bundle.objects.create(id="9" * 12, study=study, kind=millie.kind, card=millie.card, in_use=True)
    launch_due()
    assert work(EvidenceJob.objects.get(state=JobState.QUEUED), toy)
    assert set(CellEvidence.objects.values_list("bundle", flat=True)) == {"9" * 12}


def test_what_was_ended_stays_so_until_a_millie_is_put_to_use(study: Study, cells: list[Cell], millie: Bundle) -> None:
    launch_due()
    assert EvidenceJob.objects.get().cancel("rita")
    launch_due()
    assert EvidenceJob.objects.count() == 1
    Bundle.objects.filter(pk=millie.pk).update(promoted_at=timezone.now())
    launch_due()
    assert EvidenceJob.objects.count() == 2


def test_features_of_another_backbone_and_colours_of_a_reference_are_left_alone(
    study: Study, cells: list[Cell], millie: Bundle
) -> None:
    CellFeatures.objects.update(backbone="other")
    assert not is_due(millie)
    CellFeatures.objects.all().delete()
    assert is_due(millie), "it looks at them itself"
    millie.card["inputs"] = {"colours": "reinhard"}
    assert not is_due(millie)


def test_first_of_a_decision() -> None:
    assert cell_evidence.first_of("APL vs non-APL AML") == "APL"


@pytest.mark.slow
def test_a_trained_millie_scores_cells_and_has_a_space(
    taught: Study, later: Study, train: Any, mean_colour: Any, no_broker: list[Any]
) -> None:
    bundle = train(taught, "mil", MilSettings(networks=2, views=0, draws=100))
    Bundle.objects.filter(pk=bundle.pk).update(study=later, in_use=True)
    bundle.refresh_from_db()
    assert work(ask(later), lambda _: mean_colour)
    patient = Cell.objects.filter(image__patient__code="C").order_by("x0")
    red, blue = [CellEvidence.objects.get(cell=patient[place]).probability for place in (0, 3)]
    assert red > 0.5 > blue
    cells, table = millie_cells.space(later, bundle, AML.name, lambda _: mean_colour)
    assert table.shape == (len(cells), 2 * UNITS) and cells == sorted(cells, key=lambda each: each.bytes)
    place = {cell: row for row, cell in enumerate(cells)}
    units = table[[place[each.pk] for each in patient]]
    # Red cells lie nearer to each other than to the blue one.
    away = np.linalg.norm(units[0] - units[1:], axis=1)
    assert away[:2].max() < away[2]
