import pghistory
from django.conf import settings
from django.db import models

from annotation.models.cell import Cell
from annotation.models.label import LabelGroup


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class Adjudication(models.Model):
    """What a reviewer decided that counts for a cell in one label group, whatever its readers say.

    It is made and taken back by operations (annotation/operations.py), which keep who, when and why.
    """

    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, related_name="adjudications")
    group = models.ForeignKey(LabelGroup, on_delete=models.CASCADE, related_name="adjudications")
    # Label ids of the group; none where the reviewer decided that none applies.
    labels = models.JSONField(default=list, blank=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="adjudications")
    note = models.CharField(max_length=2000, blank=True)
    decided_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["cell", "group"], name="one_adjudication_a_cell_and_group")]

    def __str__(self) -> str:
        return f"{self.cell_id} · {self.group_id}"
