"""What a label stands for in a diagnosis: each study names its cells its own way, ratios need to know the blasts."""

from collections.abc import Iterable

from django.db import models

from annotation.label_names import same_name


class CellRole(models.TextChoices):
    """The cells that diagnoses are made of. MATURE are those that every smear has and no leukaemia is made of, which
    tell how it was stained; NO_CELL is what enters no ratio of nucleated cells."""

    MYELOBLAST = "myeloblast", "Myeloblast"
    PROMYELOCYTE = "promyelocyte", "Promyelocyte"
    AUER_ROD = "auer_rod", "Auer rod"
    MATURE = "mature", "Mature cell"
    NO_CELL = "no_cell", "No viable nucleated cell"
    OTHER = "other", "None of these"


_BLASTS = ("blast", "myeloblast", "bla")
_PROMYELOCYTES = ("promyelocyte", "pmo", "abnormal promyelocyte", "atypical promyelocyte")
_MATURE = ("lymphocyte", "neutrophil", "segmented neutrophil", "neutrophil segmented", "neutrophil (segmented)")
# Words of what is no viable nucleated cell, in whatever combination.
_NO_CELL = {"smudge", "smudged", "thrombocyte", "platelet", "artefact", "artifact", "debris", "background"}


def guessed_role(name: str, aliases: Iterable[str] = ()) -> CellRole:
    """The role that a label's name says, in whatever spelling, or one of its further names."""
    for each in (name, *aliases):
        spelt = same_name(each)
        words = spelt.split()
        if "auer" in words or "faggot" in words:
            return CellRole.AUER_ROD
        if spelt in _PROMYELOCYTES:
            return CellRole.PROMYELOCYTE
        if spelt in _BLASTS:
            return CellRole.MYELOBLAST
        if spelt in _MATURE:
            return CellRole.MATURE
        if _NO_CELL & set(words):
            return CellRole.NO_CELL
    return CellRole.OTHER
