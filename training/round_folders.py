"""The folders in which rounds are trained, and how long they are kept.

A round that succeeded needs its folder no more. That of one that failed or was cancelled holds its checkpoint, a few
hundred megabytes, for whoever resumes it: until a later round of its study has succeeded, which learned from what
people have corrected since, or for KEPT_DAYS. The log stands on the round's row and stays.
"""

import contextlib
import logging
import shutil
import time
import uuid
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from training.models import ENDED, JobState, Round, SearchHelper

logger = logging.getLogger(__name__)

KEPT_DAYS = 30
# What is being removed has another name, so that whoever resumes its round finds it whole or not at all.
_GOING = ".going-"


def succeeded_after(round_: Round) -> QuerySet[Round]:
    """The rounds of its study, kind and target that were launched later and have succeeded."""
    later = Round.objects.filter(
        study=round_.study_id, kind=round_.kind, target=round_.target, number__gt=round_.number
    )
    return later.filter(state=JobState.SUCCEEDED)


def sweep() -> int:
    """Remove the folders that are kept no longer; how many. Several workers may do it at once.

    Two queries a folder. What cannot be removed, or asked of a database that is away, waits for the next time.
    """
    root = Path(settings.ROUND_FOLDER)
    removed = 0
    try:
        for folder in root.iterdir() if root.is_dir() else ():
            going = folder.name.startswith(_GOING)
            if going or _set_aside(folder):
                removed += not going
        for folder in root.glob(f"{_GOING}*"):
            shutil.rmtree(folder, ignore_errors=True)
    except (OSError, DatabaseError):
        logger.warning("The folders of rounds could not be looked through.", exc_info=True)
    return removed


def _set_aside(folder: Path) -> bool:
    """Rename a folder that is kept no longer. Its row is locked meanwhile: nobody resumes the round."""
    name = folder.name.removeprefix("helper-")
    if not name.isdecimal():
        return False
    kind: type[Round] | type[SearchHelper] = Round if name == folder.name else SearchHelper
    with transaction.atomic():
        rows = kind._default_manager.filter(pk=int(name))
        job = rows.select_for_update(skip_locked=True).filter(state__in=ENDED).defer("log").first()
        if job is None:
            # Of another database perhaps: one that was restored, say.
            kept = rows.exists() or time.time() - folder.stat().st_mtime < KEPT_DAYS * 86_400
        else:
            kept = isinstance(job, Round) and _can_be_resumed(job)
        if kept:
            return False
        with contextlib.suppress(FileNotFoundError):
            folder.rename(folder.with_name(f"{_GOING}{folder.name}-{uuid.uuid4().hex[:8]}"))
            return True
        return False


def _can_be_resumed(round_: Round) -> bool:
    if round_.state == JobState.SUCCEEDED or succeeded_after(round_).exists():
        return False
    ended = round_.finished_at or round_.created_at
    return timezone.now() - ended < timedelta(days=KEPT_DAYS)
