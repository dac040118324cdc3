from django.urls import URLPattern, URLResolver, path

from inference.views import image_quality, measures
from inference.views import adjudication, cell_map, classifying, gallery, proposing

urlpatterns: list[URLPattern | URLResolver] = [
    path("studies/<int:study_id>/propose/", proposing.propose, name="propose"),
    path("studies/<int:study_id>/quality/", image_quality.quality, name="quality"),
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
