from django.db import models, transaction

from annotation.diagnoses import LONGEST, UNKNOWN, DiagnosesError
from annotation.folds import next_slot
from annotation.models.study import Study


class Patient(models.Model):
    """A pseudonym, a diagnosis, and a fold that is given on arrival and never moved."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="patients")
    code = models.CharField(max_length=200)
    # The key of one of its study's diagnoses, or unknown.
    diagnosis = models.CharField(max_length=LONGEST, default=UNKNOWN)
    # Where or when the smears were made (a site, a batch): bundles are judged cohort by cohort. Empty: not known.
    cohort = models.CharField(max_length=100, blank=True)
    # One of 60 slots; see annotation/folds.py.
    fold = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["study", "code"], name="one_patient_a_code_and_study")]

    def __str__(self) -> str:
        return self.code

    @property
    def diagnosis_title(self) -> str:
        """Its diagnosis as the study names it. Free where the study is at hand."""
        return self.study.diagnoses.title(self.diagnosis)

    @classmethod
    def arrive(cls, study: Study, code: str, diagnosis: str = UNKNOWN) -> "Patient":
        """The study's patient of that code, made with a fold of its own where there is none yet; a diagnosis is taken
        where none was known. Raises DiagnosesError for one that the study does not have."""
        with transaction.atomic():
            # The study's row serialises arrivals: two imports at once must not deal the same slot twice, and no
            # diagnosis may be retired meanwhile.
            known = Study.objects.select_for_update().get(pk=study.pk).diagnoses
            if diagnosis != UNKNOWN and diagnosis not in known:
                raise DiagnosesError(f"The study {study.name} has no diagnosis {diagnosis!r}, only {known.words}.")
            found = cls.objects.filter(study=study, code=code).first()
            if found:
                if found.diagnosis == UNKNOWN != diagnosis:
                    found.diagnosis = diagnosis
                    found.save(update_fields=["diagnosis"])
                return found
            slots = list(
                cls.objects.filter(study=study, diagnosis=diagnosis).order_by("pk").values_list("fold", flat=True)
            )
            total = cls.objects.filter(study=study).count()
            return cls.objects.create(study=study, code=code, diagnosis=diagnosis, fold=next_slot(slots, total))
