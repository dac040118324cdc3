from django.db import models
from django.db.models import Q

from annotation.models import Cell, Label

# In place of a bundle's id: the heads that are retrained while people label.
INTERACTIVE = "interactive"


class CellProbability(models.Model):
    """How probable a label is for a cell, as the model says that looked at it last."""

    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, related_name="probabilities", db_index=False)
    label = models.ForeignKey(Label, on_delete=models.CASCADE, related_name="probabilities", db_index=False)
    probability = models.FloatField()
    # The id of a classifier's bundle, or INTERACTIVE.
    bundle = models.CharField(max_length=64)

    class Meta:
        verbose_name_plural = "cell probabilities"
        constraints = [
            models.UniqueConstraint(fields=["cell", "label"], name="one_probability_a_cell_and_label"),
            models.CheckConstraint(condition=Q(probability__gte=0, probability__lte=1), name="probability_from_0_to_1"),
        ]
        indexes = [models.Index(fields=["label", "probability"], name="cells_by_probability")]

    def __str__(self) -> str:
        return f"{self.cell_id} · {self.label_id}: {self.probability:.2f}"
