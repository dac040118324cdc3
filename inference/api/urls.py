from django.urls import URLPattern, URLResolver, path

from inference.api import gallery
from inference.api.case_report import ImageReport, PatientReport, SignedReport
from inference.api.cell_map import CellMap, CellMapColours, CellMapPoints, PickedCells
from inference.api.classification import StudyClassification
from inference.api.evidence import StudyEvidence
from inference.api.field_why import FieldWhy, FieldWhyCancel, FieldWhyMap
from inference.api.image_quality import QualityOfImage, QualityOfStudy
from inference.api.proposals import StudyProposals
from inference.api.validation import BundleValidations
from inference.api.why import Why, WhyChoices

urlpatterns: list[URLPattern | URLResolver] = [
    path("studies/<int:study_id>/proposals/", StudyProposals.as_view(), name="api-proposals"),
    path("studies/<int:study_id>/classification/", StudyClassification.as_view(), name="api-classification"),
    path(
        "studies/<int:study_id>/bundles/<str:bundle_id>/validations/",
        BundleValidations.as_view(),
        name="api-validations",
    ),
    path("studies/<int:study_id>/evidence/", StudyEvidence.as_view(), name="api-evidence"),
    path("studies/<int:study_id>/quality/", QualityOfStudy.as_view(), name="api-quality"),
    path("images/<int:image_id>/why/", FieldWhy.as_view(), name="api-field-why"),
    path("images/<int:image_id>/why/<int:job_id>/", FieldWhyMap.as_view(), name="api-field-why-map"),
    path("images/<int:image_id>/why/<int:job_id>/cancel/", FieldWhyCancel.as_view(), name="api-field-why-cancel"),
    path("images/<int:image_id>/quality/", QualityOfImage.as_view(), name="api-image-quality"),
    path("patients/<int:patient_id>/report/", PatientReport.as_view(), name="api-case-report"),
    path("images/<int:image_id>/report/", ImageReport.as_view(), name="api-image-report"),
    path("reports/<int:report_id>/", SignedReport.as_view(), name="api-report"),
    path("studies/<int:study_id>/gallery/order/", gallery.GalleryOrder.as_view(), name="api-gallery-order"),
    path("studies/<int:study_id>/gallery/cells/", gallery.GalleryCells.as_view(), name="api-gallery-cells"),
    path("studies/<int:study_id>/gallery/crops/", gallery.GalleryCrops.as_view(), name="api-gallery-crops"),
    path("studies/<int:study_id>/gallery/counts/", gallery.GalleryCounts.as_view(), name="api-gallery-counts"),
    path("studies/<int:study_id>/gallery/news/", gallery.GalleryNews.as_view(), name="api-gallery-news"),
    path("studies/<int:study_id>/gallery/labelled/", gallery.GalleryLabelled.as_view(), name="api-gallery-labelled"),
    path("studies/<int:study_id>/gallery/picked/", PickedCells.as_view(), name="api-picked-cells"),
    path("studies/<int:study_id>/map/", CellMap.as_view(), name="api-cell-map"),
    path("studies/<int:study_id>/map/<slug:name>/points/", CellMapPoints.as_view(), name="api-cell-map-points"),
    path("studies/<int:study_id>/map/<slug:name>/colours/", CellMapColours.as_view(), name="api-cell-map-colours"),
    path("studies/<int:study_id>/cells/<uuid:cell_id>/why/", Why.as_view(), name="api-why"),
    path("studies/<int:study_id>/cells/<uuid:cell_id>/why/choices/", WhyChoices.as_view(), name="api-why-choices"),
]
