"""The diagnoses that a study knows: who may add, rename and retire them, on the page and by the API."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from annotation.diagnoses import DiagnosesError
from annotation.models import Patient, Study
from training.settings import SettingsError
from training.study_decisions import decide, decided_by
from training.study_diagnoses import add, change, retire
from training.views.diagnoses_form import DiagnosesForm
from training.views.diagnosis_launch_form import DiagnosisLaunchForm

pytestmark = pytest.mark.django_db


def typed(study: Study, **more: str) -> dict[str, str]:
    """What the page sends, with some of it changed."""
    form = DiagnosesForm(study)
    kept = {f"{what}-{row.key}": getattr(row, what) for row in form.rows for what in ("name", "spellings")}
    return {"seen": form.seen, **kept, **{name.replace("__", "-"): text for name, text in more.items()}}


def test_members_see_and_admins_change(
    study: Study, admin: User, reviewer: User, annotator: User, outsider: User, client: Any, client_of: Any
) -> None:
    page, address = reverse("study-decisions", args=[study.pk]), reverse("study-diagnoses", args=[study.pk])
    asked = typed(study, new__name="CML", new__spellings="chronic myeloid leukaemia, BCR-ABL", name__apl="AML M3")
    assert client.post(address, asked).status_code == 302 and client_of(admin).get(address).status_code == 405
    assert client_of(outsider).post(address, asked).status_code == 404
    for member in (annotator, reviewer):
        assert client_of(member).post(address, asked).status_code == 403
        assert "healthy donor" in (shown := client_of(member).get(page).content.decode()) and "new-name" not in shown
    study.refresh_from_db()
    assert len(study.diagnoses) == 3
    assert client_of(admin).post(address, asked).status_code == 302
    study.refresh_from_db()
    assert study.diagnoses["cml"].spellings == ("chronic myeloid leukaemia", "BCR-ABL")
    assert study.diagnoses["apl"].name == "AML M3" and study.diagnoses.read("APL") == "apl"
    assert [each.name for each in decided_by(study)] == ["AML M3 vs non-APL AML", "AML M3 vs healthy donor"]
    shown = client_of(admin).get(page).content.decode()
    assert 'value="chronic myeloid leukaemia, BCR-ABL"' in shown and 'name="retire" value="cml"' in shown


def test_what_is_refused_is_said_and_nothing_of_it_kept(study: Study, admin: User, client_of: Any) -> None:
    address, before = reverse("study-diagnoses", args=[study.pk]), study.diagnosis_rows
    Patient.arrive(study, "P1", "healthy")
    for asked, why in (
        (typed(study, name__apl="AML M3", new__name="Control"), "Control would be read as healthy donor"),
        (typed(study, name__healthy="APL"), "stands for both"),
        (typed(study, retire="healthy"), "Healthy donor stays: 1 patient has it."),
        (typed(study, retire="non_apl_aml"), "stays while the study tells apart APL vs non-APL AML"),
        (typed(study, retire="flu"), "no diagnosis &#x27;flu&#x27;"),
        (typed(study, name__apl="") | {"seen": "another"}, "Somebody else has changed the diagnoses meanwhile"),
    ):
        answer = client_of(admin).post(address, asked)
        assert answer.status_code == 400 and why in answer.content.decode(), why
        study.refresh_from_db()
        assert study.diagnosis_rows == before
    assert 'value="Control"' in client_of(admin).post(address, typed(study, new__name="Control")).content.decode()


def test_one_that_nothing_needs_is_retired(study: Study, admin: User, client_of: Any) -> None:
    decide(study, "apl/non_apl_aml")
    assert client_of(admin).post(reverse("study-diagnoses", args=[study.pk]), typed(study, retire="healthy"))
    study.refresh_from_db()
    assert [row.key for row in study.diagnoses] == ["apl", "non_apl_aml"]
    with pytest.raises(DiagnosesError, match="has no diagnosis 'healthy', only APL, non-APL AML"):
        Patient.arrive(study, "P1", "healthy")
    with pytest.raises(SettingsError, match="two or more of apl, non_apl_aml"):
        decide(study, "apl/healthy")


def test_the_api_tells_adds_renames_and_retires(
    study: Study, admin: User, annotator: User, reviewer: User, outsider: User, client: Any, client_of: Any
) -> None:
    address = reverse("api-diagnoses", args=[study.pk])
    one = reverse("api-diagnosis", args=[study.pk, "mds"])
    as_json, new = {"content_type": "application/json"}, {"name": "MDS", "spellings": ["myelodysplasia"]}
    assert client.get(address).status_code in (401, 403)
    assert client_of(outsider).get(address).status_code == 404
    assert client_of(annotator).get(address).json()["diagnoses"][0] == {
        "key": "apl",
        "name": "APL",
        "spellings": ["AML M3", "M3"],
        "patients": 0,
    }
    assert client_of(admin).delete(one).status_code == 404
    assert client_of(admin).post(address, {"name": "AML"}, **as_json).status_code == 400
    assert client_of(admin).post(address, new, **as_json).status_code == 201
    for user, status in ((None, (401, 403)), (outsider, (404,)), (annotator, (403,)), (reviewer, (403,))):
        by = client if user is None else client_of(user)
        assert by.post(address, {"name": "ALL"}, **as_json).status_code in status
        assert by.patch(one, {"name": "ALL"}, **as_json).status_code in status
        assert by.delete(one).status_code in status
    said = client_of(admin).patch(one, {"name": "Myelodysplastic"}, **as_json).json()["diagnoses"][-1]
    assert said == {"key": "mds", "name": "Myelodysplastic", "spellings": ["myelodysplasia", "MDS"], "patients": 0}
    assert client_of(admin).patch(one, {"spellings": ["control"]}, **as_json).status_code == 400
    study.refresh_from_db()
    patient = Patient.arrive(study, "P1", "mds")
    assert client_of(admin).delete(one).status_code == 409
    patient.delete()
    assert len(client_of(admin).delete(one).json()["diagnoses"]) == 3


def test_a_study_has_its_own(study: Study, other_study: Study) -> None:
    assert add(study, "CML") == "cml" and "cml" in study.diagnoses and "cml" not in other_study.diagnoses
    change(study, "cml", "chronic myeloid", [])
    decide(study, "CML/apl, healthy/cml/non-APL AML")
    assert study.decisions == "cml/apl, healthy/cml/non_apl_aml"
    with pytest.raises(DiagnosesError, match="stays while the study tells apart chronic myeloid vs APL"):
        retire(study, "cml")
    with pytest.raises(SettingsError, match="two or more of apl, non_apl_aml, healthy"):
        decide(other_study, "cml/apl")
    assert "cml" in DiagnosisLaunchForm(study, "mil").fields["decisions"].help_text  # type: ignore[arg-type]
