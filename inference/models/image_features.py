from django.db import models

from annotation.models import SmearImage


class ImageFeatures(models.Model):
    """An image as one bundle sees it as a whole: a vector, float32 as bytes, comparable under that bundle alone."""

    image = models.ForeignKey(SmearImage, on_delete=models.CASCADE, related_name="+")
    # A bundle's id, or the name of the method without a model, as on a ProposalRun.
    bundle = models.CharField(max_length=64)
    vector = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["image", "bundle"], name="one_vector_an_image_and_bundle")]
        indexes = [models.Index(fields=["bundle"], name="inference_i_bundle_idx")]

    def __str__(self) -> str:
        return f"{self.image_id} under {self.bundle}"
