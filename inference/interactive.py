"""The heads that learn while people label: retrained on stored features within seconds, one retraining at a time.

Whoever shows what heads say asks for those of a group once (`begin`); from then on they learn whenever labels of the
group change, wherever that happens (`learn_again`). A worker of the queue `interactive` retrains them and writes what
they say of all cells of the study. However many labels come meanwhile, one more retraining follows.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from annotation.cell_crops import cells_to_classify
from annotation.models import LabelGroup, Study
from inference import kept_heads
from inference.cell_choices import LEAST_CELLS, groups_of, labels_said, lessons_of
from inference.cell_feature_jobs import launch, out_of_date
from inference.models import INTERACTIVE, CellFeatureJob, CellFeatures, CellProbability, InteractiveHead, vectors_of
from inference.probabilities import write_probabilities
from training.models import LIVE

logger = logging.getLogger(__name__)

TASK = "inference.retrain_head"
# A message that nobody took up for so long is lost, and so is a retraining that has not ended.
LOST = timedelta(seconds=30)
# Labels come in bursts, such as those of many images at once: so a worker waits for a moment before it begins.
SOON = 0.4  # seconds
# Of the locks of a database, ours: two numbers name one.
_LOCK = 0x6865_6164
SEED = 0


@dataclass(frozen=True)
class Status:
    """How the heads of a group stand, for the page: `state` is none, waiting, retraining, ready or refused, and
    `sentence` says it in words. `labelled` cells were learned from, `cells` have probabilities, as of `finished_at`.
    `features` is None, or how many of how many cells' features are computed just now."""

    state: str
    sentence: str
    labelled: int = 0
    cells: int = 0
    finished_at: datetime | None = None
    features: tuple[int, int] | None = None


# One more change is to be learned by the heads of some groups, whether or not anybody had asked for them, and by those
# of the groups of some labels, where somebody had; and which of them a worker is to be told of.
_ASK = """
UPDATE inference_interactivehead AS head
SET asked = head.asked + 1, told_at = CASE WHEN before.untold THEN %(now)s ELSE head.told_at END
FROM (
    SELECT known.group_id, known.told_at IS NULL OR known.told_at < %(lost)s AS untold
    FROM inference_interactivehead AS known
    WHERE known.group_id = ANY(%(groups)s)
        OR (known.asked > 0 AND known.group_id IN (SELECT group_id FROM annotation_label WHERE id = ANY(%(labels)s)))
    ORDER BY known.group_id FOR UPDATE
) AS before
JOIN annotation_labelgroup AS labels ON labels.id = before.group_id
WHERE head.group_id = before.group_id
RETURNING labels.study_id, head.group_id, before.untold
"""


def begin(group: LabelGroup) -> None:
    """Have the heads of a group learn from now on, first of all what is labelled already; they do so once only."""
    if not InteractiveHead.objects.filter(group=group, asked__gt=0).exists():
        labels_changed(group)


def labels_changed(group: LabelGroup) -> None:
    """Have the heads of a group learn what has been labelled, once the transaction at hand is committed.

    Costs two queries and perhaps a message; never waits for a retraining.
    """

    def ask() -> None:
        head = InteractiveHead(group=group, asked=0)
        InteractiveHead.objects.bulk_create([head], ignore_conflicts=True, unique_fields=["group"])
        _ask(groups=[group.pk])

    transaction.on_commit(ask)


def learn_again(labels: Iterable[int], **_: Any) -> None:
    """Cells got or lost labels (annotation/label_changes.py): the heads that somebody asked for learn of them.

    Costs one query, and a message where a worker is to be told.
    """
    _ask(labels=labels)


def features_changed(study: Study) -> None:
    """New features are there: the heads that people have asked for learn from them, and judge the new cells too."""
    for group in LabelGroup.objects.filter(study=study, interactive_head__asked__gt=0):
        labels_changed(group)


def status_of(study: Study, group: LabelGroup) -> Status:
    """Costs two queries."""
    head = InteractiveHead.objects.filter(group=group).first()
    job = CellFeatureJob.objects.filter(study=study, state__in=LIVE).defer("log").first()
    features = (job.progress.get("done", 0), job.progress.get("total", 0)) if job is not None else None
    if head is None or head.asked == 0:
        return Status("none", "Nothing has been learned from these labels yet.", features=features)
    if head.asked > head.learned and _is_running(head):
        state, sentence = "retraining", "Learns from the latest labels."
    elif head.asked > head.learned:
        state, sentence = "waiting", "Will learn from the latest labels in a moment."
    elif head.reason:
        state, sentence = "refused", head.reason
    else:
        state, sentence = "ready", f"Learned from {head.labelled:,} labelled cells."
    return Status(state, sentence, head.labelled, head.cells, head.finished_at, features)


def _is_running(head: InteractiveHead) -> bool:
    begun, ended = head.started_at, head.finished_at
    return begun is not None and (ended is None or ended < begun) and timezone.now() - begun < LOST


def _ask(groups: Iterable[int] = (), labels: Iterable[int] = ()) -> None:
    now = timezone.now()
    asked: dict[str, Any] = {"groups": list(groups), "labels": list(labels), "now": now, "lost": now - LOST}
    with connection.cursor() as cursor:
        cursor.execute(_ASK, asked)
        found = cursor.fetchall()
    for study_id, group_id, untold in found:
        if untold:
            _send(study_id, group_id)


def _send(study_id: int, group_id: int) -> None:
    from config.celery import app

    try:
        app.send_task(TASK, args=[study_id, group_id], countdown=SOON, retry=True, retry_policy={"max_retries": 1})
    except BrokerError:
        logger.warning("The message queue cannot be reached; the heads of group %s wait.", group_id)
        InteractiveHead.objects.filter(group=group_id).update(told_at=None)


def send_lost() -> None:
    """Tell a worker again of what waits and nobody is at work on: a message dies with its worker, or with a broker
    that forgets. Costs a query where nothing waits."""
    waiting = InteractiveHead.objects.filter(learned__lt=F("asked")).select_related("group")
    for head in waiting:
        told = head.told_at is not None and timezone.now() - head.told_at < LOST
        if not told and not _is_running(head):
            InteractiveHead.objects.filter(pk=head.pk).update(told_at=timezone.now())
            _send(head.group.study_id, head.pk)


def retrain(study_id: int, group_id: int) -> bool:
    """Learn the labels of a group as they are now; whether there was anything to do.

    A message that is delivered twice finds nothing the second time, and a worker that is killed leaves all as it was,
    with a note that it is still to be done. Two at once take turns.
    """
    head = InteractiveHead.objects.filter(group=group_id, group__study=study_id)
    # Only what comes from now on needs another message.
    if not head.filter(learned__lt=F("asked")).update(told_at=None, started_at=timezone.now()):
        head.update(told_at=None)
        return False
    group = LabelGroup.objects.select_related("study").get(pk=group_id)
    asked, _ = head.values_list("asked", "learned").get()
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, group_id])
            asked, learned = head.values_list("asked", "learned").get()
            if learned >= asked:
                return False
            labelled, cells, reason = _retrain(group)
            head.update(learned=asked, finished_at=timezone.now(), labelled=labelled, cells=cells, reason=reason)
    except OperationalError:
        # The database was away, or somebody changed the same rows: it is still to be done (send_lost).
        raise
    except Exception as error:
        # The next label tries again; until then nobody waits for what will not come.
        head.update(learned=asked, finished_at=timezone.now(), reason=f"The heads could not be retrained: {error}")
        raise
    return True


def _retrain(group: LabelGroup) -> tuple[int, int, str]:
    """(labelled cells, cells with probabilities, reason why there are none)."""
    study, own = group.study, list(group.labels.values_list("pk", flat=True))
    cells, features = vectors_of(cells_to_classify(study))
    if _features_lack(study):
        # When they are there, the heads are retrained once more (inference/tasks.py).
        launch(study)
    lessons = lessons_of(group, cells, labels_said(cells))
    if not lessons:
        CellProbability.objects.filter(label__in=own, bundle=INTERACTIVE).delete()
        return 0, 0, _too_little(group, len(cells))
    # Imported here: who only asks does not load it.
    from training.cell_head import fit_head
    from training.patient_shares import beside_own_patient

    groups = groups_of(study)
    patients = np.array([groups[cell] for cell in cells])
    tables, heads = [], []
    for lesson in lessons:
        fitted = fit_head(features[lesson.rows], lesson.targets, None, patients[lesson.rows], seed=SEED)
        likely = beside_own_patient(fitted.probabilities(features), patients, lesson.rows, lesson.targets)
        labels, columns = list(lesson.columns), list(lesson.columns.values())
        tables.append((labels, likely[:, columns]))
        heads.append((lesson.columns, fitted))
    kept_heads.keep(group.pk, CellFeatures.objects.values_list("backbone", flat=True).get(pk=cells[0]), heads)
    write_probabilities(cells, tables, INTERACTIVE, forget=own)
    return len({row for lesson in lessons for row in lesson.rows.tolist()}), len(cells), ""


def _features_lack(study: Study) -> bool:
    """Whether cells wait for features, or for new ones as their borders were changed."""
    seen_by = CellFeatures.objects.filter(cell__image__study=study).values_list("backbone", flat=True).first()
    return next(out_of_date(study, seen_by or ""), None) is not None


def _too_little(group: LabelGroup, cells: int) -> str:
    if cells == 0:
        return "The features of the cells are still to be computed."
    if group.multiple:
        return f"A label of {group.name} is learned once {LEAST_CELLS} cells have it and {LEAST_CELLS} do not."
    return f"{group.name} is learned once two of its labels have {LEAST_CELLS} cells each."
