from inference.models.proposal_job import ProposalJob

__all__ = ["ProposalJob"]
