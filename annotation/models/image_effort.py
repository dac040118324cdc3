from django.db import models

from annotation.models.image import SmearImage


class ImageEffort(models.Model):
    """What correcting one image took, as counted at one revision of it (annotation/effort.py).

    Only kept so that nothing is counted twice: it holds nothing that cannot be counted again from cells and operations.
    """

    image = models.OneToOneField(SmearImage, on_delete=models.CASCADE, primary_key=True, related_name="effort")
    revision = models.PositiveIntegerField()
    # Which way of counting it came from: a new one makes the old counts void.
    counting = models.PositiveSmallIntegerField()
    # [[bundle or "", user id or null, accepted, moved, deleted, added, seconds], ...]
    rows = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"Effort of {self.image_id} at {self.revision}"
