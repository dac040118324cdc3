from annotation.models.adjudication import Adjudication
from annotation.models.cell import Cell, Correction
from annotation.models.cell_measures import CellMeasures, MeasuredImage
from annotation.models.comment import Comment
from annotation.models.image import ImageName, SmearImage
from annotation.models.image_effort import ImageEffort
from annotation.models.image_quality import ImageQuality
from annotation.models.key_bindings import KeyBindings
from annotation.models.label import CellLabel, CellText, Label, LabelGroup, TextAttribute
from annotation.models.operation import Operation
from annotation.models.patient import Patient
from annotation.models.presence import Presence
from annotation.models.proposal_run import ProposalRun
from annotation.models.reading import CellReading, Reader, Reading
from annotation.models.study import ImageOrder, Membership, Role, Study

__all__ = [
    "Adjudication",
    "Cell",
    "CellLabel",
    "CellMeasures",
    "CellReading",
    "CellText",
    "Comment",
    "Correction",
    "ImageEffort",
    "ImageName",
    "ImageOrder",
    "ImageQuality",
    "KeyBindings",
    "Label",
    "LabelGroup",
    "MeasuredImage",
    "Membership",
    "Operation",
    "Patient",
    "Presence",
    "ProposalRun",
    "Reader",
    "Reading",
    "Role",
    "SmearImage",
    "Study",
    "TextAttribute",
]
