"""Readings: one's own and, for reviewers, all of a study; asking for one; reading cell by cell; being done."""

from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotation.access import study_for
from annotation.assignment import members_of
from annotation.batch import Change
from annotation.label_choice import NOTHING_SAID, choices_of
from annotation.models import CellReading, Operation, Reading, Role, SmearImage, Study
from annotation.operations import REFUSED, STALE, apply
from annotation.readings import (
    CellsWanted,
    ReadingRefused,
    Wanted,
    ask,
    cells_to_read,
    end,
    finish,
    next_to_read,
    progress_of,
    reader_for,
    reading_for,
    readings_of,
)
from annotation.views.study_page import study_context

# How sure a reader is, as the editor stores it (static/src/editor/panel/labelling.js).
CERTAINTY = (("", "Not said"), ("1", "Sure"), ("0.7", "Likely"), ("0.4", "Unsure"))


@never_cache
@require_http_methods(["GET", "POST"])
def readings(request: HttpRequest, study_id: int) -> HttpResponse:
    """One's own readings; reviewers also see all of the study, and ask for one by a POST."""
    if request.method != "POST":
        return _page(request, study_for(request.user, study_id), QueryDict())
    study = study_for(request.user, study_id, Role.REVIEWER)
    try:
        reading = ask(study, request.user, _wanted(request.POST))
    except ReadingRefused as problem:
        messages.error(request, str(problem))
        return _page(request, study, request.POST, status=400)
    messages.success(request, f"{reading.name} is asked for; its readers find it under their readings.")
    return redirect("readings", study.pk)


def _page(request: HttpRequest, study: Study, sent: QueryDict, status: int = 200) -> HttpResponse:
    context = study_context(request, study, "readings")
    reviews = context["role"].includes(Role.REVIEWER)
    context |= {
        "section": "readings",
        "reviews": reviews,
        "mine": [
            {"progress": each, "part": each.part_of(request.user)}
            for each in progress_of(readings_of(study, request.user))
        ],
        "all": progress_of(Reading.objects.filter(study=study)) if reviews else [],
        "sent": sent,
        "cells": sent.getlist("cell") if sent else request.GET.getlist("cell"),
    }
    if reviews:
        context |= {
            "members": members_of(study, request.user),
            "groups": study.label_groups.prefetch_related("labels"),
            "states": SmearImage.State.choices,
            "patients": list(study.patients.values_list("pk", "code")),
            "chosen_groups": sent.getlist("group") or [str(group.pk) for group in study.label_groups.all()[:1]],
            "chosen_readers": sent.getlist("reader"),
            "chosen_patients": sent.getlist("patient"),
        }
    return render(request, "annotation/readings.html", context, status=status)


def _wanted(sent: QueryDict) -> Wanted:
    """The form as it was sent. Raises ReadingRefused for numbers that are none."""
    number = sent.get("number", "").strip()
    share = sent.get("by_all", "").strip() or "0"
    label = sent.get("label", "")
    return Wanted(
        name=sent.get("name", ""),
        note=sent.get("note", ""),
        groups=_numbers(sent.getlist("group")),
        readers=_numbers(sent.getlist("reader")),
        each=_number(sent.get("each", "") or "1", "The number of readers a cell"),
        by_all=_number(share, "The share that all read") / 100,
        blind=bool(sent.get("blind")),
        hides_model=bool(sent.get("hides_model")),
        cells=CellsWanted(
            cells=_uuids(sent.getlist("cell")),
            state=sent.get("state", ""),
            patients=_numbers(sent.getlist("patient")),
            label=_number(label, "A label") if label else None,
            number=_number(number, "The number of cells") if number else None,
        ),
    )


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 18):
        raise ReadingRefused(f"{what} is a whole number.")
    return int(text)


def _numbers(texts: list[str]) -> list[int]:
    return [int(text) for text in texts if text.isascii() and text.isdecimal() and len(text) < 18]


def _uuids(texts: list[str]) -> list[UUID]:
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found


@require_POST
def reading_end(request: HttpRequest, reading_id: int) -> HttpResponse:
    reading = reading_for(request.user, reading_id, Role.REVIEWER)
    end(reading)
    messages.success(request, f"{reading.name} is ended: its readers see each other's labels now.")
    return redirect("readings", reading.study_id)


@require_POST
def reading_done(request: HttpRequest, reading_id: int) -> HttpResponse:
    """Be done with one's own part."""
    reader = reader_for(request.user, reading_id)
    try:
        finish(reader)
    except ReadingRefused as problem:
        messages.error(request, str(problem))
        return redirect("reading", reading_id)
    messages.success(request, f"You are done with {reader.reading.name}: you see what the others said now.")
    return redirect("readings", reader.reading.study_id)


@never_cache
@require_http_methods(["GET", "POST"])
def read(request: HttpRequest, reading_id: int) -> HttpResponse:
    """The next cell of one's own part, or the one at ?place=; a POST labels it and goes on.

    Labels are an operation on the cell as in the editor, so that history and undo are one mechanism; what was said in
    groups that the reading does not ask about stays as it was.
    """
    reader = reader_for(request.user, reading_id)
    if reader.finished_at is not None or reader.reading.ended_at is not None:
        messages.info(request, f"{reader.reading.name} is over.")
        return redirect("readings", reader.reading.study_id)
    if request.method == "POST":
        row = _at(reader, request.POST.get("place", ""))
        if row is None:
            raise Http404("There is no such cell in your part.")
        problem = _say(request, row)
        if not problem:
            return redirect(f"{reverse('reading', args=[reading_id])}?after={row.place}")
        messages.error(request, problem)
    else:
        place = request.GET.get("place")
        after = next(iter(_numbers([request.GET.get("after", "")])), -1)
        row = _at(reader, place) if place is not None else next_to_read(reader, min(after, 2**31 - 1))
        if place is not None and row is None:
            raise Http404("There is no such cell in your part.")
    return _cell_page(request, reader, row)


def _at(reader: Any, place: str) -> CellReading | None:
    known = place.isascii() and place.isdecimal() and len(place) < 9
    return cells_to_read(reader).filter(place=int(place)).first() if known else None


def _say(request: HttpRequest, row: CellReading) -> str:
    """Label a cell as the form says; what is wrong with it, empty where nothing is."""
    reading, sent, viewer = row.reader.reading, request.POST, request.user.pk
    asked = {label.pk for group in reading.groups.prefetch_related("labels") for label in group.labels.all()}
    before = choices_of([row.cell_id], viewer).get(row.cell_id, NOTHING_SAID) if _has_spoken(row) else NOTHING_SAID
    given = [value for name in sent if name == "label" or name.startswith("choice-") for value in sent.getlist(name)]
    chosen = [label for label in _numbers(given) if label in asked]
    kept = [label for label in before.labels if label not in asked]
    sure = next((float(value) for value, _ in CERTAINTY if value and value == sent.get("confidence")), None)
    confidence = {label: value for label, value in before.confidence.items() if label in kept}
    if sure is not None:
        confidence |= dict.fromkeys(chosen, sure)
    (result,) = apply(
        row.cell.image_id,
        request.user,
        [
            Change(
                id=next(iter(_uuids([sent.get("id", "")])), None) or uuid4(),
                kind=Operation.Kind.LABEL,
                cell=row.cell_id,
                version=(_numbers([sent.get("version", "")]) or [0])[0],
                labels=[*kept, *chosen],
                confidence=confidence,
                texts=before.texts,
            )
        ],
    ).results
    if result.status == STALE:
        return "The cell has changed since you opened it: look at it again."
    return result.reason if result.status == REFUSED else ""


def _has_spoken(row: CellReading) -> bool:
    return row.cell.labels.filter(annotator=row.reader.user_id).exists()


def _cell_page(request: HttpRequest, reader: Any, row: CellReading | None) -> HttpResponse:
    reading = reader.reading
    (progress,) = progress_of(Reading.objects.filter(pk=reading.pk))
    part = progress.part_of(request.user)
    context = study_context(request, reading.study, "readings") | {
        "section": "readings",
        "reading": reading,
        "part": part,
        "row": row,
        "certainty": CERTAINTY,
        "operation": uuid4(),
    }
    if row is not None:
        own = set(row.labels)
        rows = cells_to_read(reader)
        context |= {
            "groups": [
                {
                    "group": group,
                    "labels": [label for label in group.labels.all() if not label.retired or label.pk in own],
                }
                for group in reading.groups.prefetch_related("labels")
            ],
            "own": own,
            "sure": next((value for value, _ in CERTAINTY if value and float(value) in row.confidence.values()), ""),
            "previous": rows.filter(place__lt=row.place).values_list("place", flat=True).last(),
            "next": rows.filter(place__gt=row.place).values_list("place", flat=True).first(),
        }
    return render(request, "annotation/reading.html", context)
