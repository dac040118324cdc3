import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.urls import reverse

from annotation.members import MemberError, add_member, change_role, create_account, parse_role, remove_member
from annotation.models import Membership, Role, Study


def _role(study: Study, username: str) -> str | None:
    return study.memberships.filter(user__username=username).values_list("role", flat=True).first()


def _post(client: Any, name: str, study: Study, **fields: str) -> str:
    """Send a change and return the page that follows."""
    return client.post(reverse(name, args=[study.pk]), fields, follow=True).content.decode()


def test_an_admin_adds_changes_and_removes(
    study: Study, admin: User, outsider: User, annotator: User, client_of: Any
) -> None:
    client = client_of(admin)
    assert "otto is now a member" in _post(client, "member-add", study, username="otto", role="reviewer")
    assert _role(study, "otto") == Role.REVIEWER
    assert "otto is now annotator" in _post(client, "member-role", study, username="otto", role="annotator")
    assert _role(study, "otto") == Role.ANNOTATOR
    assert "otto is no longer a member" in _post(client, "member-remove", study, username="otto")
    assert _role(study, "otto") is None


@pytest.mark.parametrize("change", ["member-role", "member-remove"])
def test_the_last_admin_stays(change: str, study: Study, admin: User, annotator: User, client_of: Any) -> None:
    page = _post(client_of(admin), change, study, username="ada", role="annotator")
    assert "ada is the last admin of this study" in page
    assert _role(study, "ada") == Role.ADMIN


def test_an_admin_leaves_when_there_is_another(study: Study, admin: User, annotator: User, client_of: Any) -> None:
    change_role(study, "anna", Role.ADMIN)
    response = client_of(admin).post(reverse("member-remove", args=[study.pk]), {"username": "ada"})
    assert response["Location"] == reverse("studies")
    assert _role(study, "ada") is None


def test_what_cannot_be_done_is_said(study: Study, annotator: User) -> None:
    with pytest.raises(MemberError, match="no account named 'nobody'"):
        add_member(study, "nobody", Role.ANNOTATOR)
    with pytest.raises(MemberError, match="anna is already an annotator of this study"):
        add_member(study, "anna", Role.ADMIN)
    with pytest.raises(MemberError, match="'nobody' is not a member"):
        remove_member(study, "nobody")
    with pytest.raises(MemberError, match="'owner' is not a role; the roles are annotator, reviewer, admin"):
        parse_role("owner")


def test_names_of_accounts_are_checked(annotator: User) -> None:
    for name in ("", "anna", "two words", "x" * 151):
        with pytest.raises(MemberError):
            create_account(name)
    assert User.objects.count() == 1


def test_a_new_account_gets_a_password_that_is_shown_once(study: Study, client_of: Any) -> None:
    root = User.objects.create_superuser("root")
    client = client_of(root)
    response = client.post(reverse("member-create", args=[study.pk]), {"username": "nina", "role": "reviewer"})
    password = response.context["account"]["password"]
    assert f">{password}</code>" in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert User.objects.get(username="nina").check_password(password)
    assert _role(study, "nina") == Role.REVIEWER
    assert password not in client.get(reverse("members", args=[study.pk])).content.decode()


def test_members_see_each_other_but_no_forms(study: Study, annotator: User, admin: User, client_of: Any) -> None:
    address = reverse("members", args=[study.pk])
    page = client_of(annotator).get(address).content.decode()
    assert "ada" in page and reverse("member-remove", args=[study.pk]) not in page
    assert reverse("member-remove", args=[study.pk]) in client_of(admin).get(address).content.decode()


def test_names_are_shown_as_text(study: Study, admin: User, client_of: Any) -> None:
    user = User.objects.create(username="<b>mallory</b>")
    Membership.objects.create(study=study, user=user, role=Role.ANNOTATOR)
    page = client_of(admin).get(reverse("members", args=[study.pk])).content.decode()
    assert "<b>mallory" not in page and "&lt;b&gt;mallory" in page


def test_a_nul_in_a_name_is_no_server_error(study: Study, admin: User, client_of: Any) -> None:
    assert "no account named" in _post(client_of(admin), "member-add", study, username="a\x00b", role="annotator")


def test_the_command_adds_a_member_and_changes_a_role(
    study: Study, outsider: User, capsys: pytest.CaptureFixture[str]
) -> None:
    for role in ("annotator", "admin"):
        call_command("add_member", "otto", study=study.name, role=role)
        answer = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert answer == {"user": "otto", "study": study.name, "role": role}
        assert _role(study, "otto") == role


def test_the_command_makes_the_study_but_no_account(study: Study, annotator: User) -> None:
    with pytest.raises(CommandError, match="no account named 'nobody'"):
        call_command("add_member", "nobody", study="Elsewhere", role="annotator")
    assert (Study.objects.count(), User.objects.count()) == (1, 1)
    call_command("add_member", "anna", study="Elsewhere", role="annotator")
    assert _role(Study.objects.get(name="Elsewhere"), "anna") == Role.ANNOTATOR
