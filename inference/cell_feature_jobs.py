"""Features of a study's cells, computed once: what is missing or out of date, by a job of its own."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from numpy.typing import NDArray
from PIL import Image

from annotation.cell_crops import CellCrop, cells_to_classify, crops_of, typical_px
from annotation.crop import cut
from annotation.models import Cell, Study
from annotation.store import ImageStore
from inference.models import CellFeatureJob, CellFeatures
from training.crop_features import BATCH, Extractor
from training.heartbeat import heard
from training.models import JobState


def default_extractor(backbone: str | None = None) -> Extractor:
    """What sees cells: the default backbone, or the one that is named. Raises ValueError where it cannot be had."""
    # Imported here: the web process never loads torch.
    from training.cell_features import FeatureExtractor

    return FeatureExtractor() if backbone is None else FeatureExtractor(backbone)


def launch(study: Study, user: Any = None) -> CellFeatureJob:
    """Queue the job of a study; the one that is queued or running already where there is one. It looks for itself what
    is missing, and is done at once where nothing is."""
    CellFeatureJob.bury_dead()
    try:
        with transaction.atomic():
            job = CellFeatureJob.objects.create(study=study, requested_by=user)
            job.enqueue()
    except IntegrityError:
        return CellFeatureJob.objects.filter(study=study).order_by("-pk")[0]
    return job


def work(
    job: CellFeatureJob,
    extractor: Callable[[], Extractor] = default_extractor,
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Claim and do one job; how many cells have new features, 0 where another worker has the job. A worker that is
    `stopping` puts it back into the queue: what is computed by then stays."""
    if not job.claim():
        return 0
    progress = job.teller(stopping)
    try:
        with heard(job):
            eye = extractor()
        made = compute(job.study, eye, progress)
    except (ValueError, OSError) as problem:
        job.fail(str(problem))
        return 0
    except Exception as error:
        job.fail(f"Computing features failed: {type(error).__name__}: {error}")
        raise
    for sha256 in made.missing:
        job.beat(log=f"The image {sha256[:12]} is gone from the image store; its cells have no features.\n")
    if job.state == JobState.RUNNING and stopping() and job.release():
        job.send()
    else:
        job.give_up() or job.succeed()
    return made.cells


@dataclass(frozen=True)
class Made:
    """How many cells have new features, and the sha256 of images that are gone from the store."""

    cells: int
    missing: tuple[str, ...]


def compute(
    study: Study,
    extractor: Extractor,
    progress: Callable[[int, int], bool] | None = None,
    cells: QuerySet[Cell] | None = None,
) -> Made:
    """Compute and store the features that the study's cells lack, or those of `cells` among them.

    `progress` is told how many of how many cells are done, before the first and after each batch, and ends the pass by
    returning False.
    """
    wanted = list(out_of_date(study, extractor.name, cells))
    return look(wanted, extractor, lambda crops, vectors: keep(crops, vectors, extractor.name), progress)


def look(
    wanted: Sequence[CellCrop],
    extractor: Extractor,
    kept: Callable[[Sequence[CellCrop], NDArray[Any]], None],
    progress: Callable[[int, int], bool] | None = None,
) -> Made:
    """Have crops seen, image by image; `kept` gets those of each batch with their vectors. `progress` as of compute."""
    missing: list[str] = []
    done = made = 0
    if progress is not None and not progress(0, len(wanted)):
        return Made(0, ())
    opened = _reader()
    for batch in _batches(wanted, BATCH):
        crops, seen = [], []
        for sha256, own in groupby(batch, key=lambda crop: crop.sha256):
            try:
                image = opened(sha256)
            except OSError:
                if sha256 not in missing:
                    missing.append(sha256)
                continue
            for crop in own:
                crops.append(cut(image, crop.square))
                seen.append(crop)
        if crops:
            kept(seen, extractor.extract(crops))
        done += len(batch)
        made += len(crops)
        if progress is not None and not progress(done, len(wanted)):
            break
    return Made(made, tuple(missing))


def out_of_date(study: Study, backbone: str, cells: QuerySet[Cell] | None = None) -> Iterator[CellCrop]:
    """The crops of the study's cells, or of `cells` among them, that have no features, or those of another backbone, or
    of what they no longer show: their border was changed. Image by image; three queries."""
    cells = cells_to_classify(study) if cells is None else cells
    known = dict(
        CellFeatures.objects.filter(cell__in=cells, backbone=backbone).order_by().values_list("cell_id", "crop_hash")
    )
    return (crop for crop in crops_of(cells, typical_px(study)) if known.get(crop.cell) != crop.hash)


def _batches(crops: Sequence[CellCrop], size: int) -> Iterator[Sequence[CellCrop]]:
    return (crops[start : start + size] for start in range(0, len(crops), size))


def _reader() -> Callable[[str], Image.Image]:
    """Opens images of the store by their sha256, decoded; keeps the last, whose cells may reach into two batches."""
    store = ImageStore(Path(settings.IMAGE_STORE))

    @lru_cache(maxsize=1)
    def opened(sha256: str) -> Image.Image:
        with Image.open(store.pixels(sha256)) as file:
            return file.convert("RGB")

    return opened


def keep(crops: Sequence[CellCrop], vectors: Iterable[NDArray[Any]], backbone: str) -> None:
    """Store the vector of each crop's cell, in place of an earlier one. Two statements."""
    rows = [
        CellFeatures(cell_id=crop.cell, crop_hash=crop.hash, backbone=backbone, vector=CellFeatures.pack(vector))
        for crop, vector in zip(crops, vectors, strict=True)
    ]
    with transaction.atomic():
        # A proposal may have been replaced meanwhile; the others stay until this is written.
        there = Cell.objects.filter(pk__in=[row.cell_id for row in rows]).order_by("pk").select_for_update(no_key=True)
        kept = set(there.values_list("pk", flat=True))
        CellFeatures.objects.bulk_create(
            [row for row in rows if row.cell_id in kept],
            update_conflicts=True,
            unique_fields=["cell"],
            update_fields=["crop_hash", "backbone", "vector"],
        )
