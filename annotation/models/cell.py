import uuid

import pghistory
from django.db import models
from django.db.models import F, Q

from annotation.borders import bounds
from annotation.models.image import SmearImage
from annotation.models.proposal_run import ProposalRun


class Correction(models.TextChoices):
    """What a person did about a border; corrections per cell count all but ACCEPTED."""

    ACCEPTED = "accepted", "Accepted"
    MOVED = "moved", "Moved"
    DELETED = "deleted", "Deleted"
    ADDED = "added", "Added"


def correction_of(origin: str, status: str, as_proposed: bool) -> str | None:
    """What with_correction() says, of a cell that is no row: as it was at another time, say."""
    if origin == Cell.Origin.PROPOSAL and status == Cell.Status.CONFIRMED:
        return (Correction.ACCEPTED if as_proposed else Correction.MOVED).value
    if origin == Cell.Origin.PROPOSAL and status == Cell.Status.DELETED:
        return Correction.DELETED.value
    if origin == Cell.Origin.DRAWN and status == Cell.Status.CONFIRMED:
        return Correction.ADDED.value
    return None


class CellQuerySet(models.QuerySet["Cell"]):
    def confirmed(self) -> "CellQuerySet":
        """Borders that a person or an imported annotation stands for, ignored regions among them."""
        return self.filter(status=Cell.Status.CONFIRMED)

    def shown(self) -> "CellQuerySet":
        """What the editor draws: confirmed borders, and the proposals above the threshold of their run."""
        return self.filter(Q(status=Cell.Status.CONFIRMED) | Q(Cell.SHOWN_PROPOSAL, status=Cell.Status.PROPOSED))

    def with_correction(self) -> "CellQuerySet":
        """Annotate `correction` from the records themselves; null where there is none (an open proposal, say)."""
        proposal = Q(origin=Cell.Origin.PROPOSAL)
        confirmed = Q(status=Cell.Status.CONFIRMED)
        return self.annotate(
            correction=models.Case(
                models.When(proposal & confirmed & Q(border=F("proposed_border")), then=models.Value("accepted")),
                models.When(proposal & confirmed, then=models.Value("moved")),
                models.When(proposal & Q(status=Cell.Status.DELETED), then=models.Value("deleted")),
                models.When(Q(origin=Cell.Origin.DRAWN) & confirmed, then=models.Value("added")),
                default=None,
                output_field=models.CharField(null=True),
            )
        )


# Proposals come by the thousand and hold their own original; history begins when a person touches one.
@pghistory.track(
    pghistory.InsertEvent(condition=pghistory.Q(new__status__in=["confirmed", "deleted"])),
    pghistory.UpdateEvent(condition=pghistory.Q(new__version__df=pghistory.F("old__version"))),
    fields=["image", "version", "status", "border", "ignored", "ignored_class"],
)
class Cell(models.Model):
    """One border and its history. Never removed once a person has touched it: deleted is a state."""

    class Status(models.TextChoices):
        PROPOSED = "proposed", "Proposed"
        CONFIRMED = "confirmed", "Confirmed"
        DELETED = "deleted", "Deleted"

    class Origin(models.TextChoices):
        PROPOSAL = "proposal", "Proposal"
        DRAWN = "drawn", "Drawn"
        IMPORTED = "imported", "Imported"

    SHOWN_PROPOSAL = Q(shadowed=False, score__gte=F("run__score_threshold"))

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    image = models.ForeignKey(SmearImage, on_delete=models.CASCADE, related_name="cells")
    # Grows by one with each change; an operation names the version it was based on.
    version = models.PositiveIntegerField(default=1)
    # The image's revision that the last change made.
    revision = models.PositiveIntegerField(default=0)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.CONFIRMED)
    origin = models.CharField(max_length=16, choices=Origin.choices, default=Origin.DRAWN)
    border = models.JSONField()
    # The border's bounds in pixels, clipped to the image; set by place().
    x0 = models.FloatField()
    y0 = models.FloatField()
    x1 = models.FloatField()
    y1 = models.FloatField()
    # An ignored region: training neither rewards nor punishes there. Its class as the source names it.
    ignored = models.BooleanField(default=False)
    ignored_class = models.CharField(max_length=200, blank=True)
    run = models.ForeignKey(ProposalRun, on_delete=models.PROTECT, null=True, blank=True, related_name="cells")
    score = models.FloatField(null=True, blank=True)
    # Of a proposal: the IoU of its border before and after the detector's last look at it, 0 to 1. Null where it was
    # looked at once.
    tightness = models.FloatField(null=True, blank=True)
    # As proposed, beside what a person made of it.
    proposed_border = models.JSONField(null=True, blank=True)
    # A proposal that lies on a border a person stands for or has rejected: kept for measuring, not shown.
    shadowed = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    objects = CellQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "pk"]
        indexes = [
            models.Index(fields=["image", "status"]),
            models.Index(fields=["image", "revision"]),
            # The worklist sums over all open proposals of a study how sure the detector is of them: out of the index
            # alone, for with its borders a row of this table weighs a hundred times as much.
            models.Index(
                fields=["image"],
                include=["score", "tightness", "run"],
                condition=Q(status="proposed", shadowed=False),
                name="open_proposals_of_an_image",
            ),
            # The gallery sorts all cells of a study by when they came and by their size, out of the index alone.
            models.Index(
                fields=["image"],
                include=["id", "created_at", "x0", "y0", "x1", "y1"],
                condition=Q(status="confirmed", ignored=False),
                name="cells_to_look_at",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(origin="proposal")
                | Q(run__isnull=False, score__isnull=False, proposed_border__isnull=False),
                name="proposal_keeps_run_score_and_border",
            )
        ]

    def __str__(self) -> str:
        return str(self.id)

    def place(self, border: dict, image: SmearImage) -> None:
        """Take a cleaned border and its bounds. Does not save."""
        self.border = border
        self.x0, self.y0, self.x1, self.y1 = bounds(border, image.width, image.height)
