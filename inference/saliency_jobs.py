"""Why a model gives a cell a label: a map of what it looks at, made when somebody asks and kept on disk by name.

A map is named by the crop, by who was asked (for the heads that learn: as of their last retraining), by label and by
method, so that it is never shown of another border or of an older head.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from PIL import Image

from annotation.crop import crop_hash, cut
from annotation.models import Cell, Label, Study
from annotation.store import ImageStore
from inference import kept_heads
from inference.cell_feature_jobs import default_extractor
from inference.gallery_crops import place_of
from inference.models import INTERACTIVE, SaliencyJob
from inference.voices import VoiceError, bundle_for, head_that_tells
from training.bundle import BundleError
from training.models import JobState
from training.pixel_cache import trim

# The words of the address, and what people read.
METHODS = {"occlusion": "Covering places", "gradients": "Gradients (Grad-CAM)"}
# Changes with what is computed, so that older maps are not shown for newer ones.
_VERSION = 1
# A map is some kilobytes; so many of them are kept.
_MOST_BYTES = 64 * 2**20
_LOOK_AFTER = 200
_written = 0

Answer = dict[str, Any]


def ask(study: Study, cell: Cell, label: Label, bundle: str, method: str, user: Any = None) -> Answer:
    """What answer_of says; where no map is kept and nobody is at work on it, a worker of the queue `interactive` is
    told. Raises VoiceError where nobody of that name can be asked."""
    bundle_for(study, cell, bundle)
    if (kept := _kept(study, cell, label, bundle, method)) is not None:
        return kept
    SaliencyJob.bury_dead()
    try:
        with transaction.atomic():
            job = SaliencyJob.objects.create(cell=cell, label=label, bundle=bundle, method=method, requested_by=user)
            job.enqueue()
    except IntegrityError:
        pass  # Somebody has asked already.
    return answer_of(study, cell, label, bundle, method)


def answer_of(study: Study, cell: Cell, label: Label, bundle: str, method: str) -> Answer:
    """{state: "none"} where nobody has asked, {state, reason, progress} of the job, or with state "succeeded" the map:
    {probability, size, values: size² whole numbers from -100 to 100, row by row, strongest}. Above 0 speaks for the
    label; `strongest` is the change of probability that 100 stands for, None by gradients."""
    if (kept := _kept(study, cell, label, bundle, method)) is not None:
        return kept
    job = SaliencyJob.objects.filter(cell=cell, label=label, bundle=bundle, method=method).defer("log").first()
    # Of an earlier border, or of heads that have learned since.
    if job is None or job.state == JobState.SUCCEEDED:
        return {"state": "none"}
    return {"state": job.state, "reason": job.reason, "progress": job.progress}


def work(job: SaliencyJob, extractor: Callable[[str], Any] | None = None) -> bool:
    """Claim and do one job; whether a map was made."""
    if not job.claim():
        return False
    try:
        answer, path = _made(job, extractor or _extractor)
    except (VoiceError, ValueError) as problem:
        return not job.fail(str(problem))
    except OSError:
        return not job.fail("The image of this cell is missing on the server.")
    except Exception as error:
        job.fail(f"The map could not be made: {type(error).__name__}: {error}")
        raise
    if answer is None:
        job.give_up()
        return False
    try:
        _keep(path, answer)
    except OSError as problem:
        return not job.fail(f"The map could not be kept: {problem.strerror}.")
    return job.succeed()


def _made(job: SaliencyJob, extractor: Callable[[str], Any]) -> tuple[Answer | None, Path]:
    """The map that a job asks for, None where its end was asked for meanwhile; and where it is kept."""
    # Imported here: the web process never loads torch.
    from inference.cell_saliency import grad_cam, occlusion
    from inference.occlusion import Stopped

    study = job.cell.image.study
    path = _path(study, job.cell, job.label, job.bundle, job.method)
    told = head_that_tells(job.label, bundle_for(study, job.cell, job.bundle))
    place = place_of(study, job.cell_id)
    if path is None or place is None:
        raise VoiceError("The cell is gone, or a point of unknown size: there is nothing to look at.")
    eye, head = _seen_by(told, extractor)
    sha256, square = place
    with Image.open(ImageStore(Path(settings.IMAGE_STORE)).pixels(sha256)) as image:
        crop = cut(image, square)

    def progress(done: int, total: int) -> bool:
        return job.beat(progress={"done": done, "total": total}) and job.state == JobState.RUNNING

    try:
        if job.method == "gradients":
            found = grad_cam(eye, head, told.column, crop)
        else:
            found = occlusion(eye, head, told.column, crop, progress=progress)
    except Stopped:
        return None, path
    most = float(abs(found.values).max())
    values = (found.values * (100 / max(most, 1e-12))).round().astype(int)
    return {
        "state": str(JobState.SUCCEEDED),
        "probability": round(found.probability, 4),
        "size": len(found.values),
        "values": values.ravel().tolist(),
        "strongest": round(most, 4) if job.method == "occlusion" else None,
    }, path


def _seen_by(told: kept_heads.KeptHead, extractor: Callable[[str], Any]) -> tuple[Any, Any]:
    """What sees the crop for a head, and the head on what it sees. Raises VoiceError."""
    if told.network is not None:
        try:
            return _network(*told.network)
        except BundleError as problem:
            raise VoiceError(str(problem)) from problem
    # "efficientnet_lite0/1": the backbone, and the version of what is computed by it.
    eye = extractor(told.backbone.partition("/")[0])
    if eye.name != told.backbone:
        raise VoiceError(f"It wants features of {told.backbone}; {eye.name} is what sees cells here.")
    return eye, told.head


@lru_cache(maxsize=1)
def _network(folder: Path, number: int) -> tuple[Any, Any]:
    """As _extractor. A bundle's folder is named by its content."""
    from training.classifier_bundle import network_alone

    return network_alone(folder, number)


@lru_cache(maxsize=1)
def _extractor(backbone: str) -> Any:
    """Kept from one question to the next: loading it takes longer than asking."""
    return default_extractor(backbone)


def _kept(study: Study, cell: Cell, label: Label, bundle: str, method: str) -> Answer | None:
    path = _path(study, cell, label, bundle, method)
    if path is None:
        return None
    try:
        answer: Answer = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # used, not written: trim() takes the longest unused first
    return answer


def _path(study: Study, cell: Cell, label: Label, bundle: str, method: str) -> Path | None:
    """Where a map is kept; None of a cell that is not to be seen."""
    place = place_of(study, cell.pk)
    if place is None:
        return None
    stand = kept_heads.stand_of(label.group_id) if bundle == INTERACTIVE else ""
    asked = [str(_VERSION), crop_hash(*place), bundle, stand, str(label.pk), label.name, method]
    name = hashlib.sha256("\n".join(asked).encode()).hexdigest()
    return folder() / name[:2] / f"{name}.json"


def _keep(path: Path, answer: Answer) -> None:
    global _written
    path.parent.mkdir(parents=True, exist_ok=True)
    number, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(number, "w") as file:
            json.dump(answer, file)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise
    _written += 1
    if _written % _LOOK_AFTER == 0:
        trim(folder(), _MOST_BYTES)


def folder() -> Path:
    return Path(settings.DATA_FOLDER) / "cache" / "saliency"
