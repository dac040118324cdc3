from inference.models.case_report import CaseReport
from inference.models.cell_evidence import CellEvidence, EvidenceJob
from inference.models.cell_feature_job import CellFeatureJob
from inference.models.cell_features import CellFeatures, vectors_of
from inference.models.cell_map_job import CellMapJob
from inference.models.cell_measure_job import CellMeasureJob
from inference.models.cell_probability import INTERACTIVE, CellProbability
from inference.models.classify_job import ClassifyJob
from inference.models.field_why_job import FieldWhyJob
from inference.models.image_features import ImageFeatures
from inference.models.image_quality_job import ImageQualityJob
from inference.models.interactive_head import InteractiveHead
from inference.models.patient_diagnosis import DiagnosisJob, PatientDiagnosis
from inference.models.proposal_job import ProposalJob
from inference.models.saliency_job import SaliencyJob
from inference.models.validation_job import ValidationJob

__all__ = [
    "INTERACTIVE",
    "CaseReport",
    "CellEvidence",
    "CellFeatureJob",
    "CellFeatures",
    "CellMeasureJob",
    "CellMapJob",
    "CellProbability",
    "ClassifyJob",
    "DiagnosisJob",
    "EvidenceJob",
    "FieldWhyJob",
    "ImageFeatures",
    "ImageQualityJob",
    "InteractiveHead",
    "PatientDiagnosis",
    "ProposalJob",
    "SaliencyJob",
    "ValidationJob",
    "vectors_of",
]
