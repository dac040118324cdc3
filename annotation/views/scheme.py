"""The page of a study's label scheme: what its labels mean, and for admins a table to change them."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotation.access import study_for
from annotation.contradictions import contradictions
from annotation.label_roles import CellRole, guessed_role
from annotation.models import Role, Study
from annotation.scheme_draft import KEYS, Draft, GroupEdit, LabelEdit, SchemeError
from annotation.views.study_page import study_context


@never_cache
@require_http_methods(["GET", "POST"])
def scheme(request: HttpRequest, study_id: int) -> HttpResponse:
    """The scheme: all members read it. Its admins send the whole table with each button, so that no button loses what
    was typed beside it; what cannot be kept comes back as it was typed, with the reasons."""
    if request.method != "POST":
        study = study_for(request.user, study_id)
        return _page(request, study, Draft(study))
    study = study_for(request.user, study_id, Role.ADMIN)
    with transaction.atomic():
        # The study's row is locked: two admins who save at once save one after the other.
        study = Study.objects.select_for_update().get(pk=study.pk)
        draft, edits = Draft(study), _edits(request.POST)
        overtaken = request.POST.get("seen") != draft.fingerprint
        try:
            draft.take(edits)
            if name := request.POST.get("new-group", "").strip():
                draft.add_group(name, request.POST.get("new-group-multiple") == "many")
            if overtaken:
                raise SchemeError(
                    "Somebody else has changed this scheme since you opened it. Save again to keep what you see, or "
                    "open the page anew to see theirs."
                )
            said = _act(draft, request.POST.get("action", ""))
            draft.save()
        except SchemeError as error:
            for problem in error.problems:
                messages.error(request, problem)
            # What was typed, without what the button would have done.
            draft = Draft(study)
            draft.take(edits)
            return _page(request, study, draft, status=409 if overtaken else 400)
    messages.success(request, said)
    return redirect("scheme", study.pk)


def _act(draft: Draft, action: str) -> str:
    """Do what a button asks for beside saving; what to say of it. Raises SchemeError."""
    name, _, number = action.partition(":")
    act = _ACTIONS.get(name)
    if act is None or not (number.isascii() and number.isdecimal() and len(number) < 18):
        return "The scheme is saved."
    return act(draft, int(number))


def _moved(draft: Draft, label_id: int, step: int) -> str:
    draft.move(label_id, step)
    return "The order is saved."


def _group_moved(draft: Draft, group_id: int, step: int) -> str:
    draft.move_group(group_id, step)
    return "The order is saved."


_ACTIONS: dict[str, Callable[[Draft, int], str]] = {
    "up": lambda draft, id_: _moved(draft, id_, -1),
    "down": lambda draft, id_: _moved(draft, id_, 1),
    "group-up": lambda draft, id_: _group_moved(draft, id_, -1),
    "group-down": lambda draft, id_: _group_moved(draft, id_, 1),
    "retire": lambda draft, id_: f"{draft.retire(id_).name} is retired: it stays on its cells and is offered no more.",
    "restore": lambda draft, id_: f"{draft.bring_back(id_).name} is offered again.",
    "delete": lambda draft, id_: f"{draft.delete(id_).name} is deleted.",
    "delete-group": lambda draft, id_: f"The group {draft.delete_group(id_).name} is deleted.",
}


def _edits(sent: QueryDict) -> list[GroupEdit]:
    """The table as it was sent; rows stand in the order of their hidden fields."""
    return [
        GroupEdit(
            id=group,
            name=sent.get(f"group-name-{group}", ""),
            description=sent.get(f"group-description-{group}", ""),
            multiple=sent.get(f"group-multiple-{group}") == "many",
            aliases=sent.get(f"group-aliases-{group}", "").split(","),
            labels=[
                LabelEdit(
                    id=label,
                    name=sent.get(f"name-{label}", ""),
                    description=sent.get(f"description-{label}", ""),
                    key=sent.get(f"key-{label}", ""),
                    colour=sent.get(f"colour-{label}", ""),
                    counted=f"counted-{label}" in sent,
                    aliases=sent.get(f"aliases-{label}", "").split(","),
                    role=sent.get(f"role-{label}"),
                )
                for label in _numbers(sent.getlist(f"labels-{group}"))
            ],
            added=[name for name in sent.getlist(f"new-label-{group}") if name.strip()],
        )
        for group in _numbers(sent.getlist("groups"))
    ]


def _numbers(texts: list[str]) -> list[int]:
    return [int(text) for text in texts if text.isascii() and text.isdecimal() and len(text) < 18]


def _page(request: HttpRequest, study: Study, draft: Draft, status: int = 200) -> HttpResponse:
    context = study_context(request, study, "scheme") | {
        "groups": [_group_row(draft, group) for group in draft.groups],
        "new_group": request.POST.get("new-group", ""),
        "seen": draft.fingerprint,
        "keys": KEYS,
        "roles": CellRole.choices,
        "contradictions": len(contradictions(study)) if request.method == "GET" else 0,
    }
    return render(request, "annotation/scheme.html", context, status=status)


def _group_row(draft: Draft, group: Any) -> dict[str, Any]:
    return {
        "row": group.row,
        "aliases": ", ".join(group.row.aliases),
        "offered": [_label_row(draft, label) for label in group.offered if label.pk],
        "added": ", ".join(label.name for label in group.offered if not label.pk),
        "retired": [_label_row(draft, label) for label in group.retired],
    }


def _label_row(draft: Draft, label: Any) -> dict[str, Any]:
    return {
        "row": label,
        "aliases": ", ".join(label.aliases),
        "cells": draft.cells.get(label.pk, 0),
        "used": label.pk in draft.used,
        "guessed": guessed_role(label.name, label.aliases).label,
    }
