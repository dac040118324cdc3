from django.db import models
from django.db.models import Q

from annotation.models import Patient, Study
from training.models.job import LIVE, Job


class PatientDiagnosis(models.Model):
    """What the bundles in use suspected of a patient when somebody last asked, kept for pages to show."""

    patient = models.OneToOneField(Patient, on_delete=models.CASCADE, primary_key=True, related_name="suspected")
    # As inference/diagnosis.py tells it (Diagnosed.as_json), and the bundles with how each was judged.
    said = models.JSONField()
    bundles = models.JSONField(default=list)
    made_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "patient diagnoses"

    def __str__(self) -> str:
        return f"Diagnosis of {self.patient_id}"


class DiagnosisJob(Job):
    """A pass over a study's patients, or over one of them, in which the bundles in use say what they suspect."""

    task_name = "inference.diagnose_patients"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="diagnosis_jobs")
    # Null: all of the study's.
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, null=True, blank=True, related_name="+")

    class Meta(Job.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(
                fields=["study"], condition=Q(state__in=LIVE), name="one_live_diagnosis_job_a_study"
            )
        ]

    def __str__(self) -> str:
        return f"Diagnosis {self.pk} of {self.study_id}"
