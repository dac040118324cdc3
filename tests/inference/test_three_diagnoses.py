"""Three diagnoses told apart by one model, from the launch to the report, the page and the PDF."""

import io
import json
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.urls import reverse

from annotation.models import Diagnosis, Label, LabelGroup, Patient, Study
from inference import diagnosis
from inference.case_report import Case, case_content
from inference.case_report_pdf import Signatures, case_report_pdf
from inference.diagnosis_jobs import ask, work
from tests.labelled_cells import BLUE, RED, near
from tests.training.coloured_cells import MeanColour
from training import rounds
from training.launching import launch_diagnosis
from training.models import JobState, Kind, Round

pytestmark = pytest.mark.django_db(transaction=True)

GREEN = (60, 150, 90)
DECISION = "APL vs non-APL AML vs healthy donor"
# The command of a round, with eyes that see no more than colours.
AS_COLOURS = """
import sys
from tests.training.coloured_cells import MeanColour
from training import run_diagnosis
sys.exit(run_diagnosis.main(sys.argv[1:], MeanColour()))
"""


@pytest.fixture
def three(study: Study, make_field: Any, no_broker: Any) -> Study:
    """Of each diagnosis four patients: red promyelocytes, blue blasts, green lymphocytes."""
    LabelGroup.objects.filter(study=study).delete()
    group = LabelGroup.objects.create(study=study, name="Cell type")
    labels = [Label.objects.create(group=group, name=name) for name in ("Promyelocyte", "Myeloblast", "Lymphocyte")]
    chance = np.random.default_rng(3)
    for number in range(12):
        own = number % 3
        kinds = [own, own, own, (own + 1) % 3, (own + 2) % 3]
        Patient.arrive(study, f"P{number}", (Diagnosis.APL, Diagnosis.NON_APL_AML, Diagnosis.HEALTHY)[own])
        cells = make_field(study, f"P{number}", [near((RED, BLUE, GREEN)[kind], chance) for kind in kinds])
        for cell, kind in zip(cells, kinds, strict=True):
            cell.labels.create(label=labels[kind])
    study.decisions = "apl/non_apl_aml/healthy"
    study.save()
    return study


def as_colours(round_: Round) -> list[str]:
    python, _, _, *rest = rounds.command_for(round_)
    return [python, "-c", AS_COLOURS, *rest]


def test_from_the_launch_to_the_report(
    three: Study, reviewer: User, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = launch_diagnosis(three, Kind.ENSEMBLE, settings={"draws": 100}, at_once=True)
    rounds.carry_out(made, command=as_colours)
    made.refresh_from_db()
    assert made.state == JobState.SUCCEEDED, made.reason
    assert made.bundle is not None and made.bundle.in_use and made.metrics is not None
    assert made.metrics["decisions"].keys() == {DECISION}
    judged = made.bundle.card["judged"][DECISION]
    assert [each["patients"] for each in judged["classes"]] == [4, 4, 4]
    assert np.array(judged["confusion"]).sum() == 12 and np.trace(judged["confusion"]) >= 10
    assert all(sum(one["probabilities"]) == pytest.approx(1, abs=1e-4) for one in judged["by_patient"])
    page = client_of(reviewer).get(reverse("round", args=[made.pk])).content.decode()
    assert "Each diagnosis against the others" in page and "What patients are taken for" in page
    assert page.count("healthy donor") > 12

    assert work(ask(three, reviewer), extractor=lambda _: MeanColour()) == 12
    for code, says in (("P0", "APL"), ("P1", "non-APL AML"), ("P2", "healthy donor")):
        case = Case(three, patient=Patient.objects.get(study=three, code=code))
        (found,) = case_content(case)["diagnosis"]["decisions"]
        assert found["decision"] == DECISION and found["says"] == says
        assert [one["name"] for one in found["probabilities"]] == ["APL", "non-APL AML", "healthy donor"]
        assert sum(one["value"] for one in found["probabilities"]) == pytest.approx(1, abs=1e-4)
        report = client_of(reviewer).get(reverse("case-report", args=[case.patient.pk])).content.decode()  # type: ignore[union-attr]
        assert f"Suspected: {says}" in report and report.count("report-chance") == 3
        assert case_report_pdf(case_content(case), Signatures()).startswith(b"%PDF")
    line = client_of(reviewer).get(reverse("reports", args=[three.pk])).content.decode()
    assert "Suspected: healthy donor" in line

    monkeypatch.setattr(diagnosis.diagnose_patients, "__defaults__", (None, lambda _: MeanColour()))
    out = io.StringIO()
    call_command("diagnose", study=three.name, patient="P2", stdout=out)
    (said,) = json.loads(out.getvalue())["probabilities"]
    assert said["suspected"] == "healthy donor" and len(said["probabilities"]) == 3
