"""The bundles of a study, and which of them was in use when."""

from django.db.models import Prefetch, QuerySet

from annotation.models import Study
from training.models import Bundle, Kind, Promotion, Round

# The newest of each that are listed.
LISTED = 200


def bundles_of(study: Study, kind: str = Kind.DETECTOR) -> QuerySet[Bundle]:
    """Newest first, with the rounds that made them. Costs two queries."""
    bundles = Bundle.objects.filter(study=study, kind=kind).select_related("promoted_by")
    return _with_rounds(bundles).order_by("-created_at")[:LISTED]


def history_of(study: Study, kind: str = Kind.DETECTOR) -> QuerySet[Promotion]:
    """Every change of the bundles in use, newest first. Costs one query."""
    return (
        Promotion.objects.filter(study=study, kind=kind)
        .select_related("by", "bundle", "previous")
        .defer("bundle__card", "previous__card")
        .order_by("-pk")[:LISTED]
    )


def in_use_and_before(study: Study, kind: str = Kind.DETECTOR) -> dict[str, Bundle | None]:
    """{"in_use", "back"}: the bundle in use and the one that was before it, to which a roll back returns; each with
    the round that made it. Costs four queries at most."""
    last = Promotion.objects.filter(study=study, kind=kind).order_by("-pk").values_list("previous").first()
    bundles = _with_rounds(Bundle.objects.filter(study=study, kind=kind).defer("card"))
    return {
        "in_use": bundles.filter(in_use=True).first(),
        "back": bundles.filter(pk=last[0]).first() if last else None,
    }


def classifiers_in_use(study: Study) -> list[tuple[Bundle, Bundle | None]]:
    """The classifier in use of each target, in the order of their names, and the one that was before it; each with the
    round that made it. Costs four queries."""
    bundles = _with_rounds(Bundle.objects.filter(study=study, kind=Kind.CLASSIFIER).defer("card"))
    in_use = sorted(bundles.filter(in_use=True), key=lambda bundle: bundle.tells)
    last: dict[str, str | None] = {}
    for promoted, previous in (
        Promotion.objects.filter(study=study, bundle__in=in_use).order_by("pk").values_list("bundle_id", "previous_id")
    ):
        last[promoted] = previous
    before = {bundle.pk: bundle for bundle in bundles.filter(pk__in=[key for key in last.values() if key])}
    return [(bundle, before.get(str(last.get(bundle.pk)))) for bundle in in_use]


def _with_rounds(bundles: QuerySet[Bundle]) -> QuerySet[Bundle]:
    return bundles.prefetch_related(Prefetch("rounds", Round.objects.defer("log", "curve")))
