"""How unsure the detector is of an image, as the number of corrections that a person may expect there.

A score is read as the probability that a border is a cell's. A proposal that people see is then wrong with the
probability 1 − score; a cell that they do not see, because its score is below the threshold, is missing with the
probability score. Of a cell that is there the border may be off: the detector looks at each twice, and by as much as
the second look still moved it, 1 − tightness, it is unsure of where the cell ends. The sum over an image's open
proposals is the number of borders that will have to be deleted, moved or added: a figure that a hematologist knows
from the work, and that puts first the images whose corrections teach a detector most. Where the tightness is not known
(of proposals without a model, say), no border is expected to be off. Hidden borders below half the threshold are left
out: a detector proposes hundreds of them on every image, on stain and on cells that it has found already, and their
sum would say how many there are, not how unsure they are. Shadowed ones lie on borders that a person has judged and
are left out likewise.
"""

from django.db.models import Case, F, FloatField, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.expressions import Combinable

from annotation.models import Cell, SmearImage

# Images on which proposals still wait for a person.
WAITING = (SmearImage.State.PROPOSED, SmearImage.State.IN_PROGRESS)

_THRESHOLD = F("run__score_threshold")
PROBABLY_WRONG = Case(
    When(score__gte=_THRESHOLD, then=Value(1.0) - F("score")), default=Value(0.0), output_field=FloatField()
)
PROBABLY_OFF = Case(
    When(
        score__gte=_THRESHOLD,
        tightness__isnull=False,
        then=F("score") * (Value(1.0) - F("tightness")),
    ),
    default=Value(0.0),
    output_field=FloatField(),
)
PROBABLY_MISSED = Case(
    When(score__gte=_THRESHOLD, then=Value(0.0)),
    When(score__gte=_THRESHOLD / 2, then=F("score")),
    default=Value(0.0),
    output_field=FloatField(),
)


def uncertainty(as_proposed: int | None = None) -> Combinable:
    """An SQL expression on SmearImage: corrections to expect, null where no proposal waits for a person.

    as_proposed: the image of that id counts with all proposals it ever had, whatever was decided about them since,
    so that an image keeps its place in the order while somebody works on it.
    """
    return Case(
        When(Q(pk=as_proposed), then=_sum(Cell.objects.filter(origin=Cell.Origin.PROPOSAL, shadowed=False))),
        When(state__in=WAITING, then=_sum(Cell.objects.filter(status=Cell.Status.PROPOSED, shadowed=False))),
        default=None,
        output_field=FloatField(null=True),
    )


def _sum(cells: "QuerySet[Cell]") -> Subquery:
    total = (
        cells.filter(image=OuterRef("pk"))
        .order_by()
        .values("image")
        .annotate(total=Sum(PROBABLY_WRONG + PROBABLY_OFF + PROBABLY_MISSED))
        .values("total")
    )
    return Subquery(total, output_field=FloatField(null=True))
