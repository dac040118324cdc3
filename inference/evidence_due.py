"""When MILLIE scores single cells by itself: once it is put to use, and once cells that a backbone saw are new."""

import time
from contextlib import suppress
from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone

from annotation.cell_crops import cells_to_classify
from inference.cell_evidence import AlreadyScoring, ask
from inference.diagnosis import DiagnosisProblem
from inference.diagnosis_looks import OWN
from inference.models import CellEvidence, CellFeatureJob, CellFeatures, EvidenceJob
from training.models import Bundle, JobState, Kind
from training.models.job import LIVE

# Cells that come one after the other are scored together: all cells of a study are, each time.
AGAIN_AFTER = timedelta(seconds=60)
# Between two looks, by this process's clock: where nothing is due, each reads what is kept of all cells.
LOOK_SECONDS = 10.0
_look_at = 0.0


def look() -> None:
    """Whoever looks after jobs calls it every few seconds."""
    global _look_at
    if time.monotonic() >= _look_at:
        _look_at = time.monotonic() + LOOK_SECONDS
        launch_due()


def launch_due() -> None:
    """Ask for a pass in each study where the MILLIE in use has not scored cells that it could. A few queries a study.

    Not while features are being computed. After a pass that failed or was cancelled only once a MILLIE is put to use
    again: whoever looks at the page can ask.
    """
    for bundle in Bundle.objects.filter(kind=Kind.MIL, in_use=True).select_related("study"):
        last = EvidenceJob.objects.filter(study=bundle.study).defer("log").order_by("-pk").first()
        busy = CellFeatureJob.objects.filter(study=bundle.study, state__in=LIVE)
        if _may_follow(last, bundle) and is_due(bundle) and not busy.exists():
            with suppress(AlreadyScoring, DiagnosisProblem):
                ask(bundle.study)


def _may_follow(last: EvidenceJob | None, bundle: Bundle) -> bool:
    if last is None:
        return True
    if last.state == JobState.SUCCEEDED:
        rested = last.finished_at is None or last.finished_at < timezone.now() - AGAIN_AFTER
        return rested or last.bundle_id != bundle.pk
    return last.is_ended and bundle.promoted_at is not None and bundle.promoted_at > last.created_at


def is_due(bundle: Bundle) -> bool:
    """Whether there are cells that its backbone saw and it has not scored; of a bundle that has scored none, also where
    no backbone saw any. Cells have features of one backbone at a time: those of another stay, until somebody asks."""
    if (bundle.card.get("inputs") or {}).get("colours", OWN) != OWN:
        return False
    cells = cells_to_classify(bundle.study)
    scored = CellEvidence.objects.filter(bundle=bundle.pk)
    seen = CellFeatures.objects.filter(cell__in=cells)
    own = seen.filter(backbone=(bundle.card.get("architecture") or {}).get("backbone"))
    if own.filter(~Exists(scored.filter(cell=OuterRef("cell")))).exists():
        return True
    return not seen.exists() and not scored.filter(cell__in=cells).exists() and cells.exists()
