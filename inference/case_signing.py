"""Signing a case report: who may, when, and what it freezes; a second signature; withdrawing with a reason."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from annotation.models import Role, SmearImage
from inference.case_report import Case, case_content, core_of
from inference.models import CaseReport

MOST_REASON = 2_000


class SigningRefused(Exception):
    """What cannot be signed or withdrawn so; the message says why in one sentence."""


def reports_of(case: Case) -> "list[CaseReport]":
    """All that were signed of a case, the newest first, with who did it. One query."""
    own = {"patient": case.patient} if case.patient else {"image": case.image}
    rows = CaseReport.objects.filter(study=case.study, **own)
    return list(rows.select_related("signed_by", "second_by", "withdrawn_by"))


def standing_of(case: Case) -> CaseReport | None:
    """The report that is signed and not withdrawn."""
    return next((report for report in reports_of(case) if report.withdrawn_at is None), None)


def seen_hash_of(content: dict[str, Any]) -> str:
    """By which a report is recognised as the one that somebody read."""
    return CaseReport.hash_of(CaseReport.canonical(core_of(content)))


@transaction.atomic
def sign(case: Case, user: Any, seen_hash: str) -> CaseReport:
    """Freeze the report as it is. `seen_hash`: seen_hash_of the content that the person had before their eyes.

    Raises SigningRefused while something is open, where one stands signed, or where the report has changed since it
    was read; ReadingBlind as case_content does.
    """
    # Changes of cells hold the lock on their image: what is signed is one still moment.
    list(
        SmearImage.objects.select_for_update(no_key=True)
        .filter(pk__in=[image.pk for image in case.images])
        .order_by("pk")
        .values_list("pk")
    )
    content = case_content(case, user.pk)
    open_ = content["review"]["open"]
    if open_:
        raise SigningRefused(f"The report cannot be signed: {' '.join(open_)}")
    if seen_hash_of(content) != seen_hash:
        raise SigningRefused("The report has changed since you opened it. Read it again, then sign.")
    text = CaseReport.canonical(content)
    try:
        with transaction.atomic():
            return CaseReport.objects.create(
                study=case.study,
                patient=case.patient,
                image=None if case.patient else case.image,
                content=text,
                content_hash=CaseReport.hash_of(text),
                signed_by=user,
            )
    except IntegrityError:
        raise SigningRefused("A signed report stands already. Withdraw it before you sign another one.") from None


def sign_second(report: CaseReport, user: Any) -> None:
    """A second person stands for it too. Raises SigningRefused."""
    if report.signed_by_id == user.pk:
        raise SigningRefused("You have signed it yourself; the second signature is another person's.")
    standing = CaseReport.objects.filter(pk=report.pk, withdrawn_at=None, second_at=None)
    if not standing.update(second_by=user, second_at=timezone.now()):
        raise SigningRefused("The report is withdrawn, or has its second signature already.")


def withdraw(report: CaseReport, user: Any, reason: str) -> None:
    """It stays readable, marked as withdrawn; another one may be signed. Raises SigningRefused."""
    reason = reason.strip()
    if not reason:
        raise SigningRefused("Say why the report is withdrawn.")
    if len(reason) > MOST_REASON:
        raise SigningRefused(f"A reason has {MOST_REASON:,} characters at most.")
    standing = CaseReport.objects.filter(pk=report.pk, withdrawn_at=None)
    if not standing.update(withdrawn_by=user, withdrawn_at=timezone.now(), withdrawn_reason=reason):
        raise SigningRefused("The report is withdrawn already.")


def signature_lines(report: CaseReport) -> list[str]:
    """Who stands for a report and since when, and why it was withdrawn, as people read it."""

    def who(user: Any, at: Any) -> str:
        return f"{user.get_username()}, {timezone.localtime(at):%Y-%m-%d %H:%M} {timezone.localtime(at):%Z}"

    lines = [f"Signed by {who(report.signed_by, report.signed_at)}."]
    if report.second_by and report.second_at:
        lines.append(f"Second signature: {who(report.second_by, report.second_at)}.")
    if report.withdrawn_by and report.withdrawn_at:
        lines.append(f"WITHDRAWN by {who(report.withdrawn_by, report.withdrawn_at)}: {report.withdrawn_reason}")
    if not report.is_intact:
        lines.append("What is stored is not what was signed: its hash differs. Do not rely on this report.")
    return lines


def may_sign(role: Role | None) -> bool:
    return role is not None and role.includes(Role.REVIEWER)
