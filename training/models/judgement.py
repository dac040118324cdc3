import gzip
import json
from typing import Any

from django.db import models

from training.models.round import Round


class Judgement(models.Model):
    """What a round's network found on the images that judged it, so that a later round can be held against it.

    In a table and no file: it lies in every backup of the database, and a comparison needs no second place.
    """

    round = models.OneToOneField(Round, on_delete=models.CASCADE, related_name="judgement", primary_key=True)
    # The JSON list of images of judged.json (training/judged.py), gzipped: about a third of a megabyte for 100 fields.
    content = models.BinaryField()

    def __str__(self) -> str:
        return f"Judgement of {self.round_id}"

    @property
    def images(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(gzip.decompress(bytes(self.content)))
        return found

    @classmethod
    def keep(cls, round_: Round, images: list[dict[str, Any]]) -> "Judgement":
        content = gzip.compress(json.dumps(images, separators=(",", ":")).encode(), 6)
        return cls.objects.update_or_create(round=round_, defaults={"content": content})[0]
