"""The label scheme that a study starts with: the paper's cells of interest among the common marrow cells."""

from dataclasses import dataclass

from annotation.models import Label, LabelGroup, Study, TextAttribute


@dataclass(frozen=True)
class SchemeLabel:
    name: str
    key: str
    colour: str


# Colours after Paul Tol's schemes, which colour-blind people can tell apart.
CELL_TYPES = (
    SchemeLabel("Myeloblast", "1", "#4477aa"),
    SchemeLabel("Promyelocyte", "2", "#ee6677"),
    SchemeLabel("Myelocyte", "3", "#228833"),
    SchemeLabel("Metamyelocyte", "", "#44aa99"),
    SchemeLabel("Neutrophil", "4", "#ccbb44"),
    SchemeLabel("Eosinophil", "", "#ee7733"),
    SchemeLabel("Monocyte", "5", "#66ccee"),
    SchemeLabel("Lymphocyte", "6", "#aa3377"),
    SchemeLabel("Erythroblast", "7", "#882255"),
    SchemeLabel("Other cell", "8", "#888888"),
)
CHARACTERISTICS = (
    SchemeLabel("Auer rod", "9", "#cc3311"),
    SchemeLabel("Faggot cell", "0", "#aa4499"),
)
CELL_TYPE_GROUP = "Cell type"
CHARACTERISTICS_GROUP = "Characteristics"
REMARK = "Remark"


def give_default_scheme(study: Study) -> None:
    """Make the default groups, labels and remark in a study that has none; a study with a scheme keeps it."""
    if study.label_groups.exists():
        return
    for order, (name, multiple, labels) in enumerate(
        [(CELL_TYPE_GROUP, False, CELL_TYPES), (CHARACTERISTICS_GROUP, True, CHARACTERISTICS)]
    ):
        group = LabelGroup.objects.create(study=study, name=name, multiple=multiple, order=order)
        Label.objects.bulk_create(
            Label(group=group, name=label.name, key=label.key, colour=label.colour, order=position)
            for position, label in enumerate(labels)
        )
    TextAttribute.objects.get_or_create(study=study, name=REMARK)


def study_named(name: str, *, synthetic: bool = False) -> Study:
    """The study of that name, made with the default scheme where there is none (as `--study NAME` promises)."""
    study, made = Study.objects.get_or_create(name=name, defaults={"synthetic": synthetic})
    if made:
        give_default_scheme(study)
    return study
