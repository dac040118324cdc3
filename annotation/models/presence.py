from django.conf import settings
from django.db import models

from annotation.models.image import SmearImage


class Presence(models.Model):
    """Somebody has an image open: when their editor last said so."""

    image = models.ForeignKey(SmearImage, on_delete=models.CASCADE, related_name="present")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["image", "user"], name="one_presence_an_image_and_user")]

    def __str__(self) -> str:
        return f"{self.user} · {self.image_id}"
