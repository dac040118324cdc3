"""Four diagnoses told apart by one model, one of them a study's own: from the launch to the report, the page, the PDF,
and another study that calls it by another name."""

import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.urls import reverse

from annotation.models import Label, LabelGroup, Patient, Study
from inference import diagnosis
from inference.case_report import Case, case_content
from inference.case_report_pdf import Signatures, case_report_pdf
from inference.diagnosis_jobs import ask, work
from inference.validation import validate
from tests.labelled_cells import BLUE, RED, near
from tests.training.coloured_cells import MeanColour
from training import rounds
from training.diagnosis_card import decisions_of
from training.launching import launch_diagnosis
from training.models import JobState, Kind, Round
from training.study_decisions import decide
from training.study_diagnoses import add, change

pytestmark = pytest.mark.django_db(transaction=True)

GREEN, YELLOW = (60, 150, 90), (220, 190, 60)
COLOURS = (RED, BLUE, GREEN, YELLOW)
KEYS = ("apl", "non_apl_aml", "healthy", "cml")
DECISION = "APL vs non-APL AML vs healthy donor vs CML"
# The command of a round, with eyes that see no more than colours.
AS_COLOURS = """
import sys
from tests.training.coloured_cells import MeanColour
from training import run_diagnosis
sys.exit(run_diagnosis.main(sys.argv[1:], MeanColour()))
"""


def give_patients(study: Study, make_field: Any, keys: Sequence[str], letter: str, count: int) -> None:
    """Patients of each diagnosis in turn: red promyelocytes, blue blasts, green lymphocytes, yellow basophils."""
    LabelGroup.objects.filter(study=study).delete()
    group = LabelGroup.objects.create(study=study, name="Cell type")
    names = ("Promyelocyte", "Myeloblast", "Lymphocyte", "Basophil")
    labels = [Label.objects.create(group=group, name=name) for name in names]
    chance = np.random.default_rng([3, count])
    for number in range(count):
        own = number % 4
        kinds = [own, own, own, *(kind for kind in range(4) if kind != own)]
        code = f"{letter}{number}"
        Patient.arrive(study, code, keys[own])
        cells = make_field(study, code, [near(COLOURS[kind], chance) for kind in kinds])
        for cell, kind in zip(cells, kinds, strict=True):
            cell.labels.create(label=labels[kind])


@pytest.fixture
def four(study: Study, make_field: Any, no_broker: Any) -> Study:
    """With chronic myeloid leukaemia as a diagnosis of its own, and of each four patients."""
    add(study, "CML", spellings=["chronic myeloid leukaemia"])
    give_patients(study, make_field, KEYS, "P", 16)
    decide(study, "/".join(KEYS))
    return study


def as_colours(round_: Round) -> list[str]:
    python, _, _, *rest = rounds.command_for(round_)
    return [python, "-c", AS_COLOURS, *rest]


def test_ratios_tell_three_of_them(four: Study) -> None:
    """Those with blasts, with promyelocytes, and with neither."""
    told = {"draws": 100, "decisions": "apl/non_apl_aml/healthy"}
    made = launch_diagnosis(four, Kind.ENSEMBLE, settings=told, at_once=True)
    rounds.carry_out(made, command=as_colours)
    made.refresh_from_db()
    assert made.state == JobState.SUCCEEDED, made.reason
    assert made.bundle is not None
    judged = made.bundle.card["judged"]["APL vs non-APL AML vs healthy donor"]
    assert [each["patients"] for each in judged["classes"]] == [4, 4, 4]
    assert np.array(judged["confusion"]).sum() == 12 and np.trace(judged["confusion"]) >= 10
    assert all(sum(one["probabilities"]) == pytest.approx(1, abs=1e-4) for one in judged["by_patient"])


def test_from_the_launch_to_the_report(
    four: Study, other_study: Study, make_field: Any, reviewer: User, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ratios are of blasts, promyelocytes and rods: two diagnoses without these are alike to an ensemble.
    told = {"draws": 100, "views": 0, "pooling": "mean"}
    made = launch_diagnosis(four, Kind.MIL, settings=told, at_once=True)
    rounds.carry_out(made, command=as_colours)
    made.refresh_from_db()
    assert made.state == JobState.SUCCEEDED, made.reason
    assert made.bundle is not None and made.bundle.in_use and made.metrics is not None
    assert made.metrics["decisions"].keys() == {DECISION}
    judged = made.bundle.card["judged"][DECISION]
    assert [each["patients"] for each in judged["classes"]] == [4, 4, 4, 4]
    assert np.array(judged["confusion"]).sum() == 16 and np.trace(judged["confusion"]) >= 13
    assert all(sum(one["probabilities"]) == pytest.approx(1, abs=1e-4) for one in judged["by_patient"])
    page = client_of(reviewer).get(reverse("round", args=[made.pk])).content.decode()
    assert "Each diagnosis against the others" in page and "What patients are taken for" in page
    assert page.count("CML") > 12

    assert work(ask(four, reviewer), extractor=lambda _: MeanColour()) == 16
    for code, says in (("P0", "APL"), ("P1", "non-APL AML"), ("P2", "healthy donor"), ("P3", "CML")):
        case = Case(four, patient=Patient.objects.get(study=four, code=code))
        (found,) = case_content(case)["diagnosis"]["decisions"]
        assert found["decision"] == DECISION and found["says"] == says
        assert [one["name"] for one in found["probabilities"]] == DECISION.split(" vs ")
        assert sum(one["value"] for one in found["probabilities"]) == pytest.approx(1, abs=1e-4)
        report = client_of(reviewer).get(reverse("case-report", args=[case.patient.pk])).content.decode()  # type: ignore[union-attr]
        assert f"Suspected: {says}" in report and report.count("report-chance") == 4
        assert case_report_pdf(case_content(case), Signatures()).startswith(b"%PDF")
    line = client_of(reviewer).get(reverse("reports", args=[four.pk])).content.decode()
    assert "Suspected: CML" in line

    monkeypatch.setattr(diagnosis.diagnose_patients, "__defaults__", (None, lambda _: MeanColour()))
    out = io.StringIO()
    call_command("diagnose", study=four.name, patient="P3", stdout=out)
    (said,) = json.loads(out.getvalue())["probabilities"]
    assert said["suspected"] == "CML" and list(said["probabilities"]) == list(KEYS)

    # What was said goes on being read after a diagnosis is renamed, and the bundle by the names that it was taught.
    change(four, "cml", "chronic phase", [])
    (found,) = case_content(case)["diagnosis"]["decisions"]
    assert found["says"] == "chronic phase" and found["decision"].endswith(" vs chronic phase")
    assert [each.name for each in decisions_of(made.bundle.card)] == [DECISION]

    add(other_study, "Philadelphia positive", "cml_ph", ["CML"])
    give_patients(other_study, make_field, (*KEYS[:3], "cml_ph"), "Q", 4)
    judged_there = validate(other_study, made.bundle, extractor=lambda _: MeanColour(), draws=100)["decisions"]
    assert judged_there[DECISION]["patients"] == 4 and np.trace(judged_there[DECISION]["confusion"]) >= 3
