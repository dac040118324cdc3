import gzip
import json
from typing import Any

from django.db import models

from training.models.round import Round


class Judgement(models.Model):
    """What a round's models said of the images, cells or patients that judged it: a later round is held against it.

    In a table and no file: it lies in every backup of the database, and a comparison needs no second place.
    """

    round = models.OneToOneField(Round, on_delete=models.CASCADE, related_name="judgement", primary_key=True)
    # The JSON list of judged.json, gzipped: of images (training/judged.py; a third of a megabyte for 100 fields), or of
    # cells or patients (training/judged_chances.py).
    content = models.BinaryField()

    def __str__(self) -> str:
        return f"Judgement of {self.round_id}"

    @property
    def entries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(gzip.decompress(bytes(self.content)))
        return found

    @classmethod
    def keep(cls, round_: Round, entries: list[dict[str, Any]]) -> "Judgement":
        content = gzip.compress(json.dumps(entries, separators=(",", ":")).encode(), 6)
        return cls.objects.update_or_create(round=round_, defaults={"content": content})[0]
