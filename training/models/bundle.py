from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from annotation.models import Study
from training.classifier_target import Target

if TYPE_CHECKING:
    from training.models.round import Round


class Kind(models.TextChoices):
    """What a round trains and a bundle does."""

    DETECTOR = "detector", "Detector"
    CLASSIFIER = "classifier", "Classifier"
    ENSEMBLE = "ensemble", "Ensemble"
    MIL = "mil", "MILLIE"
    IMAGE = "image", "Whole image"

    @property
    def diagnoses(self) -> bool:
        """Whether it says what a patient has, and not what a cell is."""
        return self in (Kind.ENSEMBLE, Kind.MIL, Kind.IMAGE)

    @property
    def is_baseline(self) -> bool:
        """Whether it is there to be compared with: reports do not ask it, only whoever names its bundle."""
        return self == Kind.IMAGE

    @classmethod
    def reporting(cls) -> list["Kind"]:
        """Those whose bundles in use say what reports and worklists suspect."""
        return [kind for kind in cls if kind.diagnoses and not kind.is_baseline]


class Bundle(models.Model):
    """A trained model of a study: the row beside its folder of weights and card, which is the truth about it."""

    # The first 12 hex digits of the card's hash.
    id = models.CharField(max_length=12, primary_key=True)
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="bundles")
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.DETECTOR)
    # Of a classifier: what it tells, as Round.target; {} for a detector.
    target = models.JSONField(default=dict, blank=True)
    card = models.JSONField()
    # Of a detector: the one that makes the study's proposals. Of classifiers one of each target is in use.
    in_use = models.BooleanField(default=False)
    promoted_at = models.DateTimeField(null=True, blank=True)
    # Null where it came into use by itself, as the newest.
    promoted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["study", "kind", "target"],
                condition=Q(in_use=True),
                name="one_bundle_in_use_a_study_and_target",
            )
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def folder(self) -> Path:
        return Path(settings.BUNDLE_FOLDER) / self.id

    @property
    def tells(self) -> str:
        """What a classifier tells apart, in words; empty for a detector."""
        return Target.of(self.target).words if self.target else ""

    @property
    def made_by(self) -> Optional["Round"]:
        """The round that made it first. Costs one query, none where `rounds` is prefetched."""
        return min(self.rounds.all(), key=lambda r: r.pk, default=None)

    @classmethod
    def used_by(cls, study: Study, kind: str = Kind.DETECTOR) -> Optional["Bundle"]:
        """The bundle in use of a study, if it has one; of classifiers the one that came into use last."""
        return cls.objects.filter(study=study, kind=kind, in_use=True).order_by("-promoted_at").first()

    @classmethod
    def for_start_of(cls, study: Study, user: Any = None) -> models.QuerySet["Bundle"]:
        """The bundles that a round of this study may be told to start from: its own, and those of other studies that
        `user` is a member of; all where nobody is named, as on the command line."""
        known = Study.objects.all() if user is None else Study.objects.visible_to(user)
        return cls.objects.filter(Q(study=study) | Q(study__in=known), kind=Kind.DETECTOR).select_related("study")

    def promote(self, by: Any = None) -> None:
        """Make it the one in use of its study for what it does, and say so in its history. An earlier one promoted
        again is a roll back.

        Nothing happens where it is in use already.
        """
        with transaction.atomic():
            # The study's row serialises two promotions at once; the constraint would refuse the second.
            Study.objects.select_for_update(no_key=True).get(pk=self.study_id)
            same = Bundle.objects.filter(study=self.study_id, kind=self.kind, target=self.target)
            held = same.filter(in_use=True).values_list("pk", flat=True)
            previous = held.first()
            if previous == self.pk:
                return
            held.update(in_use=False)
            self.in_use = True
            self.promoted_at = timezone.now()
            self.promoted_by = by
            self.save(update_fields=["in_use", "promoted_at", "promoted_by"])
            self.promotions.create(
                study_id=self.study_id, kind=self.kind, previous_id=previous, by=by, at=self.promoted_at
            )
