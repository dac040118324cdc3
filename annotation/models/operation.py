from django.conf import settings
from django.db import models

from annotation.models.cell import Cell
from annotation.models.image import SmearImage


class Operation(models.Model):
    """One change to one cell, under an id that the client made: replaying it changes nothing."""

    class Kind(models.TextChoices):
        CREATE = "create", "Create"
        RESHAPE = "reshape", "Reshape"
        ACCEPT = "accept", "Accept"
        DELETE = "delete", "Delete"
        RESTORE = "restore", "Restore"
        LABEL = "label", "Label"
        # A reviewer decides which labels of a group count, or takes that back.
        ADJUDICATE = "adjudicate", "Adjudicate"

    # These say what a cell is, and leave its border alone.
    ABOUT_LABELS = (Kind.LABEL, Kind.ADJUDICATE)

    id = models.UUIDField(primary_key=True)
    image = models.ForeignKey(SmearImage, on_delete=models.CASCADE, related_name="operations")
    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, related_name="operations")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    # The version of the cell that the client had seen (0 for a create), and the one that the change made.
    based_on = models.PositiveIntegerField()
    version = models.PositiveIntegerField()
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at"]
        indexes = [
            models.Index(fields=["image", "created_at"]),
            # What somebody did just before: the time between two actions is the time of work (annotation/effort.py).
            models.Index(fields=["user", "created_at"], name="operations_of_a_user"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.cell_id}"
