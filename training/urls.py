from django.urls import URLPattern, URLResolver, path

from training.views import rounds

urlpatterns: list[URLPattern | URLResolver] = [
    path("studies/<int:study_id>/rounds/", rounds.rounds, name="rounds"),
    path("rounds/<int:round_id>/", rounds.round_detail, name="round"),
    path("rounds/<int:round_id>/cancel/", rounds.cancel, name="round-cancel"),
    path("rounds/<int:round_id>/promote/", rounds.promote, name="round-promote"),
]
