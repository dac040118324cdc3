"""Which diagnoses a study tells apart: who may set them, and that rounds and the list of patients follow."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from annotation.models import Study
from training import launching
from training.decisions import USUAL
from training.freeze import RoundRefused
from training.models import Kind
from training.study_decisions import decided_by
from training.views.diagnosis_launch_form import DiagnosisLaunchForm

pytestmark = pytest.mark.django_db

ALL_THREE = "apl/non_apl_aml/healthy"


def test_members_see_and_admins_set(
    study: Study, admin: User, reviewer: User, annotator: User, outsider: User, client: Any, client_of: Any
) -> None:
    assert study.decisions == USUAL
    address = reverse("study-decisions", args=[study.pk])
    assert client.get(address).status_code == 302
    assert client_of(outsider).get(address).status_code == 404
    page = client_of(annotator).get(address).content.decode()
    assert "APL vs healthy donor" in page and "checkbox" not in page and "not a medical device" in page
    for member in (annotator, reviewer):
        assert client_of(member).post(address, {"decisions": [ALL_THREE]}).status_code == 403
    assert client_of(outsider).post(address, {"decisions": [ALL_THREE]}).status_code == 404
    assert client_of(admin).get(address).content.decode().count(" checked") == 2
    assert client_of(admin).post(address, {"decisions": []}).status_code == 400
    assert client_of(admin).post(address, {"decisions": ["apl/apl"]}).status_code == 400
    study.refresh_from_db()
    assert study.decisions == USUAL
    assert client_of(admin).post(address, {"decisions": ["apl/healthy", ALL_THREE]}).status_code == 302
    study.refresh_from_db()
    assert [each.name for each in decided_by(study)] == [
        "APL vs healthy donor",
        "APL vs non-APL AML vs healthy donor",
    ]
    one_more = {"decisions": ["apl/healthy"], "first": "healthy", "against": ["non_apl_aml", "healthy", "apl"]}
    assert client_of(admin).post(address, one_more | {"against": ["healthy"]}).status_code == 400
    assert client_of(admin).post(address, one_more | {"first": ""}).status_code == 400
    assert client_of(admin).post(address, one_more).status_code == 302
    study.refresh_from_db()
    assert study.decisions == "apl/healthy, healthy/non_apl_aml/apl"


def test_the_api_tells_and_sets(
    study: Study, admin: User, annotator: User, outsider: User, client: Any, client_of: Any
) -> None:
    address = reverse("api-decisions", args=[study.pk])
    assert client.get(address).status_code in (401, 403)
    assert client_of(outsider).get(address).status_code == 404
    assert client_of(annotator).get(address).json()["decisions"] == USUAL
    body = {"decisions": f" {ALL_THREE} , apl/healthy"}
    assert client_of(annotator).put(address, body, content_type="application/json").status_code == 403
    said = client_of(admin).put(address, body, content_type="application/json").json()
    assert said["decisions"] == f"{ALL_THREE}, apl/healthy" and len(said["names"]) == 2
    wrong = client_of(admin).put(address, {"decisions": "apl/mds"}, content_type="application/json")
    assert wrong.status_code == 400 and "apl/mds" in wrong.json()["detail"]


def test_rounds_begin_with_what_the_study_decides(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    study.decisions = ALL_THREE
    study.save()
    assert DiagnosisLaunchForm(study, Kind.MIL)["decisions"].value() == ALL_THREE
    asked: list[Any] = []
    plain = launching.resolve_diagnosis_settings

    def noted(kind: str, given: Any) -> Any:
        asked.append(given["decisions"])
        return plain(kind, given)

    monkeypatch.setattr(launching, "resolve_diagnosis_settings", noted)
    for settings in (None, {"decisions": "apl/healthy"}):
        with pytest.raises(RoundRefused, match="no patient with cells"):
            launching.launch_diagnosis(study, Kind.MIL, settings=settings)
    assert asked == [ALL_THREE, "apl/healthy"]
