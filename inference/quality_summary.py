"""How the images of a study are: how many are good, doubtful and poor, for which reasons, and by patient."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Avg, Count

from annotation.models import ImageQuality, Study

# Criteria as people read them.
CRITERIA = {
    "focus": "Focus",
    "exposure": "Exposure",
    "clipping": "Burnt out or black",
    "stain": "Stain",
    "cast": "Colour cast",
    "grain": "Noise",
    "compression": "Compression",
    "density": "Density",
    "regions": "Area good to count on",
    "smudge": "Smudge cells",
    "file": "File",
}


@dataclass(frozen=True)
class CriterionCount:
    name: str
    doubtful: int
    bad: int


@dataclass
class PatientQuality:
    """Of one patient's images; code "" for those without one."""

    code: str
    patient_id: int | None
    images: int = 0
    judged: int = 0
    doubtful: int = 0
    bad: int = 0


@dataclass(frozen=True)
class QualitySummary:
    """good_share: mean share of the images' area that is good to count on, None where there are no regions."""

    images: int
    good: int
    doubtful: int
    bad: int
    criteria: list[CriterionCount] = field(default_factory=list)
    patients: list[PatientQuality] = field(default_factory=list)
    good_share: float | None = None

    @property
    def judged(self) -> int:
        return self.good + self.doubtful + self.bad

    @property
    def waiting(self) -> int:
        return self.images - self.judged

    @property
    def sentence(self) -> str:
        """What is to be known of it on the way; "" where all is good."""
        parts = []
        if self.bad:
            parts.append(f"{self.bad:,} image{' is' if self.bad == 1 else 's are'} poor")
        if self.doubtful:
            parts.append(f"{self.doubtful:,} {'is' if self.doubtful == 1 else 'are'} doubtful")
        return f"Of {self.judged:,} images judged, {' and '.join(parts)}." if parts else ""


def quality_counts(study: Study) -> QualitySummary:
    """The numbers alone, for a line in the worklist. One query."""
    return _summary(dict(study.images.order_by().values_list("quality__verdict").annotate(Count("pk"))))


def _summary(counts: dict[str | None, int], **more: Any) -> QualitySummary:
    good, doubtful, bad = (counts.get(verdict, 0) for verdict in ImageQuality.Verdict.values)
    return QualitySummary(sum(counts.values()), good, doubtful, bad, **more)


def quality_summary(study: Study) -> QualitySummary:
    """Four queries; findings are read of images alone that are not good."""
    patients: dict[int | None, PatientQuality] = {}
    codes = dict(study.patients.values_list("pk", "code"))
    counts: Counter[str | None] = Counter()
    rows = study.images.order_by().values_list("patient_id", "quality__verdict").annotate(Count("pk"))
    for patient_id, verdict, images in rows:
        own = patients.setdefault(patient_id, PatientQuality(codes.get(patient_id, ""), patient_id))
        counts[verdict] += images
        own.images += images
        own.judged += images * (verdict is not None)
        own.doubtful += images * (verdict == ImageQuality.Verdict.DOUBTFUL)
        own.bad += images * (verdict == ImageQuality.Verdict.BAD)
    judged = ImageQuality.objects.filter(image__study=study)
    criteria: dict[str, Counter[str]] = defaultdict(Counter)
    for findings in judged.exclude(verdict=ImageQuality.Verdict.GOOD).values_list("findings", flat=True):
        for finding in findings:
            criteria[finding["criterion"]][finding["verdict"]] += 1
    return _summary(
        counts,
        criteria=[
            CriterionCount(name, criteria[key]["doubtful"], criteria[key]["bad"])
            for key, name in CRITERIA.items()
            if criteria[key]["doubtful"] or criteria[key]["bad"]
        ],
        patients=sorted(patients.values(), key=lambda own: (own.code == "", own.code)),
        good_share=judged.aggregate(share=Avg("good_share"))["share"],
    )
