"""How far the readers of a study, or of one reading, agree: a page, and tables to take away."""

import csv

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotation.agreement_bootstrap import DRAWS, LEAST_GROUPS
from annotation.agreement_kappa import SOURCE, in_words
from annotation.agreement_report import (
    CONFUSION,
    FIGURES,
    GroupAgreement,
    agreement_asked,
    confusion_rows,
    figure_rows,
)
from annotation.blind_reading import hidden_of
from annotation.formats.csv import safe_text
from annotation.models import LabelGroup, Reading, Role
from annotation.readings import readings_of
from annotation.views.study_page import study_context


@never_cache
@require_safe
def agreement(request: HttpRequest, study_id: int) -> HttpResponse:
    """One label group at a time, of ?reading= or of all that people say: ?group=, else the first."""
    asked = agreement_asked(request.user, study_id, request.GET)
    study = asked.study
    context = study_context(request, study, "readings")
    reviews = context["role"].includes(Role.REVIEWER)
    groups = list(asked.reading.groups.all() if asked.reading else LabelGroup.objects.filter(study=study))
    group = asked.group or (groups[0] if groups else None)
    found = agreement_asked(request.user, study_id, _with_group(request, group)).report() if group else []
    context |= {
        "section": "agreement",
        "reviews": reviews,
        "readings": Reading.objects.filter(study=study) if reviews else readings_of(study, request.user),
        "reading": asked.reading,
        "groups": groups,
        "group": group,
        "found": found[0] if found else None,
        "hidden": hidden_of(study, asked.viewer_id),
        "tables": _tables(found[0]) if found else [],
        "draws": DRAWS,
        "least": LEAST_GROUPS,
        "source": SOURCE,
    }
    return render(request, "annotation/agreement.html", context)


def _with_group(request: HttpRequest, group: LabelGroup) -> dict[str, str]:
    return {"reading": request.GET.get("reading", ""), "group": str(group.pk)}


def _tables(found: GroupAgreement) -> list[dict[str, object]]:
    """Of each pair the table as rows, only of what one of the two said, and what its kappa is called."""
    tables = []
    for pair in found.agreement.pairs:
        used = [
            place for place in range(len(found.categories)) if pair.table[place].any() or pair.table[:, place].any()
        ]
        most = int(pair.table.max())
        tables.append(
            {
                "pair": pair,
                "word": in_words(pair.kappa.value) if pair.kappa.value is not None else "",
                "columns": [found.categories[place] for place in used],
                "rows": [
                    (
                        found.categories[row],
                        [
                            # Depth of the colour in five steps, as the page has no styles of its own.
                            (int(pair.table[row, column]), -(-5 * int(pair.table[row, column]) // most), row == column)
                            for column in used
                        ],
                    )
                    for row in used
                ],
            }
        )
    return tables


@never_cache
@require_safe
def agreement_csv(request: HttpRequest, study_id: int) -> HttpResponse:
    """All figures as a table, or with ?table=confusion what each pair said of each cell, counted."""
    asked = agreement_asked(request.user, study_id, request.GET)
    confusion = request.GET.get("table") == "confusion"
    found = asked.report()
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    name = "confusion" if confusion else "agreement"
    response["Content-Disposition"] = f'attachment; filename="{name}-{asked.study.pk}.csv"'
    table = csv.writer(response)
    table.writerow(CONFUSION if confusion else FIGURES)
    for row in confusion_rows(found) if confusion else figure_rows(found):
        table.writerow([safe_text(each) if isinstance(each, str) else each for each in row])
    return response
