"""A bundle judged on another study's patients: the figures, cohort by cohort, the job, the page, who may see what."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotation.models import CellReading, Membership, Patient, Reader, Reading, Role, Study
from inference import validation
from inference.diagnosis import NO_CELL, Diagnosed, DiagnosisProblem, Pass, Said
from inference.models import ValidationJob
from inference.validation import validate, without_curves
from inference.validation_jobs import AlreadyValidating, ask, judging_studies, last_of, work
from training.models import Bundle, JobState, Kind

pytestmark = pytest.mark.django_db
NAME = "APL vs non-APL AML"
THREE = "APL vs non-APL AML vs healthy donor"
CARD = {
    "study": "Charité pilot",
    "architecture": {
        "decisions": [
            {"name": NAME, "classes": ["apl", "non_apl_aml"], "threshold": 0.4},
            {"name": "APL vs healthy donor", "classes": ["apl", "healthy"], "threshold": 0.4},
        ]
    },
    "metrics": {
        "decisions": {NAME: {"auroc": {"value": 0.96, "low": 0.9, "high": 1.0}, "patients": 82, "positives": 34}}
    },
}


@pytest.fixture
def bundle(study: Study) -> Bundle:
    return Bundle.objects.create(id="e" * 12, study=study, kind=Kind.ENSEMBLE, card=CARD, in_use=True)


@pytest.fixture
def elsewhere(db: Any) -> Study:
    """Twelve patients: six of Berlin, told well, four of Dresden, told wrongly, one of Oslo and one of nowhere."""
    found = Study.objects.create(name="Elsewhere")
    for number in range(12):
        apl = number % 2 == 0
        patient = Patient.arrive(found, f"E{number:02}", "apl" if apl else "non_apl_aml")
        patient.cohort = ["Berlin"] * 6 + ["Dresden"] * 4 + ["Oslo", ""]
        patient.cohort = patient.cohort[number]
        patient.save()
    Patient.arrive(found, "unknown")
    return found


@pytest.fixture
def judging(monkeypatch: pytest.MonkeyPatch, no_broker: list[Any]) -> dict[str, Any]:
    """What a bundle would say, in place of its weights."""
    asked: dict[str, Any] = {"patients": [], "chain": "all"}
    monkeypatch.setitem(validation.validate.__kwdefaults__, "draws", 50)

    def diagnose(study: Study, patients: Any, bundles: Any, progress: Any, extractor: Any) -> Pass:
        asked["patients"] = [each.code for each in patients]
        if progress:
            progress(0, 3)
        found = []
        for each in patients:
            right = each.cohort != "Dresden"
            apl = 0.9 if (each.diagnosis == "apl") == right else 0.2
            apl += np.random.default_rng(each.fold).uniform(-0.05, 0.05)
            chances = {"apl": apl, "non_apl_aml": 1 - apl}
            said = Said(NAME, str(Kind.ENSEMBLE), "e" * 12, apl, chances, "APL", 0.4, asked["chain"])
            other = Said(
                "APL vs healthy donor", "ensemble", "e" * 12, apl, {"apl": apl, "healthy": 0}, "APL", 0.4, "all"
            )
            parts = {"apl": apl, "non_apl_aml": 0.9 * (1 - apl), "healthy": 0.1 * (1 - apl)}
            three = Said(THREE, "mil", "3" * 12, apl, parts, "APL", 0.4, "all")
            told = Diagnosed(each.code, cells=1, images=1, said=[said, other, three])
            found.append(Diagnosed(each.code, reason=NO_CELL) if each.code == "E11" else told)
        return Pass(found, {"loading": 0.1}, ())

    monkeypatch.setattr(validation, "diagnose_patients", diagnose)
    return asked


def test_figures_over_all_and_cohort_by_cohort(bundle: Bundle, elsewhere: Study, judging: dict[str, Any]) -> None:
    found = validate(elsewhere, bundle)
    assert "unknown" not in judging["patients"] and len(judging["patients"]) == 12
    each = found["decisions"][NAME]
    assert (each["patients"], each["positives"], each["taught_on"]) == (11, 6, 0)
    assert each["auroc"]["low"] < each["auroc"]["value"] < 1
    assert {name: own["auroc"]["value"] for name, own in each["cohorts"].items()} == {"Berlin": 1.0, "Dresden": 0.0}
    assert each["cohorts_left_out"] == {"Oslo": "1 patient, none with non-APL AML."}
    assert found["left_out"] == {"APL vs healthy donor": "The study has no patient with cells who has healthy donor."}
    assert found["without"] == {"E11": NO_CELL}
    assert len(each["by_patient"]) == 11 and len(each["roc"]["x"]) > 2
    assert {own["bands"]["roc"]["high"][0] for own in each["cohorts"].values()} == {0.0, 1.0}
    told = without_curves(found)["decisions"][NAME]
    for figures in (told, *told["cohorts"].values()):
        assert not {"roc", "pr", "bands", "by_patient"} & figures.keys() and "auroc" in figures
    # Without cohorts there is nothing to part.
    elsewhere.patients.update(cohort="")
    assert validate(elsewhere, bundle)["decisions"][NAME]["cohorts"] == {}


def test_patients_that_taught_it_are_counted(bundle: Bundle, elsewhere: Study, judging: dict[str, Any]) -> None:
    judging["chain"] = "2"
    assert validate(elsewhere, bundle)["decisions"][NAME]["taught_on"] == 11


def test_a_job_is_asked_for_once_and_keeps_what_came_of_it(
    bundle: Bundle, elsewhere: Study, judging: dict[str, Any], reviewer: User
) -> None:
    job = ask(bundle, elsewhere, reviewer)
    with pytest.raises(AlreadyValidating):
        ask(bundle, elsewhere)
    assert work(job) and not work(job)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED and job.result["decisions"][NAME]["patients"] == 11
    # What comes to nothing later leaves it as it was.
    again = ask(bundle, elsewhere)
    assert again.cancel("rita") and not work(again)
    Membership.objects.create(study=elsewhere, user=reviewer, role=Role.REVIEWER)
    assert [(last.pk, done and done.pk) for last, done in last_of(bundle, reviewer)] == [(again.pk, job.pk)]
    elsewhere.patients.update(diagnosis="unknown")
    with pytest.raises(DiagnosisProblem, match="no patient whose diagnosis is known"):
        ask(bundle, elsewhere)
    with pytest.raises(DiagnosisProblem, match="diagnoses nobody"):
        ask(Bundle.objects.create(id="d" * 12, study=bundle.study, kind=Kind.DETECTOR, card={}), elsewhere)


def test_a_worker_that_stops_gives_it_back_and_a_problem_is_told(
    bundle: Bundle, elsewhere: Study, judging: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ask(bundle, elsewhere)
    assert not work(job, stopping=lambda: True)
    job.refresh_from_db()
    assert job.state == JobState.QUEUED
    elsewhere.patients.filter(diagnosis="apl").delete()
    assert not work(job)
    job.refresh_from_db()
    assert job.state == JobState.FAILED and job.reason == "The study has no patient with cells who has APL."


def test_the_page(
    bundle: Bundle, elsewhere: Study, judging: dict[str, Any], reviewer: User, client_of: Callable[[User], Client]
) -> None:
    page = client_of(reviewer)
    address = reverse("validation", args=[bundle.study_id, bundle.pk])
    assert "not judged on other patients yet" in page.get(address).content.decode()
    Membership.objects.create(study=elsewhere, user=reviewer, role=Role.REVIEWER)
    assert judging_studies(bundle, reviewer) == [elsewhere]
    text = page.post(address, {"study": elsewhere.pk}, follow=True).content.decode()
    assert "Elsewhere: queued." in text
    assert "already" in page.post(address, {"study": elsewhere.pk}, follow=True).content.decode()
    assert "HX-Refresh" not in page.get(address, {"watching": 1})
    assert work(ValidationJob.objects.get())
    assert page.get(address, {"watching": 1})["HX-Refresh"] == "true"
    text = page.get(address).content.decode()
    for expected in ("cross-validated", "0.960", "Elsewhere", "Berlin", "Dresden", "Oslo", "Calibration", "differs"):
        assert expected in text
    # One cohort by itself; what is no cohort shows all.
    of_all, of_berlin, of_none = (
        page.get(address, {"of": ValidationJob.objects.get().pk, "decision": NAME, "cohort": cohort}).content.decode()
        for cohort in ("", "Berlin", "Paris")
    )
    assert "Elsewhere, Berlin: " in of_berlin and "Elsewhere, Berlin: " not in of_all + of_none
    assert ">E08<" in of_all and ">E08<" not in of_berlin and "95 % band, by drawing patients anew" in of_berlin
    patient = elsewhere.patients.get(code="E03")
    assert reverse("case-report", args=[patient.pk]) in text
    for name, args in (("bundles", [bundle.study_id]), ("reports", [elsewhere.pk])):
        listed = page.get(reverse(name, args=args), {"kind": "ensemble"}).content.decode()
        assert address in listed, name
    job = ask(bundle, elsewhere)
    page.post(reverse("validation-cancel", args=[bundle.study_id, bundle.pk, elsewhere.pk]))
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert "Cancelled by rita" in page.get(address).content.decode()


def test_who_may_see_and_ask(
    bundle: Bundle,
    elsewhere: Study,
    judging: dict[str, Any],
    annotator: User,
    reviewer: User,
    outsider: User,
    client_of: Callable[[User], Client],
) -> None:
    addresses = [reverse(name, args=[bundle.study_id, bundle.pk]) for name in ("validation", "api-validations")]
    cancel = reverse("validation-cancel", args=[bundle.study_id, bundle.pk, elsewhere.pk])
    asked = {"data": {"study": elsewhere.pk}, "content_type": "application/json"}
    for address in addresses:
        assert client_of(outsider).get(address).status_code == 404
        assert client_of(annotator).get(address).status_code == 200
        assert Client().get(address).status_code in (302, 401, 403)
    # The other study is hidden from them, or they may not review there.
    for user, status in ((outsider, 404), (reviewer, 404)):
        assert client_of(user).post(addresses[0], {"study": elsewhere.pk}).status_code == status
        assert client_of(user).post(addresses[1], **asked).status_code == status
        assert client_of(user).post(cancel).status_code == status
    Membership.objects.create(study=elsewhere, user=annotator, role=Role.ANNOTATOR)
    assert client_of(annotator).post(addresses[0], {"study": elsewhere.pk}).status_code == 403
    assert client_of(annotator).post(addresses[1], **asked).status_code == 403
    assert client_of(annotator).post(cancel).status_code == 403
    assert not ValidationJob.objects.exists()
    Membership.objects.create(study=elsewhere, user=reviewer, role=Role.REVIEWER)
    answer = client_of(reviewer).post(addresses[1], **asked)
    assert answer.status_code == 201 and answer.json()["state"] == "queued"
    assert client_of(reviewer).post(addresses[1], **asked).status_code == 409
    assert client_of(reviewer).post(addresses[1], {}, content_type="application/json").status_code == 400
    assert work(ValidationJob.objects.get())
    (told,) = client_of(reviewer).get(addresses[1]).json()["validations"]
    assert told["result"]["decisions"][NAME]["patients"] == 11 and told["result"]["without"] == 1
    assert "E03" not in str(told) and len(told["result"]["decisions"][NAME]["bands"]["pr"]["low"]) > 2
    # Whoever may not see the study that judged sees nothing of its patients.
    Membership.objects.filter(study=elsewhere, user=annotator).delete()
    assert client_of(annotator).get(addresses[1]).json() == {"validations": []}
    assert "E03" not in client_of(annotator).get(addresses[0]).content.decode()


def test_patients_read_blind_are_left_out_of_the_list(
    bundle: Bundle,
    elsewhere: Study,
    judging: dict[str, Any],
    reviewer: User,
    make_field: Callable[..., Any],
    client_of: Callable[[User], Client],
) -> None:
    Membership.objects.create(study=elsewhere, user=reviewer, role=Role.REVIEWER)
    (cell,) = make_field(elsewhere, "E03", [(170, 60, 80)])
    assert work(ask(bundle, elsewhere))
    address = reverse("validation", args=[bundle.study_id, bundle.pk])
    assert ">E03<" in client_of(reviewer).get(address).content.decode()
    reading = Reading.objects.create(study=elsewhere, name="Blind", asked_by=reviewer)
    reader = Reader.objects.create(reading=reading, user=reviewer)
    CellReading.objects.create(reader=reader, cell=cell, place=0)
    text = client_of(reviewer).get(address).content.decode()
    assert ">E03<" not in text and ">E04<" in text


def test_three_diagnoses_are_shown_each_against_the_others(
    study: Study, elsewhere: Study, judging: dict[str, Any], reviewer: User, client_of: Callable[[User], Client]
) -> None:
    Membership.objects.create(study=elsewhere, user=reviewer, role=Role.REVIEWER)
    elsewhere.patients.filter(code__in=("E01", "E03")).update(diagnosis="healthy")
    stated = {"name": THREE, "classes": ["apl", "non_apl_aml", "healthy"], "threshold": 0.4}
    card = CARD | {"architecture": {"decisions": [stated]}, "metrics": {}}
    bundle = Bundle.objects.create(id="3" * 12, study=study, kind=Kind.MIL, card=card)
    assert work(ask(bundle, elsewhere))
    found = ValidationJob.objects.get().result["decisions"][THREE]
    assert np.array(found["confusion"]).sum() == 11 and len(found["classes"]) == 3
    text = client_of(reviewer).get(reverse("validation", args=[study.pk, bundle.pk])).content.decode()
    assert "Each diagnosis against the others" in text and "What patients are taken for" in text
