from django.urls import URLPattern, URLResolver, path

from inference.views import proposing

urlpatterns: list[URLPattern | URLResolver] = [
    path("studies/<int:study_id>/propose/", proposing.propose, name="propose"),
    path("studies/<int:study_id>/propose/cancel/", proposing.cancel, name="propose-cancel"),
]
