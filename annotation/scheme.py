"""A study's label scheme as it begins: one of the shipped ones, made into rows."""

from annotation.diagnoses import USUAL, Diagnoses
from annotation.models import Label, LabelGroup, Study, TextAttribute
from annotation.shipped_schemes import CELL_TYPE_GROUP, CHARACTERISTICS_GROUP, DEFAULT, SCHEMES

__all__ = [
    "CELL_TYPE_GROUP",
    "CHARACTERISTICS_GROUP",
    "DEFAULT",
    "SCHEMES",
    "diagnoses_in",
    "give_scheme",
    "study_named",
]

REMARK = "Remark"


def give_scheme(study: Study, key: str = DEFAULT) -> None:
    """Make the groups and labels of a shipped scheme, and the remark, in a study that has none; a study with a scheme
    keeps it. Raises KeyError for a scheme that is not shipped."""
    shipped = SCHEMES[key]
    if study.label_groups.exists():
        return
    for order, group in enumerate(shipped.groups):
        row = LabelGroup.objects.create(
            study=study, name=group.name, multiple=group.multiple, description=group.description, order=order
        )
        Label.objects.bulk_create(
            Label(
                group=row,
                name=label.name,
                key=label.key,
                colour=label.colour,
                description=label.description,
                counted=label.counted,
                aliases=list(label.aliases),
                order=position,
            )
            for position, label in enumerate(group.labels)
        )
    TextAttribute.objects.get_or_create(study=study, name=REMARK)


def study_named(name: str, *, synthetic: bool = False, scheme: str = DEFAULT) -> Study:
    """The study of that name, made with a shipped scheme where there is none (as `--study NAME` promises)."""
    study, made = Study.objects.get_or_create(name=name, defaults={"synthetic": synthetic})
    if made:
        give_scheme(study, scheme)
    return study


def diagnoses_in(name: str) -> Diagnoses:
    """Those of the study of that name; where there is none, what it would begin with."""
    study = Study.objects.filter(name=name).first()
    return study.diagnoses if study else USUAL
