"""What is suspected of patients, from the button to the report: the job, the rows, the words, who may ask."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotation.models import Cell, Patient, Study
from inference import diagnosis_jobs
from inference.case_diagnosis import NONE_IN_USE, diagnosis_json, disagreement_of, suspected_of
from inference.case_report import Case, case_content
from inference.case_report_pdf import Signatures, _chances, case_report_pdf
from inference.diagnosis import Diagnosed, DiagnosisProblem, Pass, Said
from inference.diagnosis_jobs import AlreadyDiagnosing, ask, described, work
from inference.models import DiagnosisJob, PatientDiagnosis
from tests.inference.test_diagnosis import ensemble, taught, train
from tests.training.coloured_cells import MeanColour
from training.models import Bundle, JobState, Kind

__all__ = ["ensemble", "taught", "train"]
pytestmark = pytest.mark.django_db
RED, BLUE = (170, 60, 80), (70, 60, 170)
JUDGED = {"auroc": {"value": 0.961, "low": 0.91, "high": 0.99}, "patients": 82}


def said(kind: Kind, decision: str, probability: float) -> Said:
    first, other = decision.split(" vs ")
    suspected = first if probability >= 0.4 else other
    return Said(decision, str(kind), "e" * 12, probability, {}, suspected, 0.4, "2")


@pytest.fixture
def bundle(study: Study) -> Bundle:
    card = {"metrics": {"decisions": {"APL vs non-APL AML": JUDGED}}, "folds": {"k": 3}, "study": study.name}
    return Bundle.objects.create(id="e" * 12, study=study, kind=Kind.ENSEMBLE, card=card, in_use=True)


@pytest.fixture
def patient(study: Study, make_field: Callable[..., list[Cell]]) -> Patient:
    make_field(study, "P-7", (RED, BLUE))
    make_field(study, "P-8", (BLUE,))
    return Patient.objects.get(code="P-7")


@pytest.fixture
def diagnosing(monkeypatch: pytest.MonkeyPatch, no_broker: list[Any]) -> dict[str, Any]:
    """What bundles would say, in place of their weights: {"said": [...]} may be changed."""
    told: dict[str, Any] = {"said": [said(Kind.ENSEMBLE, "APL vs non-APL AML", 0.93)], "reason": ""}

    def diagnose(study: Study, patients: Any, bundles: Any, progress: Any, extractor: Any) -> Pass:
        assert progress(0, 3)
        found = []
        for each in patients:
            cells = list(Cell.objects.filter(image__patient=each))
            found.append(
                Diagnosed(
                    each.code,
                    cells=len(cells),
                    images=1,
                    said=list(told["said"]),
                    reason=told["reason"],
                    ratios={"promyelocyte": {"value": 0.5, "low": 0.1, "high": 0.9, "count": 1, "cells": 2}},
                    left_out={"auer_rod": "No cell was labelled so where the classifiers were taught."},
                    speaking=[(cells[0].pk, 1.5)],
                )
            )
        return Pass(found, {"loading": 0.1}, ())

    monkeypatch.setattr(diagnosis_jobs, "diagnose_patients", diagnose)
    return told


def test_without_a_bundle_nothing_is_suspected_and_nobody_can_ask(
    study: Study, patient: Patient, reviewer: User, client_of: Any
):
    assert diagnosis_json(patient, study) == {"reason": NONE_IN_USE}
    with pytest.raises(DiagnosisProblem):
        ask(study, reviewer)
    page = client_of(reviewer).get(reverse("case-report", args=[patient.pk])).content.decode()
    assert NONE_IN_USE in page and "Ask the bundles" not in page


def test_what_bundles_suspect_comes_into_the_report(
    study: Study, patient: Patient, bundle: Bundle, diagnosing: dict[str, Any], reviewer: User, client_of: Any
):
    diagnosing["said"].append(said(Kind.MIL, "APL vs non-APL AML", 0.31))
    diagnosing["said"].append(said(Kind.ENSEMBLE, "APL vs healthy donor", 0.99))
    assert work(ask(study, reviewer)) == 2
    found = case_content(Case(study, patient=patient))["diagnosis"]
    assert found["suspected"] == "Undecided: the decisions do not agree"
    assert found["disagreement"] == (
        "The models disagree. APL vs non-APL AML: Ensemble says APL (0.93), MILLIE says non-APL AML (0.31)."
    )
    assert [each["name"] for each in found["ratios"]] == ["Promyelocyte", "Auer rod"]
    assert "left_out" in found["ratios"][1]
    assert found["bundles"][0]["validated"] == (
        "cross-validated by patient in 3 folds, APL vs non-APL AML: AUROC 0.96 (0.91 to 0.99) on 82 patients."
    )
    page = client_of(reviewer).get(reverse("case-report", args=[patient.pk])).content.decode()
    for expected in ("Undecided", "never saw the patient", "Speak most for APL", "Ask the bundles again", "0.93"):
        assert expected in page
    assert "Undecided" in client_of(reviewer).get(reverse("reports", args=[study.pk])).content.decode()
    content = case_content(Case(study, patient=patient))
    assert case_report_pdf(content, Signatures()).startswith(b"%PDF")
    Bundle.objects.update(in_use=False)
    assert "no longer in use" in diagnosis_json(patient, study)["reason"]


def test_a_trained_bundle_in_use_speaks_in_the_report(
    taught: Study, ensemble: Bundle, mean_colour: MeanColour, reviewer: User, no_broker: list[Any]
):
    Bundle.objects.filter(pk=ensemble.pk).update(in_use=True)
    assert work(ask(taught, reviewer), extractor=lambda _: mean_colour) == 12
    found = case_content(Case(taught, patient=Patient.objects.get(study=taught, code="P0")))["diagnosis"]
    (decision,) = found["decisions"]
    assert decision["decision"] == "APL vs non-APL AML" and decision["unseen"]
    assert found["suspected"] == "Suspected: APL" and found["cells"] == 5
    assert [each["name"] for each in found["ratios"]] == ["Myeloblast", "Promyelocyte", "Auer rod"]
    assert "AUROC" in found["bundles"][0]["validated"] and found["reason"] == ""
    assert found["speaking"] == [], "MILLIE says which cells speak"


def test_one_patient_may_be_asked_about(study: Study, patient: Patient, bundle: Bundle, diagnosing: dict[str, Any]):
    job = ask(study, None, patient)
    with pytest.raises(AlreadyDiagnosing):
        ask(study, None)
    assert work(job) == 1
    assert PatientDiagnosis.objects.get().patient == patient
    assert work(job) == 0, "done already"


def test_a_patient_of_whom_nothing_can_be_said_has_the_reason(
    study: Study, patient: Patient, bundle: Bundle, diagnosing: dict[str, Any]
):
    diagnosing.update(said=[], reason="The patient has no viable nucleated cell: there is nothing to diagnose by.")
    work(ask(study, None))
    found = diagnosis_json(patient, study)
    assert found["suspected"] == "" and found["reason"].startswith("The patient has no viable")


def test_a_bundle_that_cannot_be_loaded_fails_the_job_with_the_reason(
    study: Study, patient: Patient, bundle: Bundle, no_broker: list[Any]
):
    job = ask(study, None)
    assert work(job) == 0
    job.refresh_from_db()
    assert job.state == JobState.FAILED and job.reason
    assert not PatientDiagnosis.objects.exists()


def test_a_worker_that_stops_keeps_nothing_half(
    study: Study, patient: Patient, bundle: Bundle, diagnosing: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    asked = iter([False, True, True])
    job = ask(study, None)
    assert work(job, stopping=lambda: next(asked)) == 0
    job.refresh_from_db()
    assert job.state == JobState.QUEUED and not PatientDiagnosis.objects.exists()
    job.cancel("ada")
    assert work(job) == 0


def test_the_words():
    def one(decision: str, says: str, model: str = "Ensemble") -> dict[str, Any]:
        return {"decision": decision, "model": model, "says": says, "probability": 0.5}

    aml, healthy = "APL vs non-APL AML", "APL vs healthy donor"
    assert suspected_of([]) == ""
    assert suspected_of([one(aml, "APL"), one(healthy, "APL")]) == "Suspected: APL"
    assert suspected_of([one(aml, "non-APL AML"), one(healthy, "healthy donor")]) == "Not suspected: APL"
    # Of a patient with another leukaemia one of these must be said by the decision that knows none.
    assert suspected_of([one(aml, "non-APL AML"), one(healthy, "APL")]) == "Suspected: non-APL AML"
    assert suspected_of([one(aml, "APL"), one(healthy, "healthy donor")]) == "Suspected: healthy donor"
    torn = [one(aml, "non-APL AML"), one(aml, "APL", "MILLIE"), one(healthy, "healthy donor")]
    assert suspected_of(torn).startswith("Undecided")
    circle = [one("APL vs CML", "APL"), one("CML vs ALL", "CML"), one("ALL vs APL", "ALL")]
    assert suspected_of(circle).startswith("Undecided")
    assert disagreement_of([one(aml, "APL"), one(healthy, "healthy donor")]) == ""
    assert "MILLIE says non-APL AML" in disagreement_of([one(aml, "APL"), one(aml, "non-APL AML", "MILLIE")])


def test_the_report_tells_what_the_study_decides(
    study: Study, patient: Patient, bundle: Bundle, diagnosing: dict[str, Any], reviewer: User, client_of: Any
):
    three = "APL vs non-APL AML vs healthy donor"
    chances = {"apl": 0.1, "non_apl_aml": 0.7, "healthy": 0.2}
    diagnosing["said"].append(Said(three, str(Kind.MIL), "b" * 12, 0.1, chances, "non-APL AML", 0.17, "all"))
    work(ask(study, None))
    assert [each["decision"] for each in diagnosis_json(patient, study)["decisions"]] == ["APL vs non-APL AML"]
    study.decisions = "apl/non_apl_aml/healthy, apl/non_apl_aml"
    study.save()
    found = diagnosis_json(patient, study)
    assert [each["decision"] for each in found["decisions"]] == [three, "APL vs non-APL AML"]
    assert [one["name"] for one in found["decisions"][0]["probabilities"]] == ["APL", "non-APL AML", "healthy donor"]
    page = client_of(reviewer).get(reverse("case-report", args=[patient.pk])).content.decode()
    assert "healthy donor 0.20" in page and "non-APL AML 0.70" in page
    content = case_content(Case(study, patient=patient))
    assert (
        _chances(content["diagnosis"]["decisions"][0]) == "APL 0.10 (from 0.17)\nnon-APL AML 0.70\nhealthy donor 0.20"
    )
    assert case_report_pdf(content, Signatures()).startswith(b"%PDF")
    study.decisions = "healthy/apl"
    study.save()
    assert diagnosis_json(patient, study)["reason"] == "No bundle was asked that decides healthy donor vs APL."
    line = client_of(reviewer).get(reverse("reports", args=[study.pk])).content.decode()
    assert "healthy donor vs APL" in line and "Suspected: APL" not in line


def test_a_bundle_without_figures_says_so(bundle: Bundle):
    bundle.card = {"metrics": {}, "folds": {}}
    assert described(bundle)["validated"] == "not cross-validated."


def test_members_see_it_and_reviewers_ask(
    study: Study,
    patient: Patient,
    bundle: Bundle,
    annotator: User,
    reviewer: User,
    outsider: User,
    client_of: Any,
    no_broker: list[Any],
):
    address = reverse("diagnose", args=[study.pk])
    for user, get, post in ((outsider, 404, 404), (annotator, 200, 403)):
        assert client_of(user).get(address).status_code == get
        assert client_of(user).post(address).status_code == post
    assert Client().get(address).status_code == 302 and Client().post(address).status_code == 302
    assert not DiagnosisJob.objects.exists()
    foreign = Patient.arrive(Study.objects.create(name="Other"), "X")
    assert client_of(reviewer).post(address, {"patient": foreign.pk}).status_code == 404
    answer = client_of(reviewer).post(address, {"patient": patient.pk})
    assert answer["Location"] == reverse("case-report", args=[patient.pk])
    assert DiagnosisJob.objects.get().patient == patient
    assert "already" in client_of(reviewer).post(address, follow=True).content.decode()
    assert "queued" in client_of(annotator).get(address).content.decode()
