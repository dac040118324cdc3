from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from annotation.access import study_for
from annotation.members import MemberError, add_member, change_role, create_account, parse_role, remove_member
from annotation.models import Role, Study
from annotation.views.study_page import study_context


@require_safe
def members(request: HttpRequest, study_id: int) -> HttpResponse:
    """The people of a study: all members see them, its admins change them."""
    return _page(request, study_for(request.user, study_id))


@require_POST
def member_add(request: HttpRequest, study_id: int) -> HttpResponse:
    study = study_for(request.user, study_id, Role.ADMIN)
    try:
        membership = add_member(study, _username(request), parse_role(request.POST.get("role", "")))
    except MemberError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{membership.user} is now a member.")
    return redirect("members", study.pk)


@require_POST
def member_role(request: HttpRequest, study_id: int) -> HttpResponse:
    study = study_for(request.user, study_id, Role.ADMIN)
    try:
        membership = change_role(study, _username(request), parse_role(request.POST.get("role", "")))
    except MemberError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{membership.user} is now {Role(membership.role).label.lower()}.")
    return redirect("members", study.pk)


@require_POST
def member_remove(request: HttpRequest, study_id: int) -> HttpResponse:
    study = study_for(request.user, study_id, Role.ADMIN)
    username = _username(request)
    try:
        remove_member(study, username)
    except MemberError as error:
        messages.error(request, str(error))
        return redirect("members", study.pk)
    messages.success(request, f"{username} is no longer a member. What they annotated stays.")
    if study.role_of(request.user) is None:
        return redirect("studies")
    return redirect("members", study.pk)


@require_POST
@never_cache
@sensitive_variables("password")
def member_create(request: HttpRequest, study_id: int) -> HttpResponse:
    """Make an account and add it. Its password is in this answer and nowhere else, so there is no redirect."""
    study = study_for(request.user, study_id, Role.ADMIN)
    if not request.user.is_superuser:
        raise PermissionDenied("Only an administrator of this server makes accounts.")
    try:
        role = parse_role(request.POST.get("role", ""))
        user, password = create_account(_username(request))
        add_member(study, user.username, role)
    except MemberError as error:
        messages.error(request, str(error))
        return redirect("members", study.pk)
    return _page(request, study, account={"username": user.username, "password": password})


def _username(request: HttpRequest) -> str:
    # PostgreSQL stores no NUL, so no account has one in its name.
    return request.POST.get("username", "").replace("\x00", "").strip()


def _page(request: HttpRequest, study: Study, account: dict[str, str] | None = None) -> HttpResponse:
    order = [role.value for role in reversed(Role)]
    memberships = sorted(
        study.memberships.select_related("user"), key=lambda each: (order.index(each.role), each.user.username)
    )
    context = study_context(request, study, "members") | {
        "memberships": memberships,
        "roles": Role.choices,
        "account": account,
    }
    return render(request, "annotation/members.html", context)
