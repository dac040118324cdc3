from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

handler500 = "annotation.api.errors.server_error"

urlpatterns = [
    path("", include("annotation.urls")),
    path("", include("training.urls")),
    path("", include("inference.urls")),
    path("api/v1/", include("annotation.api.urls")),
    path("api/v1/", include("training.api.urls")),
    path("api/v1/", include("inference.api.urls")),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="api-schema"),
]
