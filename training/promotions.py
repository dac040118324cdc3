"""The bundles of a study, and which of them was in use when."""

from django.db.models import Prefetch, QuerySet

from annotation.models import Study
from training.models import Bundle, Kind, Promotion, Round

# The newest of each that are listed.
LISTED = 200


def bundles_of(study: Study) -> QuerySet[Bundle]:
    """Newest first, with the rounds that made them. Costs two queries."""
    bundles = Bundle.objects.filter(study=study, kind=Kind.DETECTOR).select_related("promoted_by")
    return _with_rounds(bundles).order_by("-created_at")[:LISTED]


def history_of(study: Study) -> QuerySet[Promotion]:
    """Every change of the bundle in use, newest first. Costs one query."""
    return (
        Promotion.objects.filter(study=study, kind=Kind.DETECTOR)
        .select_related("by", "bundle", "previous")
        .defer("bundle__card", "previous__card")
        .order_by("-pk")[:LISTED]
    )


def in_use_and_before(study: Study) -> dict[str, Bundle | None]:
    """{"in_use", "back"}: the bundle in use and the one that was before it, to which a roll back returns; each with
    the round that made it. Costs four queries at most."""
    last = Promotion.objects.filter(study=study, kind=Kind.DETECTOR).order_by("-pk").values_list("previous").first()
    bundles = _with_rounds(Bundle.objects.filter(study=study, kind=Kind.DETECTOR).defer("card"))
    return {
        "in_use": bundles.filter(in_use=True).first(),
        "back": bundles.filter(pk=last[0]).first() if last else None,
    }


def _with_rounds(bundles: QuerySet[Bundle]) -> QuerySet[Bundle]:
    return bundles.prefetch_related(Prefetch("rounds", Round.objects.defer("log", "curve")))
