"""The bundles of a study, and which of them was in use when."""

from django.db.models import Prefetch, QuerySet

from annotation.models import Study
from training.models import Bundle, Kind, Promotion, Round

# The newest of each that are listed.
LISTED = 200


def bundles_of(study: Study) -> QuerySet[Bundle]:
    """Newest first, with the rounds that made them. Costs two queries."""
    rounds = Prefetch("rounds", Round.objects.defer("log", "curve"))
    return (
        Bundle.objects.filter(study=study, kind=Kind.DETECTOR)
        .select_related("promoted_by")
        .prefetch_related(rounds)
        .order_by("-created_at")[:LISTED]
    )


def history_of(study: Study) -> QuerySet[Promotion]:
    """Every change of the bundle in use, newest first. Costs one query."""
    return (
        Promotion.objects.filter(study=study, kind=Kind.DETECTOR)
        .select_related("by", "bundle", "previous")
        .defer("bundle__card", "previous__card")
        .order_by("-pk")[:LISTED]
    )


def way_back(study: Study) -> Bundle | None:
    """The bundle that was in use before the present one: what a roll back returns to; None before the second."""
    last = next(iter(history_of(study)), None)
    return last.previous if last else None
