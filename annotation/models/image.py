from typing import TYPE_CHECKING

import pghistory
from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation.folds import next_slot
from annotation.models.patient import Patient
from annotation.models.study import Role, Study

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


class ImageQuerySet(models.QuerySet["SmearImage"]):
    def visible_to(self, user: "User | AnonymousUser") -> "ImageQuerySet":
        if not user.is_authenticated:
            return self.none()
        if user.is_superuser:
            return self
        return self.filter(study__memberships__user=user)

    def unannotated(self) -> "ImageQuerySet":
        """Images that no person has touched: the ones that receive proposals."""
        return self.filter(state__in=SmearImage.UNTOUCHED)

    def finished(self) -> "ImageQuerySet":
        """Images whose borders are the truth: the ones that a round learns from."""
        return self.filter(state__in=SmearImage.FINISHED)

    def representative(self) -> "ImageQuerySet":
        """Images that may enter ratios: all but cells that were picked for their kind."""
        return self.exclude(sample=SmearImage.Sample.EXTRA)

    def fields(self) -> "ImageQuerySet":
        """Fields of a smear: on a single cell's image the cells beside it have no borders."""
        return self.filter(single_cell=False)


# When an image was finished, and when it was opened again: only in between were its borders the truth.
@pghistory.track(
    pghistory.InsertEvent(),
    pghistory.UpdateEvent(condition=pghistory.AnyChange("state")),
    fields=["state"],
)
class SmearImage(models.Model):
    """One field of a smear. Its pixels lie in the image store under their hash."""

    class State(models.TextChoices):
        NEW = "new", "New"
        PROPOSED = "proposed", "Proposed"
        IN_PROGRESS = "in_progress", "In progress"
        ANNOTATED = "annotated", "Annotated"
        REVIEWED = "reviewed", "Reviewed"

    UNTOUCHED = (State.NEW, State.PROPOSED)
    FINISHED = (State.ANNOTATED, State.REVIEWED)

    class SizeSource(models.TextChoices):
        OPTION = "option", "given at import"
        METADATA = "metadata", "file metadata"
        STUDY = "study", "study default"
        UNKNOWN = "unknown", "unknown"

    class Sample(models.TextChoices):
        """How the cells on it were chosen among those of the patient."""

        FIELD = "", "All of a field"
        RANDOM = "random", "A random draw"
        EXTRA = "extra", "Picked for their kind"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="images")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, null=True, blank=True, related_name="images")
    sha256 = models.CharField(max_length=64)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    um_per_pixel = models.FloatField(null=True, blank=True)
    um_source = models.CharField(max_length=16, choices=SizeSource.choices, default=SizeSource.UNKNOWN)
    # The slot of an image that came without a patient (annotation/folds.py); a patient's own counts first.
    fold = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.NEW)
    synthetic = models.BooleanField(default=False)
    sample = models.CharField(max_length=16, choices=Sample.choices, default=Sample.FIELD, blank=True)
    # A picture around one cell: nobody is asked for the borders of what lies beside it, and its file's name may say
    # what the cell is.
    single_cell = models.BooleanField(default=False)
    # The last run that proposed borders here: its proposals are the present ones, also where it found none.
    proposed_by = models.ForeignKey(
        "annotation.ProposalRun", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # What the run before and the present one disagree about, 0 to 1; null until two have proposed borders here.
    disagreement = models.FloatField(null=True, blank=True)
    # How unlike the most similar finished image it is, 0 to 2; null where nobody has compared them.
    novelty = models.FloatField(null=True, blank=True)
    # Its place among the images that a detector would learn from, 1 first; null past the end of that list.
    learning_rank = models.PositiveIntegerField(null=True, blank=True)
    # Who is to annotate it; null: whoever takes it.
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="assigned_images"
    )
    # Grows by one with everything that changes on the image for its readers: cells, comments, state, proposals.
    # Whoever makes such a change holds the lock on this row, so that a revision once read is complete.
    revision = models.PositiveIntegerField(default=0)
    # The revision at which proposals were replaced: who knows an earlier one reads the image anew.
    replaced_in = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ImageQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["study", "sha256"], name="one_image_a_hash_and_study"),
            models.CheckConstraint(
                condition=Q(um_per_pixel__isnull=True) | Q(um_per_pixel__gt=0),
                name="image_um_per_pixel_positive",
            ),
        ]
        indexes = [models.Index(fields=["study", "state"]), models.Index(fields=["study", "assignee"])]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """What everybody may read: the first name it came under, but of a single cell none that could tell its kind.

        Free for a single cell and where `names` is prefetched, else one query.
        """
        return f"Cell {self.sha256[:8]}" if self.single_cell else self.file_name

    @property
    def file_name(self) -> str:
        """The first name it came under, for admins and on the command line. Free where `names` is prefetched."""
        names = list(self.names.all())
        return names[0].name if names else self.sha256[:12]

    def name_for(self, role: Role | None) -> str:
        """Its name as somebody of that role in its study reads it."""
        return self.file_name if role == Role.ADMIN else self.name

    @property
    def group(self) -> str:
        """What never crosses a split: the patient, or the image itself where there is none."""
        return f"p:{self.patient.code}" if self.patient else f"i:{self.sha256}"

    @property
    def slot(self) -> int:
        return self.patient.fold if self.patient else self.fold

    @classmethod
    def next_fold(cls, study: Study) -> int:
        """The slot of an image that arrives now without a patient. Call with the study's row locked."""
        slots = list(
            cls.objects.filter(study=study, patient__isnull=True).order_by("-pk").values_list("fold", flat=True)[:1]
        )
        return next_slot(slots, Patient.objects.filter(study=study).count())


class ImageName(models.Model):
    """A name that an image came under, relative to the folder given; one image may have several."""

    image = models.ForeignKey(SmearImage, on_delete=models.CASCADE, related_name="names")
    name = models.CharField(max_length=1000)
    # Of a picture of a single cell: the classes that tables gave it under this name, as they spell them.
    classes = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["image", "name"], name="one_row_a_name_and_image")]
        indexes = [models.Index(fields=["name"])]

    def __str__(self) -> str:
        return self.name
