"""The group or label that somebody names, however they spell it."""

from annotation.label_names import same_name
from annotation.models import Label, LabelGroup, Study
from training.classifier_target import Target, TargetError


def find_target(study: Study, *, group: str | None = None, label: str | None = None) -> Target:
    """The study's group or label of that name in whatever spelling: `cell-type` is "Cell type". With both, the label of
    that group. Raises TargetError with one sentence. Costs two queries at most."""
    if not group and not label:
        raise TargetError("A classifier needs a label or a group of labels to tell apart.")
    found = None
    if group:
        groups = [each for each in LabelGroup.objects.filter(study=study) if same_name(each.name) == same_name(group)]
        if not groups:
            raise TargetError(f"The study {study.name} has no group of labels {group!r}.")
        found = groups[0]
        if not label:
            return Target(found.name)
    labels = Label.objects.filter(group__study=study).offered().select_related("group")
    named = [
        each
        for each in (labels if found is None else labels.filter(group=found))
        if same_name(label or "") in {same_name(each.name), *map(same_name, each.aliases)}
    ]
    # A name of its own goes before another spelling of another label.
    named = [each for each in named if same_name(each.name) == same_name(label or "")] or named
    if not named:
        raise TargetError(f"The study {study.name} has no label {label!r}{f' in {found.name}' if found else ''}.")
    if len(named) > 1:
        names = " and ".join(sorted(each.group.name for each in named))
        raise TargetError(f"The study {study.name} has a label {label!r} in {names}: name the group too.")
    return Target(named[0].group.name, named[0].name)
