"""Synthetic bone marrow smears with full truth: the demo study, and the fixture of tests.

Pure numpy: no Django, no data of any patient. GENERATOR_VERSION changes whenever the same arguments would give other
bytes, so that what was trained on one version is never judged on another unnoticed.
"""

from annotation.synthetic.auer_rods import AuerRod, RodParameters
from annotation.synthetic.cell_types import CELL_TYPES, SMUDGE
from annotation.synthetic.patient import DIAGNOSES, SyntheticPatient, draw_patient
from annotation.synthetic.placement import PlantedCell
from annotation.synthetic.smear import UM_PER_PIXEL, SyntheticCell, SyntheticSmear, draw_smear

GENERATOR_VERSION = 1

__all__ = [
    "CELL_TYPES",
    "DIAGNOSES",
    "GENERATOR_VERSION",
    "SMUDGE",
    "UM_PER_PIXEL",
    "AuerRod",
    "PlantedCell",
    "RodParameters",
    "SyntheticCell",
    "SyntheticPatient",
    "SyntheticSmear",
    "draw_patient",
    "draw_smear",
]
