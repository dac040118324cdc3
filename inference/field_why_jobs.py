"""Why a diagnosis is suspected in an image of a study: the map of its parts, made by a job when somebody asks.

On the queue of long passes: a map takes up to a minute, for which nobody's head shall wait to learn.
"""

import hashlib
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from PIL import Image

from annotation.cell_crops import crops_of, typical_px
from annotation.models import SmearImage, Study
from annotation.store import ImageStore
from inference.cell_feature_jobs import Extractor, default_extractor
from inference.diagnosis import DiagnosisProblem, Models, Said, cells_in
from inference.field_why import explain_field
from inference.image_diagnosis import ImageModels
from inference.image_why import explain_image
from inference.models import FieldWhyJob
from inference.occlusion import Occlusion, Stopped
from training.decisions import names_in
from training.heartbeat import heard
from training.models import Bundle, JobState, Kind

# Columns that an image may be parted into; rows follow its shape, so that parts are about square.
RESOLUTIONS = (8, 12, 16, 24, 32)
# Blocks by how many parts wide they are.
BLOCKS = (1.0, 1.5, 2.0, 3.0)
NO_CELLS = "The image has no cell: detect or draw cells first."
# Maps of an image that are listed.
MOST = 20


def bundles_that_explain(study: Study) -> list[Bundle]:
    """Those of a study that diagnose: by cells first, as they are better, and those in use before others. One query."""
    kinds = [kind for kind in Kind if kind.diagnoses]
    found = Bundle.objects.filter(study=study, kind__in=kinds).prefetch_related("rounds")
    return sorted(found.order_by("-in_use", "-created_at"), key=lambda each: each.kind == Kind.IMAGE)


def ask(
    image: SmearImage, bundle: Bundle, decision: str, columns: int, overlap: float, user: Any = None
) -> FieldWhyJob:
    """Queue a map; the one that is under way where there is one. Raises DiagnosisProblem for a bundle that does not
    decide that."""
    FieldWhyJob.bury_dead()
    made = [each["name"] for each in (bundle.card.get("architecture") or {}).get("decisions") or ()]
    if not Kind(bundle.kind).diagnoses or decision not in made:
        raise DiagnosisProblem(f"The bundle {bundle.pk} does not decide {decision!r}.")
    rows = max(1, round(columns * image.height / image.width))
    try:
        with transaction.atomic():
            job = FieldWhyJob.objects.create(
                image=image,
                bundle=bundle,
                decision=decision,
                columns=columns,
                rows=rows,
                overlap=overlap,
                requested_by=user,
            )
            job.enqueue()
    except IntegrityError:
        return FieldWhyJob.objects.filter(image=image).order_by("-pk")[0]
    return job


def hash_of_cells(image: SmearImage) -> str:
    """Names an image's cells as they are. One query."""
    rows = cells_in([image]).order_by("pk").values_list("pk", "x0", "y0", "x1", "y1")
    told = "\n".join(f"{pk} {x0:.2f} {y0:.2f} {x1:.2f} {y1:.2f}" for pk, x0, y0, x1, y1 in rows)
    return hashlib.sha256(f"{image.um_per_pixel}\n{told}".encode()).hexdigest()


def hash_of_seen(image: SmearImage, bundle: Bundle) -> str:
    """What of an image may change a bundle's map of it: its cells, or nothing."""
    return "" if bundle.kind == Kind.IMAGE else hash_of_cells(image)


def work(
    job: FieldWhyJob,
    extractor: Callable[[str], Extractor] = default_extractor,
    stopping: Callable[[], bool] = lambda: False,
) -> bool:
    """Claim and do one job; whether a map was made. A worker that is `stopping` puts it back into the queue."""
    if not job.claim():
        return False
    progress = job.teller(stopping)
    seen = hash_of_seen(job.image, job.bundle)
    try:
        # Nothing is heard of it while networks are loaded and all cells are seen for the first time.
        with heard(job):
            result = _made(job, extractor, progress)
    except Stopped:
        if job.state == JobState.RUNNING and job.release():
            job.send()
        else:
            job.give_up()
        return False
    except (DiagnosisProblem, ValueError) as problem:
        return not job.fail(str(problem))
    except OSError:
        return not job.fail("The file of this image is missing on the server.")
    except Exception as error:
        job.fail(f"The map could not be made: {type(error).__name__}: {error}")
        raise
    if job.succeed(result=result, cells_hash=seen):
        return True
    job.give_up()
    return False


def _made(
    job: FieldWhyJob, extractor: Callable[[str], Extractor], progress: Callable[[int, int], bool]
) -> dict[str, Any]:
    """FieldWhyJob.result, as FieldWhyMap tells it; `cells` 0 where the image was looked at as a whole."""
    begun = time.monotonic()
    with Image.open(ImageStore(settings.IMAGE_STORE).pixels(job.image.sha256)) as file:
        image = file.convert("RGB")
    if job.bundle.kind == Kind.IMAGE:
        found, said = explain_image(
            image,
            ImageModels([job.bundle]),
            job.decision,
            columns=job.columns,
            rows=job.rows,
            overlap=job.overlap,
            progress=progress,
        )
        cells = 0
    else:
        found, said, cells = _by_cells(job, image, extractor, progress)
    return {
        "probability": round(found.probability, 6),
        "of": names_in(job.decision)[0],
        "chain": said.chain,
        "cells": cells,
        "changes": [[round(float(value), 5) for value in row] for row in found.changes],
        "colours": _colours(found),
        "seconds": round(time.monotonic() - begun, 1),
    }


def _by_cells(
    job: FieldWhyJob,
    image: Image.Image,
    extractor: Callable[[str], Extractor],
    progress: Callable[[int, int], bool],
) -> tuple[Occlusion, Said, int]:
    """Also how many cells it has."""
    models = Models([job.bundle])
    eye = models.eye(extractor)
    own = cells_in([job.image])
    bounds = {cell: box for cell, *box in own.order_by().values_list("pk", "x0", "y0", "x1", "y1")}
    crops = list(crops_of(own, typical_px(job.image.study)))
    if not crops:
        raise DiagnosisProblem(NO_CELLS)
    found, said = explain_field(
        image,
        [(box[0], box[1], box[2], box[3]) for box in (bounds[crop.cell] for crop in crops)],
        [crop.square for crop in crops],
        models,
        eye,
        job.decision,
        columns=job.columns,
        rows=job.rows,
        overlap=job.overlap,
        progress=progress,
    )
    return found, said, len(crops)


def _colours(found: Occlusion) -> dict[str, Any]:
    """For drawing: `values`, columns x rows whole numbers from -100 to 100 row by row, and the change of probability
    that 100 stands for."""
    table = found.spread()
    strongest = float(abs(table).max())
    values = (table * (100 / max(strongest, 1e-12))).round().astype(int)
    rows, columns = table.shape
    return {"columns": columns, "rows": rows, "values": values.ravel().tolist(), "strongest": round(strongest, 5)}
