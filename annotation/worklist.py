"""The worklist: the images of a study that somebody asked for, with what is known of each, a page at a time."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import BooleanField, Count, Exists, ExpressionWrapper, OuterRef, Q, Sum, prefetch_related_objects

from annotation.models import Cell, Comment, ImageOrder, ImageQuality, Membership, Role, SmearImage, Study
from annotation.uncertainty import PROBABLY_MISSED, PROBABLY_OFF, PROBABLY_WRONG, WAITING
from annotation.worklist_query import OPEN_THREAD, WorklistQuery, in_order

PAGE_SIZE = 50


@dataclass(frozen=True)
class CellFigures:
    """Numbers of an image's cells.

    cells: borders that a person or an import stands for, ignored regions left out. proposals: open ones that people
    see. wrong, off, missed: how many of those to expect on no cell, how many with a border that is not the cell's, and
    how many hidden ones to expect to be cells (annotation/uncertainty.py).
    """

    cells: int = 0
    proposals: int = 0
    wrong: float = 0.0
    off: float = 0.0
    missed: float = 0.0

    @property
    def corrections(self) -> float:
        """To expect from people who finish the image."""
        return self.wrong + self.off + self.missed


@dataclass(frozen=True)
class WorklistRow:
    image: SmearImage
    name: str
    figures: CellFigures = CellFigures()
    # Threads that nobody has resolved, and why a reviewer sent the image back ("" where none did).
    open_comments: int = 0
    sent_back: str = ""
    # The order of the list: a card shows the figure that it is sorted by.
    sort: str = ""

    @property
    def uncertainty(self) -> float | None:
        """Corrections to expect (annotation/uncertainty.py); None where no proposal waits for a person."""
        waits = self.image.state in WAITING and (self.figures.proposals or self.figures.missed)
        return self.figures.corrections if waits else None

    @property
    def uncertainty_figure(self) -> str:
        """The uncertainty as a card shows it."""
        value = self.uncertainty or 0.0
        return f"≈ {value:,.0f} to correct" if value >= 0.5 else "< 1 to correct"

    @property
    def uncertainty_words(self) -> str:
        """What the figure means."""
        figures = self.figures
        noun = "proposal is" if figures.proposals == 1 else "proposals are"
        words = f"Uncertainty: by their scores, about {figures.wrong:.0f} of {figures.proposals:,} {noun} wrong"
        missed = round(figures.missed)
        if missed:
            words += f", and about {missed:,} {'cell is' if missed == 1 else 'cells are'} not proposed"
        off = round(figures.off)
        if off:
            borders, them = ("border is", "it") if off == 1 else ("borders are", "them")
            words += f". About {off:,} {borders} off, as the detector still moved {them} when it looked again"
        return words + "."

    @property
    def quality(self) -> ImageQuality | None:
        """How far the image can be trusted, where there is something to say of that; None where it is good, or nobody
        has judged it."""
        quality: ImageQuality | None = getattr(self.image, "quality", None)
        return None if quality is None or quality.verdict == ImageQuality.Verdict.GOOD else quality

    @property
    def order_figure(self) -> str:
        """What the image has of that by which the list is sorted, shown in place of its uncertainty; "" for none."""
        image = self.image
        if image.state in SmearImage.FINISHED:
            return ""
        if self.sort == ImageOrder.TEACHES and image.learning_rank is not None:
            return f"no. {image.learning_rank:,} to teach"
        if self.sort == ImageOrder.DISAGREE and image.disagreement is not None:
            return f"{image.disagreement:.0%} differ"
        if self.sort == ImageOrder.UNLIKE and image.novelty is not None:
            return f"{max(0.0, 1 - image.novelty):.0%} alike"
        return ""

    @property
    def order_words(self) -> str:
        """What that figure means."""
        return {
            ImageOrder.TEACHES: "Its place among the images that the detector would learn most from",
            ImageOrder.DISAGREE: "The share of their borders that the last two rounds do not agree about here",
            ImageOrder.UNLIKE: "How much it looks like the most similar image that is annotated already",
        }.get(self.sort, "")  # type: ignore[call-overload]


@dataclass(frozen=True)
class Worklist:
    query: WorklistQuery
    rows: list[WorklistRow]
    page: "Page[SmearImage]"
    # State value ("" for all) to the number of images that match everything but the state.
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """The study has no image at all, as against none that matches."""
        return not self.query.is_filtered and not self.counts[""]

    @property
    def nothing(self) -> str:
        """What to say where no image matches."""
        query = self.query
        if query.search:
            return f"No file name or patient contains “{query.search}” among the images asked for."
        if query == WorklistQuery(quality=query.quality, sort=query.sort):
            return "No image is of this quality."
        if query.comments and not (query.state or query.assignee or query.patient or query.quality):
            return "No image has an open comment."
        return (
            "No image is in this state."
            if query == WorklistQuery(state=query.state, sort=query.sort)
            else ("No image is all of what was asked for.")
        )


def worklist(study: Study, query: WorklistQuery, role: Role | None = None) -> Worklist:
    """The page of a study's images that was asked for, with the names that a member of that role may read.

    Four queries whatever the number of images and cells; one more for an admin where there are single cells.
    """
    any_state = query.images(study, without_state=True)
    counts: dict[str, int] = dict(any_state.values_list("state").annotate(Count("pk")))
    counts = {state: counts.get(state, 0) for state in SmearImage.State.values}
    counts[""] = sum(counts.values())

    found = in_order(query.images(study), query.sort).select_related("patient", "assignee", "quality")
    found = found.defer("quality__findings", "quality__tiles")
    paginator = Paginator(found, PAGE_SIZE)
    # Known already: the paginator need not count again.
    paginator.count = counts[query.state]
    page = paginator.get_page(query.page)
    images = list(page.object_list)
    figures = _figures(images)
    threads = _open_threads(images)
    if role == Role.ADMIN:
        prefetch_related_objects([image for image in images if image.single_cell], "names")
    rows = [
        WorklistRow(
            image,
            getattr(image, "first_name", None) or image.name_for(role),
            figures.get(image.pk, CellFigures()),
            len(threads[image.pk]),
            _sent_back(image, threads[image.pk]),
            query.sort,
        )
        for image in images
    ]
    return Worklist(query, rows, page, counts)


def _figures(images: list[SmearImage]) -> dict[int, CellFigures]:
    """Figures by image id, for the images of one page only. One query."""
    open_proposal = Q(status=Cell.Status.PROPOSED, shadowed=False)
    rows = (
        Cell.objects.filter(image__in=[image.pk for image in images])
        .order_by()
        .values("image_id")
        .annotate(
            cells=Count("pk", filter=Q(status=Cell.Status.CONFIRMED, ignored=False)),
            proposals=Count("pk", filter=Q(Cell.SHOWN_PROPOSAL, status=Cell.Status.PROPOSED)),
            wrong=Sum(PROBABLY_WRONG, filter=open_proposal, default=0.0),
            off=Sum(PROBABLY_OFF, filter=open_proposal, default=0.0),
            missed=Sum(PROBABLY_MISSED, filter=open_proposal, default=0.0),
        )
    )
    return {
        row["image_id"]: CellFigures(row["cells"], row["proposals"], row["wrong"], row["off"], row["missed"])
        for row in rows
    }


def _open_threads(images: list[SmearImage]) -> dict[int, list[Any]]:
    """The open threads by image id, oldest first, each with `by_reviewer`: who began it reviews here. One query."""
    reviews = Membership.objects.filter(
        study=OuterRef("image__study"), user=OuterRef("author"), role__in=(Role.REVIEWER, Role.ADMIN)
    )
    by_reviewer = ExpressionWrapper(Q(author__is_superuser=True) | Q(Exists(reviews)), BooleanField())
    found = Comment.objects.filter(OPEN_THREAD, image__in=[image.pk for image in images])
    threads: dict[int, list[Any]] = defaultdict(list)
    for thread in found.annotate(by_reviewer=by_reviewer):
        threads[thread.image_id].append(thread)
    return threads


def _sent_back(image: SmearImage, threads: list[Any]) -> str:
    """Why a reviewer sent an image back: what one last said of the whole of it, while it is in progress; else ""."""
    if image.state != SmearImage.State.IN_PROGRESS:
        return ""
    said = [
        thread.text
        for thread in threads
        if thread.by_reviewer and thread.author_id != image.assignee_id and thread.cell_id is None and thread.x is None
    ]
    return said[-1] if said else ""
