from django.conf import settings
from django.db import models

from annotation.models.cell import Cell
from annotation.models.image import SmearImage


class Comment(models.Model):
    """What somebody says about a cell or a place of an image; answers hang under the first of their thread."""

    id = models.UUIDField(primary_key=True)
    image = models.ForeignKey(SmearImage, on_delete=models.CASCADE, related_name="comments")
    # Pinned to a cell, or to the place x, y (image pixels); with neither it is about the whole image.
    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, null=True, blank=True, related_name="comments")
    x = models.FloatField(null=True, blank=True)
    y = models.FloatField(null=True, blank=True)
    answers = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True, related_name="replies")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="comments")
    text = models.CharField(max_length=2000)
    created_at = models.DateTimeField(auto_now_add=True)
    # Of the first of a thread only.
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    # The image's revision that the last change made.
    revision = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["created_at", "pk"]
        indexes = [models.Index(fields=["image", "revision"])]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(x__isnull=True, y__isnull=True) | models.Q(x__isnull=False, y__isnull=False),
                name="comment_place_has_both",
            ),
        ]

    def __str__(self) -> str:
        return self.text[:60]
