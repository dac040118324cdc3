"""Which model the probabilities in the gallery are from, label by label, and when it said them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from annotation.models import Label, Study
from inference.models import INTERACTIVE, CellProbability, ClassifyJob, InteractiveHead
from training.models import Bundle, JobState

# Of more labels the others are told by their number.
_NAMED = 3


def spoken_of(study: Study) -> dict[int, str]:
    """The labels of which a model has said how probable they are: by their ids the bundle's id, or INTERACTIVE. A model
    speaks of all cells at once, so that one of them tells for all. One query."""
    said = CellProbability.objects.filter(label=OuterRef("pk")).order_by("-probability").values("bundle")[:1]
    labels = Label.objects.filter(group__study=study).order_by().annotate(by=Subquery(said)).exclude(by=None)
    return dict(labels.values_list("pk", "by"))


def said_by(study: Study, spoken: Mapping[int, str]) -> list[str]:
    """A sentence for each model whose probabilities are shown; `spoken` is spoken_of(study). Five queries at most."""
    labels = (
        Label.objects.filter(pk__in=spoken).select_related("group").order_by("group__order", "group", "order", "pk")
    )
    by: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        by[spoken[label.pk]].append(label)
    jobs = ClassifyJob.objects.filter(study=study, state=JobState.SUCCEEDED)
    rounds = {bundle.pk: bundle.made_by for bundle in Bundle.objects.filter(pk__in=by).prefetch_related("rounds")}
    sentences = []
    for bundle, own in by.items():
        if bundle == INTERACTIVE:
            heads = InteractiveHead.objects.filter(group__in={label.group_id for label in own})
            at = max((head.finished_at for head in heads if head.finished_at), default=None)
            who = "heads that learn while people label"
        else:
            job = jobs.filter(result__bundles__contains=[bundle]).defer("log").first()
            at = job.finished_at if job else None
            made = rounds.get(bundle)
            who = f"bundle {bundle}" + (f" of round {made.number}" if made else "")
        when = f", {timezone.localtime(at):%-d %b %H:%M}" if at else ""
        sentences.append(f"{_named(own, [label for each in by.values() for label in each])}: {who}{when}.")
    return sentences


def _named(labels: Sequence[Label], spoken: Sequence[Label]) -> str:
    """The group where one model speaks of most of it, else the labels."""
    names: list[str] = []
    for group in dict.fromkeys(label.group for label in labels):
        own = [label for label in labels if label.group == group]
        most = len(own) > 1 and 2 * len(own) > sum(label.group == group for label in spoken)
        names += [group.name] if most else [label.name for label in own]
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
