"""What somebody asked the worklist for: which of a study's images, in which order, as the page's address says it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.db.models import Case, Count, DateTimeField, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.expressions import OrderBy
from django.db.models.functions import Coalesce, Greatest

from annotation.image_order import order_key
from annotation.models import Cell, Comment, ImageName, ImageOrder, Operation, SmearImage, Study

# The words of the address, and what people read.
SORTS = {
    "name": "Name",
    "arrival": "Order of arrival",
    **dict(ImageOrder.choices),
    "changed": "Latest change first",
    "cells": "Most cells first",
    "-cells": "Fewest cells first",
}
NOBODY = "nobody"
ME = "me"
PARAMETERS = ("state", "assignee", "patient", "comments", "quality", "q", "sort")
# What may be asked for of quality, as the page says it.
QUALITIES = {
    "bad": "Poor quality",
    "doubtful": "Poor or doubtful",
    "good": "Good quality",
    "none": "Not judged",
}


@dataclass(frozen=True)
class WorklistQuery:
    """What somebody asked to see. An empty value asks for everything.

    assignee: a user's id or "nobody". patient: a patient's id or "none". comments: "open". quality: of QUALITIES.
    """

    state: str = ""
    assignee: str = ""
    patient: str = ""
    comments: str = ""
    quality: str = ""
    search: str = ""
    sort: str = "name"
    page: str = "1"

    @classmethod
    def parse(cls, parameters: Mapping[str, str], viewer: int | None = None) -> "WorklistQuery":
        """From the address; what is unknown there means everything, in name order. "me" is the viewer."""
        state = parameters.get("state", "")
        assignee = parameters.get("assignee", "")
        if assignee == ME:
            assignee = str(viewer or "")
        sort = parameters.get("sort", "name")
        quality = parameters.get("quality", "")
        return cls(
            state=state if state in SmearImage.State.values else "",
            assignee=assignee if assignee == NOBODY else _id(assignee),
            patient="none" if parameters.get("patient") == "none" else _id(parameters.get("patient", "")),
            comments="open" if parameters.get("comments") == "open" else "",
            quality=quality if quality in QUALITIES else "",
            # PostgreSQL stores no NUL and UTF-8 no half of a surrogate pair, so none can be searched for.
            search="".join(c for c in parameters.get("q", "") if c != "\0" and not "\ud800" <= c <= "\udfff").strip()[
                :200
            ],
            sort=sort if sort in SORTS else "name",
            page=parameters.get("page", "1"),
        )

    @property
    def is_filtered(self) -> bool:
        return bool(self.state or self.assignee or self.patient or self.comments or self.quality or self.search)

    def address(self, **changes: str) -> str:
        """The query string with changes; a change of anything but the page goes back to page 1."""
        changed = replace(self, **({"page": "1"} | changes))
        defaults = {"sort": "name", "page": "1"}
        return "?" + urlencode(
            {key: value for key, value in changed._parts().items() if value and value != defaults.get(key)}
        )

    def editor_address(self) -> str:
        """The query string by which the editor's next and previous follow this list: always with its order."""
        return "?" + urlencode({key: value for key, value in self._parts().items() if value and key != "page"})

    def _parts(self) -> dict[str, str]:
        return {
            "state": self.state,
            "assignee": self.assignee,
            "patient": self.patient,
            "comments": self.comments,
            "quality": self.quality,
            "q": self.search,
            "sort": self.sort,
            "page": self.page,
        }

    def images(self, study: Study, without_state: bool = False) -> "QuerySet[SmearImage]":
        """The study's images that were asked for, in no order."""
        return study.images.filter(self.condition(without_state)).order_by()

    def condition(self, without_state: bool = False) -> Q:
        """What an image fulfils to be in the list."""
        condition = Q()
        if self.state and not without_state:
            condition &= Q(state=self.state)
        if self.assignee:
            condition &= Q(assignee__isnull=True) if self.assignee == NOBODY else Q(assignee=int(self.assignee))
        if self.patient:
            condition &= Q(patient__isnull=True) if self.patient == "none" else Q(patient=int(self.patient))
        if self.comments:
            condition &= Q(Exists(Comment.objects.filter(OPEN_THREAD, image=OuterRef("pk"))))
        if self.quality == "none":
            condition &= Q(quality__isnull=True)
        elif self.quality:
            worse = ("bad", "doubtful") if self.quality == "doubtful" else (self.quality,)
            condition &= Q(quality__verdict__in=worse)
        if self.search:
            # Not by the file of a single cell, which may say of what kind it is.
            names = ImageName.objects.filter(image=OuterRef("pk"), name__icontains=self.search)
            named = Q(Exists(names), single_cell=False)
            condition &= named | Q(patient__code__icontains=self.search)
        return condition


# The first comment of a thread that nobody has resolved.
OPEN_THREAD = Q(answers__isnull=True, resolved_at__isnull=True)


def in_order(images: "QuerySet[SmearImage]", sort: str) -> "QuerySet[SmearImage]":
    """The images in one of SORTS, annotated with `first_name` (null of a single cell) and what they are sorted by."""
    annotations, order = ordering(sort)
    return images.annotate(**annotations).order_by(*order)


def ordering(sort: str, standing: int | None = None) -> tuple[dict[str, Any], list[OrderBy]]:
    """What a queryset of images is annotated with for one of SORTS, and ordered by.

    standing: the image of that id keeps the place that it had before people worked on it, as far as the order is by
    what their work changes and the database still knows what that place was.
    """
    names = ImageName.objects.filter(image=OuterRef("pk")).order_by("pk").values("name")[:1]
    annotations, order = _key(sort, standing)
    return {"first_name": Case(When(single_cell=False, then=Subquery(names)))} | annotations, order


def _key(sort: str, standing: int | None) -> tuple[dict[str, Any], list[OrderBy]]:
    by_name = [F("first_name").asc(), F("pk").asc()]
    if sort in ImageOrder.values:
        annotations, order = order_key(sort, standing)
        return annotations, [*order, *by_name]
    match sort:
        case "arrival":
            return {}, [F("pk").asc()]
        case "changed":
            return {"changed": latest_change()}, [F("changed").desc(), *by_name]
        case "cells" | "-cells":
            ordered = F("cell_count").desc() if sort == "cells" else F("cell_count").asc()
            return {"cell_count": _cell_count()}, [ordered, *by_name]
    return {}, by_name


def latest_change() -> Greatest:
    """An SQL expression on SmearImage: when a person last changed a border or commented; else when it arrived."""
    operation = Operation.objects.filter(image=OuterRef("pk")).order_by("-created_at").values("created_at")[:1]
    comment = Comment.objects.filter(image=OuterRef("pk")).order_by("-revision")
    said = comment.annotate(at=Greatest("created_at", "resolved_at")).values("at")[:1]
    # GREATEST of PostgreSQL leaves nulls out.
    return Greatest(
        "created_at",
        Subquery(operation, output_field=DateTimeField(null=True)),
        Subquery(said, output_field=DateTimeField(null=True)),
    )


def _cell_count() -> Coalesce:
    count = (
        Cell.objects.confirmed()
        .filter(image=OuterRef("pk"), ignored=False)
        .order_by()
        .values("image")
        .annotate(number=Count("pk"))
        .values("number")
    )
    return Coalesce(Subquery(count, output_field=IntegerField()), 0)


def _id(text: str) -> str:
    """A row's id as it stands in an address; empty where it cannot be one."""
    return str(int(text)) if text.isascii() and text.isdecimal() and len(text) <= 18 else ""
