from django.urls import URLPattern, URLResolver, path

import annotation.api.schema  # noqa: F401 (registers itself)
from annotation.api import (
    assignment,
    cell_history,
    cell_measures,
    comments,
    images,
    jump,
    keys,
    operations,
    presence,
    studies,
    upload,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("studies/", studies.StudyList.as_view(), name="api-studies"),
    path("studies/<int:study_id>/", studies.StudyDetail.as_view(), name="api-study"),
    path("studies/<int:study_id>/next-order/", studies.NextOrder.as_view(), name="api-next-order"),
    path("studies/<int:study_id>/images/", upload.StudyImages.as_view(), name="api-study-images"),
    path("images/<int:image_id>/", images.ImageDetail.as_view(), name="api-image"),
    path("images/<int:image_id>/jump/", jump.ImageJump.as_view(), name="api-jump"),
    path("images/<int:image_id>/operations/", operations.ImageOperations.as_view(), name="api-operations"),
    path("images/<int:image_id>/state/", images.ImageState.as_view(), name="api-image-state"),
    path("images/<int:image_id>/presence/", presence.ImagePresence.as_view(), name="api-presence"),
    path("images/<int:image_id>/deleted/", cell_history.DeletedCells.as_view(), name="api-deleted-cells"),
    path("cells/<uuid:cell_id>/history/", cell_history.CellHistory.as_view(), name="api-cell-history"),
    path("cells/<uuid:cell_id>/measures/", cell_measures.CellMeasured.as_view(), name="api-cell-measures"),
    path("me/keys/", keys.MyKeys.as_view(), name="api-keys"),
    path("images/<int:image_id>/comments/", comments.ImageComments.as_view(), name="api-comments"),
    path("comments/<uuid:comment_id>/resolve/", comments.CommentResolution.as_view(), name="api-comment-resolve"),
    path("images/<int:image_id>/assign/", assignment.ImageAssignment.as_view(), name="api-assign"),
]
