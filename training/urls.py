from django.urls import URLPattern, URLResolver, path

from training.views import bundles, decisions, diagnoses, effort, past, rounds, scores, search

urlpatterns: list[URLPattern | URLResolver] = [
    path("studies/<int:study_id>/rounds/", rounds.rounds, name="rounds"),
    path("studies/<int:study_id>/decisions/", decisions.decisions, name="study-decisions"),
    path("studies/<int:study_id>/diagnoses/", diagnoses.diagnoses, name="study-diagnoses"),
    path("studies/<int:study_id>/effort/", effort.effort, name="effort"),
    path("studies/<int:study_id>/effort/statement/", effort.effort_statement, name="effort-statement"),
    path("studies/<int:study_id>/effort/table.csv", effort.effort_table, name="effort-table"),
    path("rounds/<int:round_id>/", rounds.round_detail, name="round"),
    path("rounds/<int:round_id>/borders/", past.round_borders, name="round-borders"),
    path("images/<int:image_id>/past/", past.image_past, name="image-past"),
    path("rounds/<int:round_id>/scores/", scores.round_scores, name="round-scores"),
    path("rounds/<int:round_id>/search/", search.search, name="round-search"),
    path("rounds/<int:round_id>/cancel/", rounds.cancel, name="round-cancel"),
    path("rounds/<int:round_id>/resume/", rounds.resume, name="round-resume"),
    path("rounds/<int:round_id>/promote/", rounds.promote, name="round-promote"),
    path("studies/<int:study_id>/bundles/", bundles.bundles, name="bundles"),
    path("studies/<int:study_id>/bundles/<str:bundle_id>/promote/", bundles.promote, name="bundle-promote"),
]
