"""The case reports of a study: their list, a report as it is now, and what was signed of it."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Exists, OuterRef, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation.access import study_for
from annotation.blind_reading import hidden_cells
from annotation.models import Patient, Role, SmearImage
from annotation.views.study_page import study_context
from inference.case_access import case_of_image, case_of_patient, report_for
from inference.case_diagnosis import suspicion_of
from inference.case_report import Case, ReadingBlind, case_content
from inference.case_signing import (
    SigningRefused,
    may_sign,
    reports_of,
    seen_hash_of,
    sign,
    sign_second,
    signature_lines,
    withdraw,
)
from inference.diagnosis import DiagnosisProblem
from inference.diagnosis_jobs import AlreadyDiagnosing, ask, can_diagnose
from inference.models import CaseReport, DiagnosisJob, PatientDiagnosis
from inference.validation_jobs import on_patients_of
from training.study_decisions import decided_by

_CELLS = Count("images__cells", filter=Q(images__cells__status="confirmed", images__cells__ignored=False))


@never_cache
@require_safe
def reports(request: HttpRequest, study_id: int) -> HttpResponse:
    """The patients of a study, each with how much there is to count and whether a report of theirs is signed."""
    study = study_for(request.user, study_id)
    poor = SmearImage.objects.filter(patient=OuterRef("pk"), quality__verdict="bad")
    patients = list(study.patients.annotate(cells=_CELLS, has_poor=Exists(poor)))
    images = dict(Patient.objects.filter(study=study).order_by().values_list("pk").annotate(Count("images")))
    standing = {
        report.patient_id: report
        for report in CaseReport.objects.filter(study=study, withdrawn_at=None).select_related("signed_by")
    }
    hidden = study.patients.filter(images__cells__in=hidden_cells(int(request.user.pk or 0)))
    blind = set(hidden.order_by().values_list("pk", flat=True))
    suspected = {
        patient: suspicion_of(said, study)
        for patient, said in PatientDiagnosis.objects.filter(patient__study=study).values_list("patient", "said")
        if patient not in blind
    }
    rows = [
        (patient, images[patient.pk], standing.get(patient.pk), suspected.get(patient.pk, "")) for patient in patients
    ]
    alone = SmearImage.objects.filter(study=study, patient=None).count()
    DiagnosisJob.bury_dead()
    context = study_context(request, study, "reports") | {"rows": rows, "alone": alone}
    context |= {
        "job": DiagnosisJob.objects.filter(study=study).defer("log").first(),
        "judged": on_patients_of(study, request.user),
        "decisions": [decision.name for decision in decided_by(study)],
        "may_diagnose": bool(rows) and may_sign(context["role"]) and can_diagnose(study),
    }
    return render(request, "inference/case_reports.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def diagnose(request: HttpRequest, study_id: int) -> HttpResponse:
    """POST: have the bundles in use say what they suspect, of one patient or of all, for reviewers. GET: the line that
    says how far that is, for htmx."""
    if request.method == "POST":
        study = study_for(request.user, study_id, Role.REVIEWER)
        key = request.POST.get("patient", "")
        patient = get_object_or_404(study.patients, pk=int(key)) if key.isdecimal() else None
        try:
            ask(study, request.user, patient)
        except (AlreadyDiagnosing, DiagnosisProblem) as problem:
            messages.error(request, str(problem))
        return redirect("case-report", patient.pk) if patient else redirect("reports", study.pk)
    study = study_for(request.user, study_id)
    DiagnosisJob.bury_dead()
    job = DiagnosisJob.objects.filter(study=study).defer("log").first()
    response = render(request, "inference/_diagnosing.html", {"study": study, "job": job})
    if job is None or job.is_ended:
        # What was said stands on the page.
        response["HX-Refresh"] = "true"
    return response


@never_cache
@require_safe
def of_patient(request: HttpRequest, patient_id: int) -> HttpResponse:
    return _live(request, case_of_patient(request.user, patient_id))


@never_cache
@require_safe
def of_image(request: HttpRequest, image_id: int) -> HttpResponse:
    return _live(request, case_of_image(request.user, image_id))


@never_cache
@require_safe
def patient_pdf(request: HttpRequest, patient_id: int) -> HttpResponse:
    return _pdf(_content(case_of_patient(request.user, patient_id), request), None)


@never_cache
@require_safe
def image_pdf(request: HttpRequest, image_id: int) -> HttpResponse:
    return _pdf(_content(case_of_image(request.user, image_id), request), None)


@require_POST
def sign_patient(request: HttpRequest, patient_id: int) -> HttpResponse:
    return _sign(request, case_of_patient(request.user, patient_id, Role.REVIEWER))


@require_POST
def sign_image(request: HttpRequest, image_id: int) -> HttpResponse:
    return _sign(request, case_of_image(request.user, image_id, Role.REVIEWER))


@never_cache
@require_safe
def signed(request: HttpRequest, report_id: int) -> HttpResponse:
    """A report as it was signed."""
    report = report_for(request.user, report_id)
    case = Case(report.study, report.patient, report.image)
    context = _page(request, case) | {
        "report": report,
        "signatures": signature_lines(report),
        "content": report.read,
        "pdf_url": reverse("report-pdf", args=[report.pk]),
        "json_url": reverse("api-report", args=[report.pk]),
        "live_url": address_of(case),
        "may_second": report.second_at is None and report.signed_by_id != request.user.pk,
    }
    return render(request, "inference/case_report.html", context)


@never_cache
@require_safe
def signed_pdf(request: HttpRequest, report_id: int) -> HttpResponse:
    report = report_for(request.user, report_id)
    return _pdf(report.read, report)


@require_POST
def second(request: HttpRequest, report_id: int) -> HttpResponse:
    """A second signature under a report."""
    report = report_for(request.user, report_id, Role.REVIEWER)
    try:
        sign_second(report, request.user)
        messages.success(request, "You have signed the report as well.")
    except SigningRefused as refused:
        messages.error(request, str(refused))
    return redirect("report", report.pk)


@require_POST
def withdraw_report(request: HttpRequest, report_id: int) -> HttpResponse:
    """It stays readable, with the reason."""
    report = report_for(request.user, report_id, Role.REVIEWER)
    try:
        withdraw(report, request.user, request.POST.get("reason", ""))
        messages.success(request, "The report is withdrawn.")
    except SigningRefused as refused:
        messages.error(request, str(refused))
    return redirect("report", report.pk)


def address_of(case: Case) -> str:
    """Of the report as it is now."""
    if case.patient:
        return reverse("case-report", args=[case.patient.pk])
    return reverse("image-report", args=[case.image.pk if case.image else 0])


def _content(case: Case, request: HttpRequest) -> dict[str, Any]:
    try:
        return case_content(case, request.user.pk)
    except ReadingBlind as blind:
        raise PermissionDenied(str(blind)) from None


def _page(request: HttpRequest, case: Case) -> dict[str, Any]:
    context = study_context(request, case.study, "reports")
    return context | {"case": case, "history": reports_of(case), "may_sign": may_sign(context["role"])}


def _live(request: HttpRequest, case: Case) -> HttpResponse:
    content = _content(case, request)
    page = _page(request, case)
    standing = next((report for report in page["history"] if report.withdrawn_at is None), None)
    kind, key = ("case", case.patient.pk) if case.patient else ("image", case.image.pk if case.image else 0)
    seen_hash = seen_hash_of(content)
    context = page | {
        "content": content,
        "seen_hash": seen_hash,
        "diagnoses": content["diagnosis"],
        "job": DiagnosisJob.objects.filter(study=case.study).defer("log").first(),
        "may_diagnose": case.patient is not None and page["may_sign"] and can_diagnose(case.study),
        "standing": standing,
        "has_changed": standing is not None and seen_hash_of(standing.read) != seen_hash,
        "pdf_url": reverse(f"{kind}-report-pdf", args=[key]),
        "json_url": reverse(f"api-{kind}-report", args=[key]),
        "sign_url": reverse(f"{kind}-report-sign", args=[key]),
    }
    return render(request, "inference/case_report.html", context)


def _sign(request: HttpRequest, case: Case) -> HttpResponse:
    try:
        report = sign(case, request.user, request.POST.get("hash", ""))
    except (SigningRefused, ReadingBlind) as refused:
        messages.error(request, str(refused))
        return redirect(address_of(case))
    messages.success(request, "The report is signed: it stays as it is now.")
    return redirect("report", report.pk)


def _pdf(content: dict[str, Any], report: CaseReport | None) -> HttpResponse:
    # Imported here: what sets type is no concern of the other pages.
    from inference.case_report_pdf import Signatures, case_report_pdf

    signatures = Signatures()
    if report is not None:
        signatures = Signatures(signature_lines(report), report.content_hash, report.withdrawn_at is not None)
    pdf = case_report_pdf(content, signatures)
    response = HttpResponse(pdf, content_type="application/pdf")
    number = f"-{report.pk}" if report else "-draft"
    response["Content-Disposition"] = f'inline; filename="case-report{number}.pdf"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
