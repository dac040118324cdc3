"""The case report: it follows corrections until it is signed, and then stays; who may do what; the PDF."""

import base64
import re
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.db.utils import ProgrammingError
from django.test import Client
from django.urls import reverse

from annotation.models import (
    Cell,
    CellLabel,
    CellReading,
    ImageQuality,
    LabelGroup,
    Patient,
    Reader,
    Reading,
    SmearImage,
    Study,
)
from inference.case_report import Case, case_content
from inference.models import CaseReport

pytestmark = pytest.mark.django_db
RED, BLUE = (170, 60, 80), (70, 60, 170)


@pytest.fixture
def case(
    study: Study, make_field: Callable[..., list[Cell]], cell_type: LabelGroup, label_cell: Any, annotator: User
) -> Case:
    """A patient with two reviewed fields: 6 promyelocytes, 2 myeloblasts."""
    for colours in ((RED, RED, RED, BLUE), (RED, RED, RED, BLUE)):
        for cell, colour in zip(make_field(study, "P-7", colours, state="reviewed"), colours, strict=True):
            label_cell(cell, "Promyelocyte" if colour == RED else "Myeloblast", annotator)
    return Case(study, patient=Patient.objects.get(code="P-7"))


def counts(content: dict[str, Any]) -> dict[str, int]:
    return {row["name"]: row["cells"] for row in content["differential"]["rows"]}


def some_cell(name: str) -> Cell:
    return Cell.objects.filter(labels__label__name=name).order_by("pk")[0]


def relabel(cell: Cell, name: str, annotator: User) -> None:
    CellLabel.objects.filter(cell=cell).delete()
    label = LabelGroup.objects.get(study=cell.image.study).labels.get(name=name)
    CellLabel.objects.create(cell=cell, label=label, annotator=annotator)


def page_of(client: Client, case: Case) -> str:
    return client.get(reverse("case-report", args=[case.patient.pk])).content.decode()  # type: ignore[union-attr]


def hash_in(page: str) -> str:
    found = re.search(r'name="hash" value="([0-9a-f]{64})"', page)
    assert found, "no button to sign with"
    return found[1]


def signed(case: Case, user: User, client_of: Any) -> CaseReport:
    client = client_of(user)
    address = reverse("case-report-sign", args=[case.patient.pk])  # type: ignore[union-attr]
    client.post(address, {"hash": hash_in(page_of(client, case))})
    return CaseReport.objects.order_by("-pk")[0]


def texts_of(pdf: bytes) -> list[str]:
    """The text of each page, read from its content stream: ASCII85 around deflate, as ReportLab writes it."""
    pages = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    texts = []
    for stream in pages:
        data = stream.strip()
        if data.endswith(b"~>"):
            try:
                text = zlib.decompress(base64.a85decode(data[:-2])).decode("latin-1")
            except zlib.error:
                continue  # a picture
            if " Tj" in text:
                texts.append(" ".join(re.findall(r"\((.*?)\) Tj", text)))
    return texts


# --- what stands on it ---


def test_the_report_counts_and_follows_a_corrected_label(case: Case, annotator: User):
    before = case_content(case)
    assert counts(before) == {"Promyelocyte": 6, "Myeloblast": 2, "Lymphocyte": 0}
    assert before["counter"] == {"goal": 500, "counted": 8, "left": 492}
    assert before["review"]["open"] == []
    assert before["notice"] == "For research only, not a medical device."
    assert before["diagnosis"]["reason"].startswith("No diagnostic bundle is in use")
    relabel(some_cell("Promyelocyte"), "Lymphocyte", annotator)
    assert counts(case_content(case)) == {"Promyelocyte": 5, "Myeloblast": 2, "Lymphocyte": 1}
    assert [image["counted"] for image in before["images"]] == [4, 4]
    assert before["images"][0]["counts"] == {"Promyelocyte": 3, "Myeloblast": 1}


def test_cells_of_the_roles_that_decide_are_shown(case: Case):
    shown = case_content(case)["cells"]
    assert [each["role"] for each in shown].count("promyelocyte") == 6
    assert shown[0]["of"] == 6 and len(shown[0]["square"]) == 3


def test_images_that_nobody_annotated_and_cells_picked_for_their_kind_are_left_out_and_said(
    case: Case, study: Study, make_field: Callable[..., list[Cell]], make_image: Any
):
    make_field(study, "P-7", (RED,), sample="extra")
    make_image(study, patient=case.patient, seed=5)
    content = case_content(case)
    assert content["counter"]["counted"] == 8
    assert [image["left_out"] for image in content["images"][2:]] == [
        "Picked for its cells: it would bias the shares.",
        "Nobody has annotated it.",
    ]


def test_what_keeps_it_from_being_signed_is_said(
    case: Case, study: Study, make_field: Callable[..., list[Cell]], cell_type: LabelGroup, annotator: User
):
    cell_type.labels.create(name="Unidentified", counted=False, order=8)
    relabel(some_cell("Myeloblast"), "Unidentified", annotator)
    CellLabel.objects.filter(cell=some_cell("Promyelocyte")).delete()
    make_field(study, "P-7", (RED, RED))
    assert case_content(case)["review"]["open"] == [
        "2 cells are not reviewed yet.",
        "3 cells have no cell type.",
        "1 cell is unidentified.",
    ]
    assert case_content(Case(study, patient=Patient.arrive(study, "P-8")))["review"]["open"] == [
        "No cell is counted yet."
    ]


def test_a_single_cell_picture_is_reviewed_when_a_person_has_labelled_it(
    study: Study, make_field: Callable[..., list[Cell]], cell_type: LabelGroup, label_cell: Any, annotator: User
):
    (cell,) = make_field(study, "P-9", (RED,), state="new", single_cell=True)
    label_cell(cell, "Promyelocyte")
    case = Case(study, patient=Patient.objects.get(code="P-9"))
    assert case_content(case)["review"]["open"] == ["1 cell is not reviewed yet."]
    relabel(cell, "Myeloblast", annotator)
    assert case_content(case)["review"]["open"] == []


def test_poor_images_are_said(case: Case, annotator: User, client_of: Any):
    ImageQuality.objects.create(
        image=case.images[0], method="quality/1", revision=0, verdict="bad", reason="The image is out of focus."
    )
    first = case_content(case)["images"][0]
    assert first["quality"] == {"verdict": "bad", "reason": "The image is out of focus."} and first["outside"] == 0
    # Cells lie at 20, 50, 80 and 110 px of the row.
    ImageQuality.objects.update(tiles=[[0, 0, 65, 40, "optimal"], [65, 0, 65, 40, "blurred"]])
    content = case_content(case)
    assert content["images"][0]["outside"] == 2
    assert content["warnings"] == [
        "1 of 2 images counted on is poor.",
        "2 cells lie where an image is not good to count on.",
    ]
    page = page_of(client_of(annotator), case)
    assert "The image is out of focus." in page
    assert "2 of its cells lie where it is too dense, too thin or out of focus." in page


def test_who_reads_blind_sees_no_report_yet(case: Case, study: Study, annotator: User, reviewer: User, client_of: Any):
    reading = Reading.objects.create(study=study, name="R", asked_by=reviewer)
    part = Reader.objects.create(reading=reading, user=annotator)
    CellReading.objects.create(reader=part, cell=some_cell("Promyelocyte"), place=0)
    report = signed(case, reviewer, client_of)
    for address in (
        reverse("case-report", args=[case.patient.pk]),  # type: ignore[union-attr]
        reverse("api-case-report", args=[case.patient.pk]),  # type: ignore[union-attr]
        reverse("report", args=[report.pk]),
    ):
        assert client_of(annotator).get(address).status_code == 403
        assert client_of(reviewer).get(address).status_code == 200


# --- signing ---


def test_a_signed_report_does_not_follow(case: Case, annotator: User, reviewer: User, client_of: Any):
    report = signed(case, reviewer, client_of)
    assert report.is_intact and report.signed_by == reviewer
    relabel(some_cell("Promyelocyte"), "Lymphocyte", annotator)
    report.refresh_from_db()
    assert counts(report.read) == {"Promyelocyte": 6, "Myeloblast": 2, "Lymphocyte": 0}
    page = client_of(annotator).get(reverse("report", args=[report.pk])).content.decode()
    assert "Signed by rita" in page and report.content_hash in page
    told = client_of(annotator).get(reverse("api-report", args=[report.pk])).json()
    assert counts(told["content"])["Promyelocyte"] == 6 and told["is_intact"]
    assert "has changed since" in page_of(client_of(annotator), case)


def test_the_database_changes_nothing_that_was_signed(case: Case, reviewer: User, client_of: Any):
    report = signed(case, reviewer, client_of)
    with pytest.raises(ProgrammingError, match="Cannot update"), transaction.atomic():
        CaseReport.objects.filter(pk=report.pk).update(content="{}")
    with pytest.raises(ProgrammingError, match="Cannot delete"), transaction.atomic():
        report.delete()
    report.content = report.content.replace("P-7", "P-8")
    assert not report.is_intact


def test_what_is_open_cannot_be_signed(case: Case, reviewer: User, client_of: Any):
    client = client_of(reviewer)
    seen = hash_in(page_of(client, case))
    SmearImage.objects.filter(pk=case.images[0].pk).update(state="annotated")
    page = page_of(client, case)
    assert "Not ready to be signed" in page and "4 cells are not reviewed yet." in page
    answer = client.post(reverse("case-report-sign", args=[case.patient.pk]), {"hash": seen}, follow=True)  # type: ignore[union-attr]
    assert "cannot be signed" in answer.content.decode()
    assert not CaseReport.objects.exists()


def test_what_changed_since_it_was_read_is_not_signed(case: Case, annotator: User, reviewer: User, client_of: Any):
    client = client_of(reviewer)
    seen = hash_in(page_of(client, case))
    relabel(some_cell("Promyelocyte"), "Lymphocyte", annotator)
    answer = client.post(reverse("case-report-sign", args=[case.patient.pk]), {"hash": seen}, follow=True)  # type: ignore[union-attr]
    assert "has changed since you opened it" in answer.content.decode()
    assert not CaseReport.objects.exists()


def test_a_second_signature_is_another_persons(case: Case, reviewer: User, admin: User, client_of: Any):
    report = signed(case, reviewer, client_of)
    address = reverse("report-second", args=[report.pk])
    assert "another person" in client_of(reviewer).post(address, follow=True).content.decode()
    client_of(admin).post(address)
    report.refresh_from_db()
    assert report.second_by == admin
    assert "second signature already" in client_of(admin).post(address, follow=True).content.decode()


def test_a_report_is_withdrawn_with_a_reason_and_another_one_signed(
    case: Case, reviewer: User, admin: User, client_of: Any
):
    first = signed(case, reviewer, client_of)
    page = page_of(client_of(reviewer), case)
    assert 'name="hash"' not in page, "one stands"
    address = reverse("report-withdraw", args=[first.pk])
    assert "Say why" in client_of(admin).post(address, {"reason": " "}, follow=True).content.decode()
    client_of(admin).post(address, {"reason": "The wrong slide."})
    first.refresh_from_db()
    assert first.withdrawn_by == admin and first.is_intact
    assert "withdrawn already" in client_of(admin).post(address, {"reason": "x"}, follow=True).content.decode()
    again = signed(case, reviewer, client_of)
    assert again.pk != first.pk
    page = page_of(client_of(reviewer), case)
    assert "The wrong slide." in page
    assert "WITHDRAWN by ada" in client_of(reviewer).get(reverse("report", args=[first.pk])).content.decode()


def test_an_image_without_a_patient_has_a_report_of_its_own(
    study: Study, make_field: Callable[..., list[Cell]], cell_type: LabelGroup, label_cell: Any, reviewer: User,
    annotator: User, client_of: Any,
):  # fmt: skip
    (cell,) = make_field(study, "P-1", (RED,), state="reviewed")
    SmearImage.objects.filter(pk=cell.image_id).update(patient=None)
    label_cell(cell, "Promyelocyte", annotator)
    client = client_of(reviewer)
    page = client.get(reverse("image-report", args=[cell.image_id])).content.decode()
    client.post(reverse("image-report-sign", args=[cell.image_id]), {"hash": hash_in(page)})
    assert CaseReport.objects.get().image_id == cell.image_id
    assert client.get(reverse("image-report-pdf", args=[cell.image_id])).content.startswith(b"%PDF")
    assert client.get(reverse("api-image-report", args=[cell.image_id])).json()["counter"]["counted"] == 1


# --- the PDF ---


def test_the_pdf_opens_has_its_pages_and_says_what_it_is_not(
    case: Case, study: Study, make_image: Any, reviewer: User, client_of: Any
):
    for seed in range(40):
        make_image(study, patient=case.patient, seed=100 + seed, name=f"höhe <{seed}> 中.png")
    draft = client_of(reviewer).get(reverse("case-report-pdf", args=[case.patient.pk]))  # type: ignore[union-attr]
    assert draft["Content-Type"] == "application/pdf"
    pdf = draft.content
    assert pdf.startswith(b"%PDF-") and pdf.rstrip().endswith(b"%%EOF")
    pages = re.findall(rb"/Type /Page\b(?!s)", pdf)
    texts = texts_of(pdf)
    assert len(pages) == len(texts) >= 2
    for number, text in enumerate(texts, start=1):
        assert "For research only, not a medical device." in text
        assert f"Page {number}" in text and "DRAFT" in text
    assert "Promyelocyte" in " ".join(texts)
    assert b"/Subtype /Image" in pdf, "cells are shown"


def test_the_pdf_of_a_signed_report_names_who_signed(case: Case, annotator: User, reviewer: User, client_of: Any):
    report = signed(case, reviewer, client_of)
    relabel(some_cell("Promyelocyte"), "Lymphocyte", annotator)
    texts = texts_of(client_of(reviewer).get(reverse("report-pdf", args=[report.pk])).content)
    assert "Signed by rita" in texts[0] and report.content_hash[:16] in texts[0]
    assert "DRAFT" not in " ".join(texts)


# --- who may ---


def test_members_read_and_reviewers_sign(
    case: Case, study: Study, annotator: User, reviewer: User, outsider: User, client_of: Any
):
    seen = hash_in(page_of(client_of(reviewer), case))
    report = signed(case, reviewer, client_of)
    image = case.images[0].pk
    patient = case.patient.pk  # type: ignore[union-attr]
    to_read = [
        reverse("reports", args=[study.pk]),
        *(reverse(name, args=[patient]) for name in ("case-report", "case-report-pdf", "api-case-report")),
        *(reverse(name, args=[image]) for name in ("image-report", "image-report-pdf", "api-image-report")),
        *(reverse(name, args=[report.pk]) for name in ("report", "report-pdf", "api-report")),
    ]
    for address in to_read:
        assert client_of(outsider).get(address).status_code == 404, address
        assert Client().get(address).status_code in (302, 401, 403), address
        assert client_of(annotator).get(address).status_code == 200, address
    to_do = [
        (reverse("case-report-sign", args=[patient]), {"hash": seen}),
        (reverse("image-report-sign", args=[image]), {"hash": seen}),
        (reverse("report-second", args=[report.pk]), {}),
        (reverse("report-withdraw", args=[report.pk]), {"reason": "x"}),
    ]
    for address, data in to_do:
        assert client_of(outsider).post(address, data).status_code == 404, address
        assert client_of(annotator).post(address, data).status_code == 403, address
        assert Client().post(address, data).status_code == 302, address
        assert client_of(reviewer).get(address).status_code == 405, address
    assert CaseReport.objects.count() == 1
    report.refresh_from_db()
    assert report.withdrawn_at is None and report.second_at is None
    assert "Sign the report" not in page_of(client_of(annotator), case)
    assert "Signed by rita" in client_of(annotator).get(reverse("reports", args=[study.pk])).content.decode()
