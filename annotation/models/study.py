from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation.diagnoses import Diagnoses, usual_rows

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


class Role(models.TextChoices):
    """What a member may do. Each role may do what the one before it may."""

    ANNOTATOR = "annotator", "Annotator"
    REVIEWER = "reviewer", "Reviewer"
    ADMIN = "admin", "Admin"

    def includes(self, other: "Role") -> bool:
        order = list(Role)
        return order.index(self) >= order.index(other)


class ImageOrder(models.TextChoices):
    """In which order a study's images are given to people who ask for the next one: see annotation/image_order.py."""

    TEACHES = "teaches", "Teaches the detector most"
    UNCERTAIN = "uncertain", "Most uncertain first"
    DISAGREE = "disagree", "Detectors disagree most"
    UNLIKE = "unlike", "Least like the annotated"
    RANDOM = "random", "In random order"


class StudyQuerySet(models.QuerySet["Study"]):
    def visible_to(self, user: "User | AnonymousUser") -> "StudyQuerySet":
        """The studies whose existence a user may know of: their own; all of them for a superuser."""
        if not user.is_authenticated:
            return self.none()
        if user.is_superuser:
            return self
        return self.filter(memberships__user=user)


class Study(models.Model):
    """A project of annotation: its images, label scheme and members."""

    name = models.CharField(max_length=200, unique=True)
    # Used for images that bring no size of their own; null means that sizes are shown in pixels.
    um_per_pixel = models.FloatField(null=True, blank=True)
    synthetic = models.BooleanField(default=False)
    # By what the next image for a person is chosen among those that are nobody's.
    next_order = models.CharField(max_length=16, choices=ImageOrder.choices, default=ImageOrder.TEACHES)
    # What `diagnoses` is made of.
    diagnosis_rows = models.JSONField(default=usual_rows)
    # Which of them models tell apart here, as training/decisions.py reads it.
    decisions = models.TextField(default="apl/non_apl_aml, apl/healthy")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = StudyQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "studies"
        constraints = [
            models.CheckConstraint(
                condition=Q(um_per_pixel__isnull=True) | Q(um_per_pixel__gt=0),
                name="study_um_per_pixel_positive",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def diagnoses(self) -> Diagnoses:
        """Those that its patients can have (training/study_diagnoses.py changes them)."""
        return Diagnoses.of(self.diagnosis_rows)

    def role_of(self, user: Any) -> Role | None:
        """The user's role here, admin for a superuser, None for an outsider. Costs one query."""
        if not user.is_authenticated:
            return None
        if user.is_superuser:
            return Role.ADMIN
        value = self.memberships.filter(user=user).values_list("role", flat=True).first()
        return Role(value) if value else None


class Membership(models.Model):
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.ANNOTATOR)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["study", "user"], name="one_membership_a_user_and_study")]

    def __str__(self) -> str:
        return f"{self.user} · {self.study} · {self.role}"
