from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, path

from annotation.views import (
    account,
    assignment,
    editor,
    image_order,
    images,
    members,
    scheme,
    studies,
    upload,
    worklist,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", studies.studies, name="studies"),
    path("sign-in/", account.SignIn.as_view(), name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("password/", account.PasswordChange.as_view(), name="password-change"),
    path("studies/<int:study_id>/", worklist.study, name="study"),
    path("studies/<int:study_id>/next/", assignment.next_image, name="study-next"),
    path("studies/<int:study_id>/order/", image_order.next_order, name="study-order"),
    path("studies/<int:study_id>/assign/", assignment.assign_images, name="study-assign"),
    path("studies/<int:study_id>/upload/", upload.upload, name="upload"),
    path("studies/<int:study_id>/labels/", scheme.scheme, name="scheme"),
    path("studies/<int:study_id>/members/", members.members, name="members"),
    path("studies/<int:study_id>/members/add/", members.member_add, name="member-add"),
    path("studies/<int:study_id>/members/role/", members.member_role, name="member-role"),
    path("studies/<int:study_id>/members/remove/", members.member_remove, name="member-remove"),
    path("studies/<int:study_id>/members/create/", members.member_create, name="member-create"),
    path("images/<int:image_id>/", editor.image, name="image"),
    path("images/<int:image_id>/assign/", assignment.assign_image, name="image-assign"),
    path("images/<int:image_id>/pixels/", images.pixels, name="image-pixels"),
    path("images/<int:image_id>/thumbnail/", images.thumbnail, name="image-thumbnail"),
]
