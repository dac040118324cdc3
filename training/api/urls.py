from django.urls import URLPattern, URLResolver, path

from training.api.rounds import RoundCancel, RoundDetail, StudyRounds

urlpatterns: list[URLPattern | URLResolver] = [
    path("studies/<int:study_id>/rounds/", StudyRounds.as_view(), name="api-rounds"),
    path("rounds/<int:round_id>/", RoundDetail.as_view(), name="api-round"),
    path("rounds/<int:round_id>/cancel/", RoundCancel.as_view(), name="api-round-cancel"),
]
