from django.urls import URLPattern, URLResolver, path

from inference.views import image_quality, measures
from inference.views import adjudication, cell_map, classifying, gallery, proposing
from inference.views import case_report

urlpatterns: list[URLPattern | URLResolver] = [
    path("studies/<int:study_id>/propose/", proposing.propose, name="propose"),
    path("studies/<int:study_id>/quality/", image_quality.quality, name="quality"),
    path("studies/<int:study_id>/reports/", case_report.reports, name="reports"),
    path("patients/<int:patient_id>/report/", case_report.of_patient, name="case-report"),
    path("patients/<int:patient_id>/report.pdf", case_report.patient_pdf, name="case-report-pdf"),
    path("patients/<int:patient_id>/report/sign/", case_report.sign_patient, name="case-report-sign"),
    path("images/<int:image_id>/report/", case_report.of_image, name="image-report"),
    path("images/<int:image_id>/report.pdf", case_report.image_pdf, name="image-report-pdf"),
    path("images/<int:image_id>/report/sign/", case_report.sign_image, name="image-report-sign"),
    path("reports/<int:report_id>/", case_report.signed, name="report"),
    path("reports/<int:report_id>/report.pdf", case_report.signed_pdf, name="report-pdf"),
    path("reports/<int:report_id>/second/", case_report.second, name="report-second"),
    path("reports/<int:report_id>/withdraw/", case_report.withdraw_report, name="report-withdraw"),
    path("studies/<int:study_id>/propose/cancel/", proposing.cancel, name="propose-cancel"),
    path("studies/<int:study_id>/classify/", classifying.classify, name="classify"),
    path("studies/<int:study_id>/classify/cancel/", classifying.cancel, name="classify-cancel"),
    path("studies/<int:study_id>/classify/table.csv", classifying.table, name="classify-table"),
    path("studies/<int:study_id>/disagreements/", adjudication.adjudication, name="adjudication"),
    path("studies/<int:study_id>/second-look/", adjudication.second_look, name="second-look"),
    path("cells/<uuid:cell_id>/adjudicate/", adjudication.adjudicate, name="adjudicate"),
    path("studies/<int:study_id>/gallery/", gallery.gallery, name="gallery"),
    path("studies/<int:study_id>/map/", cell_map.cell_map, name="cell-map"),
    path("studies/<int:study_id>/cells/<uuid:cell_id>/crop/", gallery.crop, name="cell-crop"),
    path("studies/<int:study_id>/measures/", measures.measures, name="measures"),
    path("studies/<int:study_id>/measures/measuring/", measures.measuring, name="measuring"),
    path("studies/<int:study_id>/measures/patients.csv", measures.patients, name="measures-patients"),
]
