from django.urls import URLPattern, URLResolver, path

from inference.api.proposals import StudyProposals

urlpatterns: list[URLPattern | URLResolver] = [
    path("studies/<int:study_id>/proposals/", StudyProposals.as_view(), name="api-proposals"),
]
