from django.db import models, transaction

from annotation.folds import next_slot
from annotation.models.study import Study


class Diagnosis(models.TextChoices):
    APL = "apl", "APL"
    NON_APL_AML = "non_apl_aml", "Non-APL AML"
    HEALTHY = "healthy", "Healthy donor"
    UNKNOWN = "unknown", "Unknown"

    @classmethod
    def parse(cls, text: str) -> "Diagnosis":
        """A diagnosis as people write it. Raises ValueError naming what is accepted."""
        key = "".join(c for c in text.lower() if c.isalnum())
        found = _SPELLINGS.get(key)
        if found is None:
            raise ValueError(f"Diagnosis {text!r} is not one of APL, non-APL AML, healthy donor, unknown.")
        return cls(found)


_SPELLINGS = {
    "": "unknown",
    "unknown": "unknown",
    "na": "unknown",
    "apl": "apl",
    "amlm3": "apl",
    "m3": "apl",
    "nonaplaml": "non_apl_aml",
    "aml": "non_apl_aml",
    "otheraml": "non_apl_aml",
    "nonapl": "non_apl_aml",
    "healthy": "healthy",
    "healthydonor": "healthy",
    "donor": "healthy",
    "control": "healthy",
    "normal": "healthy",
}


class Patient(models.Model):
    """A pseudonym, a diagnosis, and a fold that is given on arrival and never moved."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="patients")
    code = models.CharField(max_length=200)
    diagnosis = models.CharField(max_length=16, choices=Diagnosis.choices, default=Diagnosis.UNKNOWN)
    # Where or when the smears were made (a site, a batch): bundles are judged cohort by cohort. Empty: not known.
    cohort = models.CharField(max_length=100, blank=True)
    # One of 60 slots; see annotation/folds.py.
    fold = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["study", "code"], name="one_patient_a_code_and_study")]

    def __str__(self) -> str:
        return self.code

    @classmethod
    def arrive(cls, study: Study, code: str, diagnosis: str = Diagnosis.UNKNOWN) -> "Patient":
        """The study's patient of that code, made with a fold of its own where there is none yet."""
        with transaction.atomic():
            # The study's row serialises arrivals: two imports at once must not deal the same slot twice.
            Study.objects.select_for_update().get(pk=study.pk)
            found = cls.objects.filter(study=study, code=code).first()
            if found:
                return found
            slots = list(
                cls.objects.filter(study=study, diagnosis=diagnosis).order_by("pk").values_list("fold", flat=True)
            )
            total = cls.objects.filter(study=study).count()
            return cls.objects.create(study=study, code=code, diagnosis=diagnosis, fold=next_slot(slots, total))
