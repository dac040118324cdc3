"""Which line of the marrow a cell type belongs to, by its name: for the ratio of myeloid to erythroid cells.

After the ICSH guideline for bone marrow specimens (Lee et al. 2008): all granulocytes and monocytes and their
precursors against all erythroblasts; lymphocytes, plasma cells and others stand on neither side.
"""

from collections.abc import Iterable
from enum import StrEnum

from annotation.label_names import same_name
from annotation.shipped_schemes import CELL_TYPE_GROUP, SCHEMES


class Lineage(StrEnum):
    MYELOID = "myeloid"
    ERYTHROID = "erythroid"
    OTHER = "other"


_MYELOID = (
    *("Myeloblast", "Blast", "Monoblast", "Promonocyte", "Monocyte", "Promyelocyte", "Abnormal promyelocyte"),
    *("Faggot cell", "Myelocyte", "Metamyelocyte", "Neutrophil", "Band neutrophil", "Segmented neutrophil"),
    *("Neutrophil band", "Neutrophil segmented", "Eosinophil", "Abnormal eosinophil", "Basophil", "Granulocyte"),
)
_ERYTHROID = (
    *("Erythroblast", "Proerythroblast", "Normoblast", "Pronormoblast", "Basophilic erythroblast"),
    *("Polychromatic erythroblast", "Orthochromatic erythroblast", "Nucleated red cell", "Megaloblast"),
)


def _spellings() -> dict[str, Lineage]:
    found = {same_name(name): Lineage.MYELOID for name in _MYELOID}
    found |= {same_name(name): Lineage.ERYTHROID for name in _ERYTHROID}
    # The codes of the shipped schemes, by their labels.
    for scheme in SCHEMES.values():
        for label in (label for group in scheme.groups if group.name == CELL_TYPE_GROUP for label in group.labels):
            line = found.get(same_name(label.name))
            if line is not None:
                found |= {same_name(alias): line for alias in label.aliases}
    return found


_BY_NAME = _spellings()


def lineage_of(name: str, aliases: Iterable[str] = ()) -> Lineage:
    """By the name, in whatever spelling, or by one of its further names; OTHER where none is known."""
    for each in (name, *aliases):
        found = _BY_NAME.get(same_name(each))
        if found is not None:
            return found
    return Lineage.OTHER
