from django.urls import URLPattern, URLResolver, path

from training.api.bundles import BundlePromote, StudyBundles
from training.api.decisions import StudyDecisions
from training.api.diagnoses import DiagnosisDetail, StudyDiagnoses
from training.api.effort import StudyEffort
from training.api.rounds import RoundCancel, RoundDetail, RoundResume, StudyRounds
from training.api.search import RoundSearch

urlpatterns: list[URLPattern | URLResolver] = [
    path("studies/<int:study_id>/effort/", StudyEffort.as_view(), name="api-effort"),
    path("studies/<int:study_id>/decisions/", StudyDecisions.as_view(), name="api-decisions"),
    path("studies/<int:study_id>/diagnoses/", StudyDiagnoses.as_view(), name="api-diagnoses"),
    path("studies/<int:study_id>/diagnoses/<str:key>/", DiagnosisDetail.as_view(), name="api-diagnosis"),
    path("studies/<int:study_id>/rounds/", StudyRounds.as_view(), name="api-rounds"),
    path("rounds/<int:round_id>/", RoundDetail.as_view(), name="api-round"),
    path("rounds/<int:round_id>/search/", RoundSearch.as_view(), name="api-round-search"),
    path("rounds/<int:round_id>/cancel/", RoundCancel.as_view(), name="api-round-cancel"),
    path("rounds/<int:round_id>/resume/", RoundResume.as_view(), name="api-round-resume"),
    path("studies/<int:study_id>/bundles/", StudyBundles.as_view(), name="api-bundles"),
    path("studies/<int:study_id>/bundles/<str:bundle_id>/promote/", BundlePromote.as_view(), name="api-bundle-promote"),
]
