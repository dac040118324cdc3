from collections.abc import Sequence

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import OuterRef, TextField, Value
from django.db.models.functions import MD5, Cast, Concat

from annotation.measure_table import MEASURES, RECIPE
from annotation.models.cell import Cell
from annotation.models.image import SmearImage


class Real(models.FloatField):
    """A number of 4 bytes: seven digits are more than any measure has, and a gallery is sorted in half the time."""

    def db_type(self, connection: object) -> str:
        return "real"


def shape_of_cell() -> MD5:
    """For a query of cells: what their measures depend on, beside pixels that never change: border, scale, recipe."""
    parts = (Cast("border", TextField()), Cast("image__um_per_pixel", TextField()), Value(RECIPE))
    return MD5(Concat(parts[0], Value("|"), parts[1], Value("|"), parts[2], output_field=TextField()))


class CellMeasures(models.Model):
    """What was measured of a cell (annotation/cell_measures.py), in the order of the table of measures."""

    cell = models.OneToOneField(Cell, on_delete=models.CASCADE, primary_key=True, related_name="measures")
    # shape_of_cell() when it was measured: another one where border or scale have been changed since.
    shape = models.CharField(max_length=32)
    # Rows of one recipe alone can be read: the table may have changed since.
    recipe = models.CharField(max_length=32)
    # Whether lengths are in µm, as the image's scale was known, or in px.
    in_um = models.BooleanField()
    values = ArrayField(Real(null=True))

    class Meta:
        verbose_name_plural = "cell measures"

    def __str__(self) -> str:
        return f"Measures of {self.cell_id}"

    def by_name(self) -> dict[str, float | None]:
        """The measures by their names; all None where they are of another recipe."""
        values: Sequence[float | None] = self.values if self.recipe == RECIPE else [None] * len(MEASURES)
        return {measure.name: value for measure, value in zip(MEASURES, values, strict=True)}


class MeasuredImage(models.Model):
    """Up to which revision the cells of an image were measured: whoever looks for what is missing looks at rows of
    images, not of cells."""

    image = models.OneToOneField(SmearImage, on_delete=models.CASCADE, primary_key=True, related_name="measured")
    revision = models.PositiveIntegerField()
    um_per_pixel = models.FloatField(null=True, blank=True)
    recipe = models.CharField(max_length=32)

    def __str__(self) -> str:
        return f"Image {self.image_id} measured at {self.revision}"

    @classmethod
    def up_to_date(cls) -> models.Exists:
        """For a query of images: whether all of their cells have been measured as they are."""
        same_scale = models.Q(um_per_pixel=OuterRef("um_per_pixel")) | models.Q(
            um_per_pixel=None, image__um_per_pixel=None
        )
        return models.Exists(
            cls.objects.filter(same_scale, image=OuterRef("pk"), revision=OuterRef("revision"), recipe=RECIPE)
        )
