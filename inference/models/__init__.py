from inference.models.image_features import ImageFeatures
from inference.models.proposal_job import ProposalJob

__all__ = ["ImageFeatures", "ProposalJob"]
