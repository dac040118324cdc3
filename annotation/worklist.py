"""The worklist: a study's images by state, name and number of cells, a page at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from annotation.models import Cell, ImageName, SmearImage, Study

PAGE_SIZE = 50
# The words of the address, and what people read.
SORTS = {"name": "Name", "cells": "Most cells first", "-cells": "Fewest cells first"}


@dataclass(frozen=True)
class WorklistQuery:
    """What somebody asked to see, as it stands in the address of the page."""

    state: str = ""
    search: str = ""
    sort: str = "name"
    page: str = "1"

    @classmethod
    def parse(cls, parameters: Mapping[str, str]) -> "WorklistQuery":
        """From the address; what is unknown there means everything, in name order."""
        state = parameters.get("state", "")
        sort = parameters.get("sort", "name")
        return cls(
            state=state if state in SmearImage.State.values else "",
            # PostgreSQL stores no NUL, so none can be searched for.
            search=parameters.get("q", "").replace("\x00", "").strip()[:200],
            sort=sort if sort in SORTS else "name",
            page=parameters.get("page", "1"),
        )

    def address(self, **changes: str) -> str:
        """The query string with changes; a change of anything but the page goes back to page 1."""
        changed = replace(self, **({"page": "1"} | changes))
        parts = {"state": changed.state, "q": changed.search, "sort": changed.sort, "page": changed.page}
        defaults = {"sort": "name", "page": "1"}
        return "?" + urlencode({key: value for key, value in parts.items() if value and value != defaults.get(key)})


@dataclass(frozen=True)
class WorklistRow:
    image: SmearImage
    name: str
    # Borders that a person or an import stands for, ignored regions left out; and proposals that people see.
    cells: int
    proposals: int


@dataclass(frozen=True)
class Worklist:
    query: WorklistQuery
    rows: list[WorklistRow]
    page: "Page[SmearImage]"
    # State value ("" for all) to the number of images that match the search.
    counts: dict[str, int]

    @property
    def is_empty(self) -> bool:
        """The study has no image at all, as against none that matches."""
        return not self.query.search and not self.counts[""]


def worklist(study: Study, query: WorklistQuery) -> Worklist:
    """The page of a study's images that was asked for. Three queries whatever the number of images and cells."""
    found = study.images.all()
    if query.search:
        names = ImageName.objects.filter(image=OuterRef("pk"), name__icontains=query.search)
        found = found.filter(Exists(names) | Q(patient__code__icontains=query.search))
    counts: dict[str, int] = dict(found.order_by().values_list("state").annotate(Count("pk")))
    counts = {state: counts.get(state, 0) for state in SmearImage.State.values}
    counts[""] = sum(counts.values())
    if query.state:
        found = found.filter(state=query.state)

    paginator = Paginator(_sorted(found, query.sort).select_related("patient"), PAGE_SIZE)
    # Known already: the paginator need not count again.
    paginator.count = counts[query.state]
    page = paginator.get_page(query.page)
    images = list(page.object_list)
    cells, proposals = _cell_counts(images)
    rows = [
        WorklistRow(
            image,
            getattr(image, "first_name", None) or image.sha256[:12],
            cells.get(image.pk, 0),
            proposals.get(image.pk, 0),
        )
        for image in images
    ]
    return Worklist(query, rows, page, counts)


def next_unfinished(study: Study) -> SmearImage | None:
    """The first image, in the order of arrival, whose annotation nobody has finished."""
    return study.images.exclude(state__in=SmearImage.FINISHED).order_by("pk").first()


def _sorted(images: "QuerySet[SmearImage]", sort: str) -> "QuerySet[SmearImage]":
    first = ImageName.objects.filter(image=OuterRef("pk")).order_by("pk").values("name")[:1]
    images = images.annotate(first_name=Subquery(first))
    if sort == "name":
        return images.order_by("first_name", "pk")
    count = (
        Cell.objects.confirmed()
        .filter(image=OuterRef("pk"), ignored=False)
        .order_by()
        .values("image")
        .annotate(number=Count("pk"))
        .values("number")
    )
    images = images.annotate(cell_count=Coalesce(Subquery(count, output_field=IntegerField()), 0))
    return images.order_by(F("cell_count").desc() if sort == "cells" else F("cell_count").asc(), "first_name", "pk")


def _cell_counts(images: list[SmearImage]) -> tuple[dict[int, int], dict[int, int]]:
    """Numbers of cells and of open proposals by image id, for the images of one page only."""
    rows = (
        Cell.objects.filter(image__in=[image.pk for image in images])
        .order_by()
        .values("image_id")
        .annotate(
            cells=Count("pk", filter=Q(status=Cell.Status.CONFIRMED, ignored=False)),
            proposals=Count("pk", filter=Q(Cell.SHOWN_PROPOSAL, status=Cell.Status.PROPOSED)),
        )
    )
    cells = {row["image_id"]: row["cells"] for row in rows}
    return cells, {row["image_id"]: row["proposals"] for row in rows}
