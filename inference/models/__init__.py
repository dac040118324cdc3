from inference.models.cell_feature_job import CellFeatureJob
from inference.models.cell_features import CellFeatures, vectors_of
from inference.models.cell_probability import INTERACTIVE, CellProbability
from inference.models.classify_job import ClassifyJob
from inference.models.image_features import ImageFeatures
from inference.models.interactive_head import InteractiveHead
from inference.models.proposal_job import ProposalJob

__all__ = [
    "INTERACTIVE",
    "CellFeatureJob",
    "CellFeatures",
    "CellProbability",
    "ClassifyJob",
    "ImageFeatures",
    "InteractiveHead",
    "ProposalJob",
    "vectors_of",
]
