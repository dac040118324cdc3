"""Who may see and sign case reports: the members of their study, as annotation/access.py has it."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404

from annotation.access import image_for, require
from annotation.models import Patient, Role, Study
from inference.case_report import Case, ReadingBlind, refuse_blind
from inference.models import CaseReport


def case_of_patient(user: Any, patient_id: int, role: Role = Role.ANNOTATOR) -> Case:
    """Raises Http404 or PermissionDenied."""
    visible = Patient.objects.filter(study__in=Study.objects.visible_to(user)).select_related("study")
    patient = visible.filter(pk=patient_id).first()
    if patient is None:
        raise Http404("There is no such patient.")
    require(user, patient.study, role)
    return Case(patient.study, patient=patient)


def case_of_image(user: Any, image_id: int, role: Role = Role.ANNOTATOR) -> Case:
    """Raises Http404 or PermissionDenied."""
    image = image_for(user, image_id, role)
    return Case(image.study, image=image)


def report_for(user: Any, report_id: int, role: Role = Role.ANNOTATOR) -> CaseReport:
    """A signed report. Raises Http404 or PermissionDenied."""
    visible = CaseReport.objects.filter(study__in=Study.objects.visible_to(user))
    related = ("study", "patient", "image__patient", "signed_by", "second_by", "withdrawn_by")
    report = visible.select_related(*related).filter(pk=report_id).first()
    if report is None:
        raise Http404("There is no such report.")
    require(user, report.study, role)
    try:
        refuse_blind(Case(report.study, report.patient, report.image), user.pk)
    except ReadingBlind as blind:
        raise PermissionDenied(str(blind)) from None
    return report
