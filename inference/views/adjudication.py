"""Where readers disagree, and where a confident model contradicts people: pages on which a reviewer decides.

They stand here and not in annotation because they show what models say.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation.access import study_for
from annotation.adjudication import Decision, Dispute, cell_for, decide, decisions_on, disputes
from annotation.blind_reading import hidden_of
from annotation.models import LabelGroup, Reading, Role, Study
from annotation.operations import APPLIED, REPLAYED, STALE
from annotation.views.study_page import study_context
from inference.label_noise import CONFIDENT, MOST, Doubt, doubts
from inference.models import CellProbability
from inference.shown_labels import shown_probabilities

# Cells that are shown at a time.
PAGE = 24


@never_cache
@require_safe
def adjudication(request: HttpRequest, study_id: int) -> HttpResponse:
    """Cells on which readers differ in ?group=, of ?reading= or of all that people say; with ?decided=1 those on which
    somebody has decided, and all that was decided on them."""
    study = study_for(request.user, study_id, Role.REVIEWER)
    viewer = _viewer(request)
    readings = list(Reading.objects.filter(study=study))
    reading = next((each for each in readings if str(each.pk) == request.GET.get("reading", "")), None)
    groups = list(reading.groups.all() if reading else LabelGroup.objects.filter(study=study))
    group = _group_asked(groups, request)
    decided = request.GET.get("decided") == "1"
    found = disputes(group, viewer, reading, decided=decided) if group else []
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    context = study_context(request, study, "readings") | {
        "section": "adjudication",
        "readings": readings,
        "reading": reading,
        "groups": groups,
        "group": group,
        "decided": decided,
        "hidden": hidden_of(study, viewer),
        "page": page,
        "cards": _cards(study, group, viewer, list(page)) if group else [],
        "address": _address(reading=reading.pk if reading else "", group=group.pk if group else ""),
        "labels": _labels(group) if group else {},
    }
    return render(request, "inference/adjudication.html", context)


@never_cache
@require_safe
def second_look(request: HttpRequest, study_id: int) -> HttpResponse:
    """Cells on which a model that is sure of it (?least=, 0.8 unless told) contradicts people in ?group=."""
    study = study_for(request.user, study_id, Role.REVIEWER)
    viewer = _viewer(request)
    groups = list(LabelGroup.objects.filter(study=study))
    group = _group_asked(groups, request)
    least = _share(request.GET.get("least", ""))
    found = doubts(study, group, viewer, least) if group else []
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    context = study_context(request, study, "readings") | {
        "section": "second-look",
        "groups": groups,
        "group": group,
        "least": least,
        "steps": (0.6, 0.7, 0.8, 0.9, 0.95),
        "most": MOST,
        "hidden": hidden_of(study, viewer),
        "found": found,
        "page": page,
        "cards": _doubtful_cards(group, list(page)) if group else [],
        "address": _address(group=group.pk if group else "", least=least),
        "labels": _labels(group) if group else {},
        "modelled": bool(group) and CellProbability.objects.filter(label__group=group).exists(),
    }
    return render(request, "inference/second_look.html", context)


@never_cache
@require_POST
def adjudicate(request: HttpRequest, cell_id: UUID) -> HttpResponse:
    """Decide for a cell (POST: group, labels as `answer` with commas, note, version, id), or with take=back take the
    decision back. Answers with the card of the cell as it is now."""
    cell = cell_for(request.user, cell_id)
    sent = request.POST
    group = LabelGroup.objects.filter(study=cell.image.study_id, pk=_number(sent.get("group", ""))).first()
    if group is None:
        raise Http404("There is no such label group in this study.")
    take_back = sent.get("take") == "back"
    if not take_back and "answer" not in sent:
        # None applies is an answer, too: it must be given.
        raise BadRequest("A decision needs an answer.")
    labels = [_number(each) for each in sent.get("answer", "").split(",") if each]
    result = decide(
        cell,
        request.user,
        id=_uuid(sent.get("id", "")),
        version=_number(sent.get("version", "")),
        group=group.pk,
        labels=None if take_back else labels,
        note=sent.get("note", ""),
    )
    problem = ""
    if result.status == STALE:
        problem = "Somebody has changed the cell meanwhile: look again, then decide."
    elif result.status not in (APPLIED, REPLAYED):
        problem = result.reason
    cell.refresh_from_db(fields=["version"])
    decisions = _told([each for each in decisions_on(cell.pk) if each.group == group.pk], group)
    standing = cell.adjudications.filter(group=group).exists()
    names = _labels(group)
    # What the page offered is offered again where the decision is taken back.
    offered = [[int(key) for key in each.split(",") if key.isdecimal()] for each in sent.getlist("offered")]
    context = {
        "card": {
            "cell": cell.pk,
            "version": cell.version,
            "group": group.pk,
            "operation": uuid4(),
            "decision": decisions[0] if standing and decisions else None,
            "answers": [_answer([key for key in each if key in names], names, 0) for each in offered],
        },
        "study": cell.image.study,
        "problem": problem,
        "labels": names,
        "fresh": True,
    }
    if request.headers.get("HX-Request") != "true":
        return redirect(reverse("adjudication", args=[cell.image.study_id]) + f"?group={group.pk}")
    return render(request, "inference/_decided.html", context)


def _cards(study: Study, group: LabelGroup, viewer: int, found: Sequence[Dispute]) -> list[dict[str, Any]]:
    """What the page shows of each cell: answers with who gave them, what a model says, and what was decided."""
    names = _labels(group)
    said = _model(viewer, group, [each.cell for each in found])
    return [
        {
            "cell": each.cell,
            "version": each.version,
            "image": each.image,
            "patient": each.patient,
            "group": group.pk,
            "operation": uuid4(),
            "waiting": each.waiting,
            "words": [
                (word, [(names[label], word.confidence.get(label)) for label in word.labels]) for word in each.words
            ],
            "answers": [_answer(labels, names, number) for labels, number in each.answers],
            "model": said.get(each.cell, []),
            "decision": _told([each.decision], group)[0] if each.decision else None,
            "past": _told([one for one in decisions_on(each.cell) if one.group == group.pk], group)
            if each.decision
            else [],
        }
        for each in found
    ]


def _doubtful_cards(group: LabelGroup, found: Sequence[Doubt]) -> list[dict[str, Any]]:
    names = _labels(group)
    cards = []
    for each in found:
        changed = [label for label in each.labels if label != each.model] if group.multiple else []
        as_model = [*changed, each.model] if each.applies else changed
        cards.append(
            {
                "cell": each.cell,
                "version": each.version,
                "image": each.image,
                "patient": each.patient,
                "group": group.pk,
                "operation": uuid4(),
                "counts": [names[label] for label in each.labels],
                "model": names[each.model],
                "applies": each.applies,
                "probability": each.probability,
                "answers": [_answer(list(each.labels), names, 0), _answer(as_model, names, 0)],
            }
        )
    return cards


def _answer(labels: Sequence[int], names: dict[int, Any], number: int) -> dict[str, Any]:
    return {
        "value": ",".join(str(label) for label in labels),
        "labels": [names[label] for label in labels],
        "number": number,
    }


def _model(viewer: int, group: LabelGroup, cells: Sequence[UUID]) -> dict[UUID, list[tuple[Any, float]]]:
    """By cell the three labels of a group that a model finds most probable, from 5 % on. One query."""
    rows = CellProbability.objects.filter(
        shown_probabilities(viewer), cell__in=cells, label__group=group, probability__gte=0.05
    ).select_related("label")
    found: dict[UUID, list[tuple[Any, float]]] = {}
    for row in rows.order_by("-probability"):
        own = found.setdefault(row.cell_id, [])
        if len(own) < 3:
            own.append((row.label, row.probability))
    return found


def _told(decisions: Sequence[Decision], group: LabelGroup) -> list[dict[str, Any]]:
    names = _labels(group)
    return [
        {
            "labels": None if each.labels is None else [names[label] for label in each.labels if label in names],
            "by": each.by,
            "at": each.at,
            "note": each.note,
        }
        for each in decisions
    ]


def _labels(group: LabelGroup) -> dict[int, Any]:
    return {label.pk: label for label in group.labels.all()}


def _group_asked(groups: Sequence[LabelGroup], request: HttpRequest) -> LabelGroup | None:
    asked = request.GET.get("group", "")
    return next((group for group in groups if str(group.pk) == asked), groups[0] if groups else None)


def _address(**parameters: Any) -> str:
    return urlencode({name: value for name, value in parameters.items() if value != ""})


def _viewer(request: HttpRequest) -> int:
    viewer: Any = request.user.pk
    return int(viewer)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return uuid4()


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return CONFIDENT
    return value if 0.5 <= value <= 1 else CONFIDENT
