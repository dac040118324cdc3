from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation.models.cell import Cell
from annotation.models.label import LabelGroup
from annotation.models.study import Study


class Reading(models.Model):
    """Cells that several people are asked to label, each on their own."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="readings")
    name = models.CharField(max_length=200)
    # What the readers are told.
    note = models.TextField(max_length=2000, blank=True)
    # What the cells are to be labelled with. A reader speaks of these groups, and of others only where they say so.
    groups = models.ManyToManyField(LabelGroup, related_name="readings")
    # Until they are done readers see nobody else's labels of these cells, and with hides_model no probabilities either.
    blind = models.BooleanField(default=True)
    hides_model = models.BooleanField(default=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="readings_asked_for")
    created_at = models.DateTimeField(auto_now_add=True)
    # When a reviewer ended it for all, done or not; null while it goes on.
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name


class ReaderQuerySet(models.QuerySet["Reader"]):
    def reading_on(self) -> "ReaderQuerySet":
        """Those who are not done: what is blind is hidden from them."""
        return self.filter(finished_at=None, reading__ended_at=None)


class Reader(models.Model):
    """One person's part of a reading."""

    reading = models.ForeignKey(Reading, on_delete=models.CASCADE, related_name="readers")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reading_parts")
    # When they said that they were done; null while they read.
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ReaderQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["reading", "user"], name="one_part_a_reader_and_reading")]
        indexes = [
            models.Index(fields=["user"], condition=Q(finished_at=None), name="parts_that_are_being_read"),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.reading}"


class CellReading(models.Model):
    """One cell of a reader's part, and what they said of it before they were done.

    Their labels may change afterwards, when they have seen those of others; agreement is judged by what stands here.
    """

    reader = models.ForeignKey(Reader, on_delete=models.CASCADE, related_name="cells")
    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, related_name="readings")
    # Its place in the order in which the cells are read.
    place = models.PositiveIntegerField()
    read_at = models.DateTimeField(null=True, blank=True)
    # Label ids, and by label id how sure the reader was, 0 to 1, where they said so. Empty until read.
    labels = models.JSONField(default=list, blank=True)
    confidence = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["place"]
        constraints = [
            models.UniqueConstraint(fields=["reader", "cell"], name="one_reading_a_reader_and_cell"),
            models.UniqueConstraint(fields=["reader", "place"], name="one_cell_a_reader_and_place"),
        ]

    def __str__(self) -> str:
        return f"{self.cell_id} · {self.reader_id}"
