"""The work that borders took, counted from what people did: corrections from the cells, time from the operations.

Corrections are those of `Cell.with_correction`. The time of work is the sum of the gaps between one person's successive
actions in one study, by the server's clock. A gap longer than PAUSE_SECONDS is a pause and counts nothing; the first
action after one has no gap, so that what somebody looks at before acting for the first time is not in it. The gap
belongs to the image and the action that end it: from the last action on one image to the first on the next is the
opening and looking through of the next. Gaps that end in a label are the work of labelling, not of borders, and are
left out. Actions that a browser sends together (after it was without a connection) have no time between them.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Min, OuterRef, Subquery

from annotation.models import Cell, Correction, ImageEffort, Operation, ProposalRun, SmearImage, Study

# Somebody who looks at a cell for longer than this has turned to something else.
PAUSE_SECONDS = 60
# Part of what is stored with a count: raise it with any change of what is counted here.
COUNTING = 1
# Counted at once; and where somebody waits for a page meanwhile.
_IMAGES_AT_ONCE, _FEW_IMAGES = 500, 10
_KINDS = (Correction.ACCEPTED, Correction.MOVED, Correction.DELETED, Correction.ADDED)


@dataclass(frozen=True)
class Effort:
    """What correcting some images took; seconds of work on their borders, 0 where no time is known."""

    images: int
    accepted: int
    moved: int
    deleted: int
    added: int
    seconds: float = 0.0

    @property
    def cells(self) -> int:
        """Borders that people stand for by their own work: imported ones are nobody's."""
        return self.accepted + self.moved + self.added

    @property
    def corrections(self) -> int:
        return self.moved + self.deleted + self.added

    @property
    def corrections_per_cell(self) -> float | None:
        return self.corrections / self.cells if self.cells else None

    @property
    def seconds_per_cell(self) -> float | None:
        return self.seconds / self.cells if self.cells else None


@dataclass(frozen=True)
class Work:
    """What one person did about the proposals of one bundle on one image.

    bundle: as ProposalRun names it, "" for what was drawn where nothing had been proposed. user_id: None where the
    account is unknown. seconds: of work on borders.
    """

    image_id: int
    bundle: str
    user_id: int | None
    accepted: int
    moved: int
    deleted: int
    added: int
    seconds: float


def effort(image_ids: Collection[int]) -> Effort:
    """The corrections on these images, without the time they took. One query."""
    cells: Any = Cell.objects.filter(image__in=image_ids, ignored=False).with_correction()
    counts = Counter(dict(cells.order_by().values_list("correction").annotate(Count("pk"))))
    accepted, moved, deleted, added = (counts[kind.value] for kind in _KINDS)
    return Effort(len(image_ids), accepted, moved, deleted, added)


def total(works: Iterable[Work]) -> Effort:
    """The sum of the work on images."""
    rows = list(works)
    return Effort(
        len({work.image_id for work in rows}),
        sum(work.accepted for work in rows),
        sum(work.moved for work in rows),
        sum(work.deleted for work in rows),
        sum(work.added for work in rows),
        sum(work.seconds for work in rows),
    )


@dataclass(frozen=True)
class Counting:
    """How far the counting is: `left` of so many finished images are not counted as they are now."""

    images: int
    left: int

    @property
    def done(self) -> int:
        return self.images - self.left


def count_effort(study: Study, seconds: float | None = None) -> Counting:
    """Count the finished images that have changed since they were counted (the revision tells), and keep the counts.

    A large study that was never counted takes seconds. For whoever must not wait so long it ends after about so many
    `seconds`, having counted some in any case; the next call goes on. Two queries where nothing has changed.
    """
    images = SmearImage.objects.filter(study=study).finished().fields()
    revisions = dict(images.order_by("pk").values_list("pk", "revision"))
    kept = ImageEffort.objects.filter(image__in=images, counting=COUNTING)
    counted = dict(kept.values_list("image_id", "revision"))
    stale = [image_id for image_id, revision in revisions.items() if counted.get(image_id) != revision]
    at_once = _IMAGES_AT_ONCE if seconds is None else _FEW_IMAGES
    began, done = time.monotonic(), 0
    while done < len(stale) and not (done and seconds is not None and time.monotonic() - began > seconds):
        # With the revisions read before: whatever has changed since makes them stale at the next look.
        ImageEffort.objects.bulk_create(
            [
                ImageEffort(image_id=pk, revision=revisions[pk], counting=COUNTING, rows=rows)
                for pk, rows in _count(study, stale[done : done + at_once])
            ],
            update_conflicts=True,
            unique_fields=["image"],
            update_fields=["revision", "counting", "rows"],
        )
        done = min(done + at_once, len(stale))
    return Counting(len(revisions), len(stale) - done)


def work_on_finished(study: Study) -> list[Work]:
    """All work on the borders of the study's finished images, by image, bundle and person, as count_effort has counted
    it; at least one row an image. One query."""
    images = SmearImage.objects.filter(study=study).finished().fields()
    kept = ImageEffort.objects.filter(image__in=images, counting=COUNTING).order_by("image")
    return [Work(image_id, *row) for image_id, rows in kept.values_list("image_id", "rows") for row in rows]


def _count(study: Study, image_ids: Sequence[int]) -> list[tuple[int, list[list[Any]]]]:
    """The rows of ImageEffort of these images. Four queries."""
    proposed = _Proposed(image_ids)
    counts: dict[int, dict[tuple[str, int | None], list[Any]]] = {
        image_id: defaultdict(lambda: [0, 0, 0, 0, 0.0]) for image_id in image_ids
    }
    # Django asks the checker to know what with_correction() annotates.
    cells: Any = Cell.objects.filter(image__in=image_ids, ignored=False).with_correction().order_by()
    last = Operation.objects.filter(cell=OuterRef("pk")).exclude(kind__in=Operation.ABOUT_LABELS).order_by("-version")
    settled = cells.filter(origin=Cell.Origin.PROPOSAL, status__in=[Cell.Status.CONFIRMED, Cell.Status.DELETED])
    settled = settled.annotate(by=Subquery(last.values("user")[:1]))
    for image_id, bundle, user_id, kind, number in settled.values_list(
        "image_id", "run__bundle", "by", "correction"
    ).annotate(Count("pk")):
        counts[image_id][bundle, user_id][_KINDS.index(kind)] += number
    # Who drew a border that was missing, not who touched it up later.
    drawn = cells.filter(correction=Correction.ADDED).annotate(by=Subquery(last.reverse().values("user")[:1]))
    for image_id, at, user_id in drawn.values_list("image_id", "created_at", "by"):
        counts[image_id][proposed.bundle_at(image_id, at), user_id][3] += 1
    for image_id, user_id, at, seconds in _gaps(study, image_ids):
        counts[image_id][proposed.bundle_at(image_id, at), user_id][4] += seconds
    for image_id in image_ids:
        if not counts[image_id]:
            # A finished image on which nobody had to do anything is an image of its round too.
            counts[image_id][proposed.last(image_id), None] = [0, 0, 0, 0, 0.0]
    return [
        (
            image_id,
            [[bundle, user_id, *row[:4], round(row[4], 3)] for (bundle, user_id), row in counts[image_id].items()],
        )
        for image_id in image_ids
    ]


class _Proposed:
    """Whose proposals lay on an image when: by image, bundles in the order in which they came. Two queries."""

    def __init__(self, image_ids: Sequence[int]) -> None:
        arrivals: dict[tuple[int, int], tuple[datetime, str]] = {}
        # The last run stands on the image, also where it found nothing; of an earlier one, what people touched is left.
        runs = ProposalRun.objects.filter(pk=OuterRef("proposed_by"))
        last = SmearImage.objects.filter(pk__in=image_ids, proposed_by__isnull=False).order_by()
        for image_id, run_id, at, bundle in last.annotate(
            at=Subquery(runs.values("created_at")), bundle=Subquery(runs.values("bundle"))
        ).values_list("pk", "proposed_by_id", "at", "bundle"):
            arrivals[image_id, run_id] = (at, bundle)
        cells = Cell.objects.filter(image__in=image_ids, run__isnull=False).order_by()
        for image_id, run_id, bundle, at in cells.values_list("image_id", "run_id", "run__bundle").annotate(
            at=Min("created_at")
        ):
            arrivals[image_id, run_id] = (at, bundle)
        self._of: dict[int, list[tuple[datetime, str]]] = defaultdict(list)
        for (image_id, _), arrival in sorted(arrivals.items(), key=lambda item: (item[1][0], item[0])):
            self._of[image_id].append(arrival)

    def bundle_at(self, image_id: int, moment: datetime) -> str:
        """The bundle whose proposals lay on the image at that moment; "" for none."""
        return next((bundle for at, bundle in reversed(self._of[image_id]) if at <= moment), "")

    def last(self, image_id: int) -> str:
        return self._of[image_id][-1][1] if self._of[image_id] else ""


def _gaps(study: Study, image_ids: Sequence[int]) -> list[tuple[int, int, datetime, float]]:
    """(image, user, when, seconds since the same person's action before it in the study) of every action on the
    borders of these images that is no more than PAUSE_SECONDS after the one before. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT action.image_id, action.user_id, action.created_at,
                extract(epoch FROM action.created_at - before.created_at)::float
            FROM {Operation._meta.db_table} AS action
            CROSS JOIN LATERAL (
                SELECT earlier.created_at
                FROM {Operation._meta.db_table} AS earlier
                JOIN {SmearImage._meta.db_table} AS image ON image.id = earlier.image_id
                WHERE earlier.user_id = action.user_id AND image.study_id = %s
                    AND earlier.created_at < action.created_at
                    AND earlier.created_at >= action.created_at - make_interval(secs => %s)
                ORDER BY earlier.created_at DESC
                LIMIT 1
            ) AS before
            WHERE action.image_id = ANY(%s) AND action.kind <> ALL(%s)
            """,
            [study.pk, PAUSE_SECONDS, list(image_ids), list(Operation.ABOUT_LABELS)],
        )
        return list(cursor.fetchall())
