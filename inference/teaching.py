"""The figures by which the worklist puts first what a detector would learn most from: as plain numbers on the images.

Made whenever borders have been proposed, for all images of the study that wait for a person. An image keeps its
figures until the next time; the order holds meanwhile, for each place takes those before it as annotated.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db.models import Count, Exists, F, FloatField, OuterRef, Subquery
from django.db.models.functions import Coalesce
from numpy.typing import NDArray
from PIL import Image

from annotation.models import Cell, ProposalRun, SmearImage, Study
from annotation.store import ImageStore
from annotation.uncertainty import uncertainty
from inference.learning_order import directions, novelty, teaching_order
from inference.models import ImageFeatures

See = Callable[[Image.Image], NDArray[Any]]

# So many finished images, the latest, are what a waiting one is compared with: looking at all of a large study anew
# with each new bundle would take longer than it is worth.
COMPARED = 1000


def keep_features(image_id: int, bundle: str, vector: NDArray[Any]) -> None:
    """Store what a bundle sees in an image, in place of what it saw there before."""
    packed = np.asarray(vector, dtype="<f4").tobytes()
    ImageFeatures.objects.update_or_create(image_id=image_id, bundle=bundle, defaults={"vector": packed})


def put_in_order(study: Study, run: ProposalRun, see: See | None, go_on: Callable[[], bool] = lambda: True) -> None:
    """Say of each waiting image of a study how unlike the finished ones it is, and its place in the order of teaching.

    see: what makes the feature vector of an image under the run's bundle; None where there is nothing to compare by:
    the order is then by corrections to expect alone. Finished images that this bundle has not seen are looked at now;
    `go_on` is asked before each, and False ends it, with the figures as they were.
    """
    if see is not None and not _look_at_finished(study, run.bundle, see, go_on):
        return
    waiting = _waiting(study)
    finished = _latest_finished(study)
    seen = _vectors(study, run.bundle, {*(image.pk for image in waiting), *finished}) if see is not None else {}
    place = {key: row for row, key in enumerate(seen)}
    table = directions(np.array(list(seen.values()), dtype=np.float64)) if seen else np.zeros((0, 0))
    comparable = [image for image in waiting if image.pk in place] if see is not None else waiting
    need = np.array([image.need for image in comparable], dtype=np.float64)
    ours = table[[place[image.pk] for image in comparable]] if seen else np.zeros((len(comparable), 0))
    annotated = table[[place[key] for key in finished if key in place]]
    unlike: dict[int, float] = {}
    if len(annotated) and len(comparable):
        unlike = dict(zip((image.pk for image in comparable), novelty(ours, annotated).tolist(), strict=True))
    order = teaching_order(need, ours, annotated)
    _write(waiting, unlike, {comparable[index].pk: rank for rank, index in enumerate(order, start=1)})
    # What other bundles saw is never compared again; should one come back into use, it looks again.
    ImageFeatures.objects.filter(image__study=study).exclude(bundle=run.bundle).delete()


def _waiting(study: Study) -> list[Any]:
    """Images that nobody has annotated, in an order that says nothing, each with `need`: the corrections to expect,
    and the proposals that the last two runs do not agree about."""
    shown = (
        Cell.objects.filter(Cell.SHOWN_PROPOSAL, status=Cell.Status.PROPOSED, image=OuterRef("pk"))
        .order_by()
        .values("image")
        .annotate(number=Count("pk"))
        .values("number")
    )
    disputed = F("disagreement") * Subquery(shown, output_field=FloatField())
    need = Coalesce(uncertainty(), 0.0) + Coalesce(disputed, 0.0)
    return list(study.images.unannotated().annotate(need=need).order_by("sha256"))


def _latest_finished(study: Study) -> list[int]:
    return list(study.images.finished().fields().order_by("-pk").values_list("pk", flat=True)[:COMPARED])


def _look_at_finished(study: Study, bundle: str, see: See, go_on: Callable[[], bool]) -> bool:
    """Give the finished images the vectors that they lack under a bundle; False where it was ended before."""
    seen = ImageFeatures.objects.filter(image=OuterRef("pk"), bundle=bundle)
    store = ImageStore(Path(settings.IMAGE_STORE))
    unseen = SmearImage.objects.filter(~Exists(seen), pk__in=_latest_finished(study))
    for key, sha256 in list(unseen.values_list("pk", "sha256")):
        if not go_on():
            return False
        try:
            with Image.open(store.pixels(sha256)) as file:
                keep_features(key, bundle, see(file.convert("RGB")))
        except OSError:
            # Its file is gone: there is nothing to compare with.
            continue
    return True


def _vectors(study: Study, bundle: str, keys: Collection[int]) -> dict[int, NDArray[np.float64]]:
    rows = ImageFeatures.objects.filter(image__study=study, bundle=bundle).order_by("image_id")
    found = {
        key: np.frombuffer(bytes(packed), dtype="<f4").astype(np.float64)
        for key, packed in rows.values_list("image_id", "vector")
    }
    return {key: vector for key, vector in found.items() if key in keys}


def _write(waiting: Sequence[SmearImage], unlike: Mapping[int, float], rank: Mapping[int, int]) -> None:
    changed = []
    for image in waiting:
        figures = unlike.get(image.pk), rank.get(image.pk)
        if figures != (image.novelty, image.learning_rank):
            image.novelty, image.learning_rank = figures
            changed.append(image)
    # In the order of their keys, as everybody locks images: two such passes cannot wait for each other.
    changed.sort(key=lambda image: image.pk)
    SmearImage.objects.bulk_update(changed, ["novelty", "learning_rank"], batch_size=500)
