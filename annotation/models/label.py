import pghistory
from django.conf import settings
from django.db import models

from annotation.label_roles import CellRole, guessed_role
from annotation.models.cell import Cell
from annotation.models.study import Study


class LabelGroup(models.Model):
    """Labels that belong together: cell type (one choice), characteristics (many)."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="label_groups")
    name = models.CharField(max_length=100)
    description = models.TextField(max_length=2000, blank=True)
    multiple = models.BooleanField(default=False)
    order = models.PositiveSmallIntegerField(default=0)
    # Other names under which imports bring it: an attribute of another tool, say.
    aliases = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["order", "pk"]
        constraints = [models.UniqueConstraint(fields=["study", "name"], name="one_group_a_name_and_study")]

    def __str__(self) -> str:
        return self.name


class LabelQuerySet(models.QuerySet["Label"]):
    def offered(self) -> "LabelQuerySet":
        """The labels that people may still choose; retired ones stay on the cells that have them."""
        return self.filter(retired=False)


class Label(models.Model):
    group = models.ForeignKey(LabelGroup, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(max_length=100)
    # What to look for, in plain words of the field.
    description = models.TextField(max_length=2000, blank=True)
    # The number key that sets it in the editor; empty where there are more labels than keys.
    key = models.CharField(max_length=1, blank=True)
    colour = models.CharField(max_length=7, default="#4477aa")
    order = models.PositiveSmallIntegerField(default=0)
    # Whether such cells enter ratios and counts: artefacts and what nobody can name do not.
    counted = models.BooleanField(default=True)
    # No longer offered; stays on its cells, in exports and in the history.
    retired = models.BooleanField(default=False)
    # Other spellings under which imports bring it.
    aliases = models.JSONField(default=list, blank=True)
    # What it stands for in a diagnosis; empty: what its name says.
    role = models.CharField(max_length=16, choices=CellRole.choices, default="", blank=True)

    objects = LabelQuerySet.as_manager()

    class Meta:
        ordering = ["order", "pk"]
        constraints = [models.UniqueConstraint(fields=["group", "name"], name="one_label_a_name_and_group")]

    def __str__(self) -> str:
        return self.name

    @property
    def stands_for(self) -> CellRole:
        return CellRole(self.role) if self.role else guessed_role(self.name, self.aliases)


class TextAttribute(models.Model):
    """Something that is written about a cell in free words, such as a remark."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="text_attributes")
    name = models.CharField(max_length=100)
    order = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["order", "pk"]
        constraints = [models.UniqueConstraint(fields=["study", "name"], name="one_text_attribute_a_name_and_study")]

    def __str__(self) -> str:
        return self.name


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class CellLabel(models.Model):
    """One annotator's choice of a label for a cell; without an annotator it came with an import."""

    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, related_name="labels")
    label = models.ForeignKey(Label, on_delete=models.PROTECT, related_name="cell_labels")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True)
    # How sure the annotator is, 0 to 1; null where not said.
    confidence = models.FloatField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["cell", "label", "annotator"], name="one_choice_an_annotator", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cell_id} · {self.label}"


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class CellText(models.Model):
    """What one annotator wrote about a cell; an empty text is no row."""

    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, related_name="texts")
    attribute = models.ForeignKey(TextAttribute, on_delete=models.PROTECT, related_name="cell_texts")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    text = models.CharField(max_length=2000)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["cell", "attribute", "annotator"], name="one_text_an_annotator"),
        ]

    def __str__(self) -> str:
        return f"{self.cell_id} · {self.attribute}"
