"""How far each cell of a study speaks for a diagnosis, by MILLIE: scored by a job, kept for the gallery and the map."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import F, QuerySet

from annotation.models import Cell, Study
from inference.cell_feature_jobs import Extractor, default_extractor
from inference.diagnosis import DiagnosisProblem
from inference.millie_cells import NO_CELLS, NO_MILLIE, Ended, Values, alone, decisions_of, millie_of
from inference.models import CellEvidence, EvidenceJob
from inference.shown_labels import shown_probabilities
from training.decisions import names_in
from training.heartbeat import heard
from training.models import JobState


class AlreadyScoring(Exception):
    """The cells of this study are being scored already."""


def ask(study: Study, user: Any = None) -> EvidenceJob:
    """Queue a pass by the MILLIE in use. Raises AlreadyScoring while another one is queued or running, DiagnosisProblem
    where there is no MILLIE or no cell."""
    EvidenceJob.bury_dead()
    if millie_of(study) is None:
        raise DiagnosisProblem(NO_MILLIE)
    if not Cell.objects.filter(image__study=study, ignored=False).confirmed().exists():
        raise DiagnosisProblem(NO_CELLS)
    try:
        with transaction.atomic():
            job = EvidenceJob.objects.create(study=study, requested_by=user)
            job.enqueue()
    except IntegrityError:
        raise AlreadyScoring("The cells of this study are being scored already.") from None
    return job


def work(
    job: EvidenceJob,
    extractor: Callable[[str], Extractor] = default_extractor,
    stopping: Callable[[], bool] = lambda: False,
) -> bool:
    """Claim and do one job; whether cells were scored. A worker that is `stopping` puts it back into the queue."""
    if not job.claim():
        return False
    progress = job.teller(stopping)
    try:
        with heard(job):
            bundle = millie_of(job.study)
            if bundle is None:
                raise DiagnosisProblem(NO_MILLIE)
            cells, by_decision = alone(job.study, bundle, extractor, progress)
            job.beat()
            if job.give_up():
                return False
            write(job.study, cells, by_decision, bundle.pk)
    except Ended:
        if job.state == JobState.RUNNING and job.release():
            job.send()
        else:
            job.give_up()
        return False
    except (DiagnosisProblem, ValueError, OSError) as problem:
        return not job.fail(str(problem))
    except Exception as error:
        job.fail(f"Scoring cells failed: {type(error).__name__}: {error}")
        raise
    return job.succeed(bundle=bundle)


@transaction.atomic
def write(study: Study, cells: Sequence[UUID], by_decision: Mapping[str, Values], bundle: str) -> None:
    """Keep probabilities (n,) of n cells by decision, in place of all that was kept of the study. Three statements."""
    there = Cell.objects.filter(pk__in=cells).order_by("pk").select_for_update(no_key=True)
    kept = set(there.values_list("pk", flat=True))
    CellEvidence.objects.filter(cell__image__study=study).delete()
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY inference_cellevidence (cell_id, decision, probability, bundle) FROM STDIN") as copy,
    ):
        for decision, values in by_decision.items():
            for cell, value in zip(cells, values.tolist(), strict=True):
                if cell in kept:
                    copy.write_row((cell, decision, round(value, 6), bundle))


def decisions_kept(study: Study) -> list[str]:
    """The decisions for which cells of a study are scored, by name. One query."""
    job = EvidenceJob.objects.filter(study=study, state=JobState.SUCCEEDED).select_related("bundle").first()
    return decisions_of(job.bundle) if job else []


def first_of(decision: str) -> str:
    """The diagnosis that a decision tells the probability of: "APL" of "APL vs non-APL AML"."""
    return names_in(decision)[0]


def figures(study: Study, decision: str, viewer: int, *, against: bool = False) -> "QuerySet[Any, Any]":
    """Rows {cell, figure} of any study, the highest speaks most for the first diagnosis, or `against` it; of the first
    decision where there is none of that name. Without cells that the viewer reads without being told what models say.
    """
    known = decisions_kept(study)
    name = decision if decision in known else next(iter(known), "")
    rows = CellEvidence.objects.filter(shown_probabilities(viewer), decision=name).order_by()
    return rows.annotate(figure=-F("probability") if against else F("probability")).values("cell", "figure")
