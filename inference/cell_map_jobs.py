"""Making a study's map of cells, by a job: features that are missing first, then the projections."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from django.db import IntegrityError, transaction
from django.utils import timezone
from numpy.typing import NDArray

from annotation.cell_crops import cells_to_classify
from annotation.models import Study
from inference import kept_map, millie_cells
from inference.cell_feature_jobs import compute, default_extractor
from inference.cell_map import LEARNED_FROM, TooFew, project
from inference.diagnosis import DiagnosisProblem
from inference.millie_cells import NO_MILLIE, millie_of
from inference.models import CellFeatures, CellMapJob
from inference.packed_ids import pack
from training.crop_features import Extractor
from training.models import JobState

# Rows that are read at a time: a hundred thousand vectors of a backbone would take half a gigabyte.
_CHUNK = 2_000


class _Ended(Exception):
    """The end was asked for, another worker has the job, or this one is to stop."""


def launch(study: Study, user: Any = None, space: str = "") -> CellMapJob:
    """Queue the making of a study's map of a space (inference/kept_map.py); the one that is queued or running already
    where there is one."""
    CellMapJob.bury_dead()
    try:
        with transaction.atomic():
            job = CellMapJob.objects.create(study=study, space=space, requested_by=user)
            job.enqueue()
    except IntegrityError:
        return CellMapJob.objects.filter(study=study, space=space).order_by("-pk")[0]
    return job


def work(
    job: CellMapJob,
    extractor: Callable[..., Extractor] = default_extractor,
    stopping: Callable[[], bool] = lambda: False,
) -> bool:
    """Claim and do one job; whether a map was made. A worker that is `stopping` puts it back into the queue."""
    if not job.claim():
        return False

    def tell(stage: str, done: int, total: int) -> None:
        mine = job.beat(progress={"stage": stage, "done": done, "total": total})
        if not mine or job.state != JobState.RUNNING or stopping():
            raise _Ended

    try:
        if job.space:
            _make_of_millie(job.study, job.space, extractor, tell)
        else:
            _make(job.study, extractor(), tell)
    except _Ended:
        if job.state == JobState.RUNNING and job.release():
            job.send()
        else:
            job.give_up()
        return False
    except (TooFew, DiagnosisProblem, ValueError) as problem:
        return not job.fail(str(problem))
    except OSError as problem:
        return not job.fail(f"The map could not be kept: {problem.strerror}.")
    except Exception as error:
        job.fail(f"The map could not be made: {type(error).__name__}: {error}")
        raise
    return job.succeed()


def _make(study: Study, eye: Extractor, tell: Callable[[str, int, int], None]) -> None:
    def computed(done: int, total: int) -> bool:
        tell("features", done, total)
        return True

    compute(study, eye, computed)
    # Before they are read: what changes meanwhile makes the map an old one.
    features = kept_map.stand_of(study)
    cells = cells_to_classify(study)
    rows = CellFeatures.objects.filter(cell__in=cells, backbone=eye.name).order_by("cell_id")
    total = rows.count()
    # Ids are drawn at random, so the first are a sample.
    sample = np.array([_vector(packed) for packed in rows.values_list("vector", flat=True)[:LEARNED_FROM]])
    ids: list[Any] = []

    def chunks() -> Iterator[NDArray[np.float32]]:
        chunk = []
        for key, packed in rows.values_list("cell_id", "vector").iterator(chunk_size=_CHUNK):
            ids.append(key)
            chunk.append(_vector(packed))
            if len(chunk) == _CHUNK:
                yield np.array(chunk)
                chunk = []
        if chunk:
            yield np.array(chunk)

    found = project(sample, chunks(), lambda stage, done: tell(stage, done, total))
    tables: dict[str, NDArray[Any]] = {"ids": pack(ids), "pca": found.pca, "umap": found.umap}
    facts = {
        "features": features,
        "backbone": eye.name,
        "explained": found.explained,
        "learned_from": found.learned_from,
    }
    kept_map.keep(study, tables, timezone.now(), facts)


def _make_of_millie(
    study: Study, decision: str, extractor: Callable[..., Extractor], tell: Callable[[str, int, int], None]
) -> None:
    bundle = millie_of(study)
    if bundle is None:
        raise DiagnosisProblem(NO_MILLIE)

    def computed(done: int, total: int) -> bool:
        tell("features", done, total)
        return True

    cells, table = millie_cells.space(study, bundle, decision, extractor, computed)
    chunks = (table[start : start + _CHUNK] for start in range(0, len(table), _CHUNK))
    found = project(table[:LEARNED_FROM], chunks, lambda stage, done: tell(stage, done, len(table)))
    facts = {
        "features": kept_map.stand_of(study, bundle.pk),
        "backbone": f"{bundle.pk}: {decision}",
        "explained": found.explained,
        "learned_from": found.learned_from,
    }
    kept_map.keep(study, {"ids": pack(cells), "pca": found.pca, "umap": found.umap}, timezone.now(), facts, decision)


def _vector(packed: bytes | memoryview) -> NDArray[np.float32]:
    return np.frombuffer(bytes(packed), dtype="<f2").astype(np.float32)
