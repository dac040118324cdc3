"""How far the readers of a study, or of one reading, agree: for each label group, and for each of its labels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.http import Http404

from annotation.access import study_for
from annotation.agreement_figures import NOT_READ, Agreement, Figure, Ratings, agreement_of
from annotation.models import Cell, Label, LabelGroup, Reading, Study
from annotation.readings import reading_for
from annotation.statements import Statements, statements

NONE = "None"


@dataclass(frozen=True)
class LabelAgreement:
    """One label against all others of its group."""

    label: Label
    agreement: Agreement


@dataclass(frozen=True)
class GroupAgreement:
    """A label group: its categories are its labels that anybody gave, and NONE; in a group of many choices what was
    given together is a category of its own."""

    group: LabelGroup
    categories: Sequence[str]
    agreement: Agreement
    labels: Sequence[LabelAgreement]


def report(
    study: Study, viewer_id: int, reading: Reading | None = None, groups: Iterable[LabelGroup] | None = None
) -> list[GroupAgreement]:
    """The agreement in each of the groups (None: those of the reading, or all), as far as the viewer may know."""
    if groups is None:
        groups = reading.groups.all() if reading else LabelGroup.objects.filter(study=study)
    return [_of_group(group, statements(group, viewer_id, reading)) for group in groups]


def _of_group(group: LabelGroup, said: Statements) -> GroupAgreement:
    labels = list(group.labels.all())
    place = {label.pk: index for index, label in enumerate(labels)}
    given = {word.labels for by_user in said.values() for word in by_user.values()}
    # As the scheme has them; nothing at all comes last.
    sets = sorted(given, key=lambda one: (not one, sorted(place[label] for label in one)))
    names = {label.pk: label.name for label in labels}
    categories = [" + ".join(names[key] for key in sorted(one, key=place.__getitem__)) or NONE for one in sets]
    ratings = _ratings(said, sets, categories)
    used = set().union(*given) if given else set()
    return GroupAgreement(
        group,
        categories,
        agreement_of(ratings),
        [LabelAgreement(label, agreement_of(_marks(ratings, sets, label.pk))) for label in labels if label.pk in used],
    )


def _ratings(said: Statements, sets: Sequence[frozenset[int]], categories: Sequence[str]) -> Ratings:
    code = {one: index for index, one in enumerate(sets)}
    users = sorted({user for by_user in said.values() for user in by_user})
    names = dict(User.objects.filter(pk__in=users).values_list("pk", "username"))
    users.sort(key=lambda user: names[user])
    column = {user: index for index, user in enumerate(users)}
    # In an order of their own, so that the same cells give the same intervals.
    cells = sorted(said)
    codes = np.full((len(cells), len(users)), NOT_READ, dtype=np.int64)
    for row, cell in enumerate(cells):
        for user, word in said[cell].items():
            codes[row, column[user]] = code[word.labels]
    groups: dict[str, int] = {}
    patients = Cell.objects.filter(pk__in=cells).order_by()
    of: dict[Any, str] = {
        cell: f"i:{image}" if patient is None else f"p:{patient}"
        for cell, patient, image in patients.values_list("pk", "image__patient", "image")
    }
    numbers = [groups.setdefault(of[cell], len(groups)) for cell in cells]
    return Ratings([names[user] for user in users], categories, codes, np.array(numbers, dtype=np.int64))


def _marks(ratings: Ratings, sets: Sequence[frozenset[int]], label: int) -> Ratings:
    """The same readings as yes or no to one label."""
    has = np.array([int(label in one) for one in sets], dtype=np.int64)
    codes = np.where(ratings.codes == NOT_READ, NOT_READ, has[ratings.codes])
    return Ratings(ratings.readers, ("no", "yes"), codes, ratings.groups)


# --- as data ---


def as_json(groups: Iterable[GroupAgreement]) -> list[dict[str, Any]]:
    """Tables have a row for each category of `one` and a column for each of `other`; figures are null where not
    defined, intervals also where there are too few patients."""
    return [
        {
            "group": each.group.name,
            "multiple": each.group.multiple,
            "categories": list(each.categories),
            **_agreement_json(each.agreement),
            "labels": [{"label": one.label.name, **_agreement_json(one.agreement)} for one in each.labels],
        }
        for each in groups
    ]


def _agreement_json(agreement: Agreement) -> dict[str, Any]:
    return {
        "cells": agreement.cells,
        "patients": agreement.patients,
        "sentence": agreement.sentence,
        "percent": _figure_json(agreement.percent),
        "fleiss": _figure_json(agreement.fleiss),
        "pairs": [
            {
                "one": pair.one,
                "other": pair.other,
                "cells": pair.cells,
                "percent": _figure_json(pair.percent),
                "kappa": _figure_json(pair.kappa),
                "table": pair.table.tolist(),
            }
            for pair in agreement.pairs
        ],
    }


def _figure_json(figure: Figure) -> dict[str, Any]:
    return {"value": figure.value, "interval": list(figure.interval) if figure.interval else None}


FIGURES = ("group", "label", "reader_1", "reader_2", "cells", "measure", "value", "low", "high")
CONFUSION = ("group", "label", "reader_1", "reader_2", "said_by_1", "said_by_2", "cells")


def figure_rows(groups: Iterable[GroupAgreement]) -> list[tuple[Any, ...]]:
    """Rows of FIGURES: an empty label is the whole group, empty readers are all of them."""
    rows: list[tuple[Any, ...]] = []
    for each in groups:
        for label, agreement in [("", each.agreement), *((one.label.name, one.agreement) for one in each.labels)]:
            of_all = (each.group.name, label, "", "", agreement.cells)
            rows.append((*of_all, "percent agreement", *_figure_row(agreement.percent)))
            rows.append((*of_all, "Fleiss' kappa", *_figure_row(agreement.fleiss)))
            for pair in agreement.pairs:
                of_two = (each.group.name, label, pair.one, pair.other, pair.cells)
                rows.append((*of_two, "percent agreement", *_figure_row(pair.percent)))
                rows.append((*of_two, "Cohen's kappa", *_figure_row(pair.kappa)))
    return rows


def confusion_rows(groups: Iterable[GroupAgreement]) -> list[tuple[Any, ...]]:
    """Rows of CONFUSION, without the empty places of the tables."""
    rows = []
    for each in groups:
        tables = [("", each.categories, each.agreement)]
        tables += [(one.label.name, ("no", "yes"), one.agreement) for one in each.labels]
        for label, names, agreement in tables:
            for pair in agreement.pairs:
                for first, second in zip(*np.nonzero(pair.table), strict=True):
                    said = (names[first], names[second], int(pair.table[first, second]))
                    rows.append((each.group.name, label, pair.one, pair.other, *said))
    return rows


def _figure_row(figure: Figure) -> list[Any]:
    return ["" if value is None else round(value, 4) for value in (figure.value, *(figure.interval or (None, None)))]


# --- what somebody asks for ---


@dataclass(frozen=True)
class Asked:
    """Whose agreement somebody wants to see, as an address says it; group None: all."""

    study: Study
    viewer_id: int
    reading: Reading | None
    group: LabelGroup | None

    def report(self) -> list[GroupAgreement]:
        return report(self.study, self.viewer_id, self.reading, [self.group] if self.group else None)


def agreement_asked(user: Any, study_id: int, parameters: Mapping[str, str]) -> Asked:
    """From ?reading= and ?group=; without them all of the study. Raises Http404 for what is not there for the user."""
    study = study_for(user, study_id)
    reading = group = None
    if asked := parameters.get("reading", ""):
        reading = reading_for(user, _number(asked))
        if reading.study_id != study.pk:
            raise Http404("There is no such reading in this study.")
    if asked := parameters.get("group", ""):
        groups = reading.groups if reading else LabelGroup.objects
        group = groups.filter(study=study, pk=_number(asked)).first()
        if group is None:
            raise Http404("There is no such label group here.")
    return Asked(study, user.pk, reading, group)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0
