from django.conf import settings
from django.db import models


class KeyBindings(models.Model):
    """The keys that somebody has chosen for the editor, where they differ from its own."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="key_bindings")
    # Command to its keys, as static/src/editor/keys/keys.js names both.
    keys = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "key bindings"

    def __str__(self) -> str:
        return f"Keys of {self.user}"
