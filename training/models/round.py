from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Concat

from annotation.models import Study
from training.classifier_target import Target
from training.models.bundle import Bundle, Kind
from training.models.job import LIVE, Job, JobState, died

# A round that took so many workers down with it is not given another one.
MOST_DEATHS = 2


class Round(Job):
    """One training run: a frozen snapshot and settings in, a bundle and its metrics out."""

    task_name = "training.run_round"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="rounds")
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.DETECTOR)
    # Of a classifier: {"group": name} of a label group, or {"group", "label"} for one label against all others; {} for
    # a detector.
    target = models.JSONField(default=dict, blank=True)
    # 1, 2, ... in its study.
    number = models.PositiveIntegerField()
    # Every setting with its value, as training/settings.py knows them: also those left at their default.
    settings = models.JSONField(default=dict)
    seed = models.PositiveBigIntegerField(default=0)
    # Which of the study's finished images it learns from, as training/selection.py reads it; {} is all of them.
    selection = models.JSONField(default=dict, blank=True)
    # So many trials search for settings before the training itself; 0: the settings are taken as they are.
    trials = models.PositiveIntegerField(default=0)
    # What the search found: {"trial": number, "settings": {those that it chose}, ...}; null where there was none.
    searched = models.JSONField(null=True, blank=True)
    # The hash of the frozen snapshot, which also names its folder.
    snapshot = models.CharField(max_length=64)
    # The hash of the part of it that this kind of round learns from (training/freeze.py): the same under new labels.
    lesson = models.CharField(max_length=64, blank=True)
    # What the snapshot holds: {"images", "negatives", "cells", "ignored", "groups": [{...}], "labels": {...}}.
    counts = models.JSONField(default=dict)
    # What is in the snapshot and was not in that of the round before (training/data_changes.py); null without one.
    data_changes = models.JSONField(null=True, blank=True)
    # Of this study, or of another one that whoever launched it is a member of.
    parent = models.ForeignKey(Bundle, on_delete=models.PROTECT, null=True, blank=True, related_name="children")
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, null=True, blank=True, related_name="rounds")
    # {"map", "map_50", "map_75", "mar"} on the reported validation; null where there is none.
    metrics = models.JSONField(null=True, blank=True)
    # The same of each fold where the round cross-validated.
    folds = models.JSONField(default=list, blank=True)
    # Beside an earlier round on the images that judged both (training/comparison.py); null where nothing judged it.
    comparison = models.JSONField(null=True, blank=True)
    # Points of the plots: {"fold", "epoch": float, "loss"} and {"fold", "epoch", "map_50"}.
    curve = models.JSONField(default=list, blank=True)
    # Of training alone, as the process that trained says.
    seconds = models.FloatField(null=True, blank=True)
    # The most memory that the process that trained had resident, in bytes.
    peak_memory = models.PositiveBigIntegerField(null=True, blank=True)
    # How often its worker died; it is picked up again at most MOST_DEATHS times.
    deaths = models.PositiveSmallIntegerField(default=0)
    # Of Python, the libraries and Marrowloop where it ran.
    versions = models.JSONField(default=dict, blank=True)

    class Meta(Job.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(fields=["study", "number"], name="one_round_a_number_and_study"),
            # Two admins clicking at once: one training.
            models.UniqueConstraint(
                fields=["study", "kind"], condition=Q(state__in=LIVE), name="one_live_round_a_study_and_kind"
            ),
        ]
        indexes = [models.Index(fields=["state"])]

    def __str__(self) -> str:
        return f"Round {self.number} of {self.study_id}"

    @property
    def tells(self) -> str:
        """What a classifier's round learns to tell apart, in words; empty for a detector's."""
        return Target.of(self.target).words if self.target else ""

    @property
    def folder(self) -> Path:
        """Where its process works, with its last checkpoint; kept for a while only (training/round_folders.py)."""
        return Path(settings.ROUND_FOLDER) / str(self.pk)

    @property
    def has_checkpoint(self) -> bool:
        """Whether its training can go on where it ended, or has only to be read."""
        out = self.folder / "out"
        # What a classifier's networks said is kept fold by fold (training/classifier_teaching.py).
        kept = any((out / name).is_file() for name in ("checkpoint.pt", "trials.json", "result.json"))
        return kept or any(out.glob("taught-*/*.npy"))

    @property
    def snapshot_folder(self) -> Path:
        return Path(settings.SNAPSHOT_FOLDER) / self.snapshot

    @classmethod
    def bury_dead(cls, older_than: timedelta | None = None) -> int:
        """As every job; but a round that was running goes back into the queue, for the next worker to go on from its
        last checkpoint, until MOST_DEATHS workers died of it. One of the command line has no other worker: it failed,
        and can be resumed.
        """
        silence = older_than or timedelta(seconds=settings.JOB_SILENCE_SECONDS)
        silent = cls.silent_for(silence).filter(state=JobState.RUNNING, deaths__lt=MOST_DEATHS)
        picked_up = 0
        for round_ in silent.exclude(celery_id="").defer("log", "curve"):
            # Only as it was found: its worker may have come back, or another process may have been here first.
            note = Value(f"{died(silence)} The round waits for the next worker and goes on from its last checkpoint.\n")
            found = silent.filter(pk=round_.pk, worker=round_.worker).update(
                state=JobState.QUEUED, worker="", progress={}, deaths=F("deaths") + 1, log=Concat(F("log"), note)
            )
            if found:
                round_.enqueue()
                picked_up += 1
        return picked_up + super().bury_dead(older_than)
