from annotation.models.cell import Cell, Correction
from annotation.models.image import ImageName, SmearImage
from annotation.models.label import CellLabel, Label, LabelGroup
from annotation.models.operation import Operation
from annotation.models.patient import Diagnosis, Patient
from annotation.models.proposal_run import ProposalRun
from annotation.models.study import Membership, Role, Study

__all__ = [
    "Cell",
    "CellLabel",
    "Correction",
    "Diagnosis",
    "ImageName",
    "Label",
    "LabelGroup",
    "Membership",
    "Operation",
    "Patient",
    "ProposalRun",
    "Role",
    "SmearImage",
    "Study",
]
