from django.db import models

from annotation.models.image import SmearImage


class ImageQuality(models.Model):
    """How far an image can be trusted, as a method judged it (inference/image_quality.py).

    Holds nothing that cannot be judged again from the image's pixels and the labels of its cells.
    """

    class Verdict(models.TextChoices):
        GOOD = "good", "Good"
        DOUBTFUL = "doubtful", "Doubtful"
        BAD = "bad", "Poor"

    image = models.OneToOneField(SmearImage, on_delete=models.CASCADE, primary_key=True, related_name="quality")
    # The way of judging, and the image's revision at which its cells were looked at: others make it out of date.
    method = models.CharField(max_length=32)
    revision = models.PositiveIntegerField()
    verdict = models.CharField(max_length=16, choices=Verdict.choices)
    # What is wrong, in sentences for people; empty where nothing is.
    reason = models.TextField(blank=True)
    # [{"criterion", "value", "unit", "verdict", "sentence"}, ...]
    findings = models.JSONField(default=list)
    # [[x, y, width, height, kind], ...] in image pixels (inference/region_selection.py), and the share of the area that
    # is good to count on; none where there is nothing to choose between, as on a picture of a single cell.
    tiles = models.JSONField(default=list)
    good_share = models.FloatField(null=True, blank=True)
    judged_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "image qualities"

    def __str__(self) -> str:
        return f"{self.image_id}: {self.verdict}"
