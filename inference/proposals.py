"""Proposals as rows: made for images, kept as proposed, replaced by the next run, never touching a person's border."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from django.conf import settings
from django.db import transaction
from numpy.typing import NDArray
from PIL import Image

from annotation.borders import iou
from annotation.models import Cell, ProposalRun, SmearImage, Study
from annotation.revision import next_revision
from annotation.store import ImageStore
from inference.appearance import appearance
from inference.disagreement import disagreement
from inference.teaching import keep_features, put_in_order
from training.models import Bundle

# A proposal that overlaps a settled border by so much is about the same cell.
SAME_CELL = 0.5


class ProposalProblem(Exception):
    """Proposals cannot be made; the message says why in one sentence."""


class Proposer(Protocol):
    """What makes proposals: a detector's bundle, or the method without a model."""

    name: str
    score_threshold: float

    def propose(self, image: Image.Image) -> Sequence[dict[str, Any]]:
        """[{"border": a border in image pixels, "score": 0..1}] of an RGB image, best first, at most 500; with the
        "tightness" of the border, 0..1, where it is known (Cell.tightness)."""
        ...


@runtime_checkable
class Comparing(Protocol):
    """A proposer that can also say how images look as a whole, so that they can be compared."""

    def features(self, image: Image.Image) -> NDArray[Any]:
        """A vector of the RGB image, of the same length for all."""
        ...


class FirstProposals:
    """Round zero: no annotation needed."""

    def __init__(self) -> None:
        from inference import watershed

        self.name = watershed.NAME
        self.score_threshold = watershed.SCORE_THRESHOLD
        self._propose = watershed.propose

    def propose(self, image: Image.Image) -> Sequence[dict[str, Any]]:
        return self._propose(image)

    def features(self, image: Image.Image) -> NDArray[Any]:
        return appearance(image)


class DetectorProposals:
    """A bundle of a detector, loaded once."""

    def __init__(self, bundle: Bundle) -> None:
        # Imported here: the web process never loads torch.
        from inference.detection import Detector

        self.name = bundle.pk
        self._detector = Detector.load(bundle.folder)
        self.score_threshold = self._detector.score_threshold

    def propose(self, image: Image.Image) -> Sequence[dict[str, Any]]:
        return self._detector.propose(image)

    def features(self, image: Image.Image) -> NDArray[Any]:
        return self._detector.features(image)


@dataclass(frozen=True)
class Pass:
    """What one run did: images looked at, proposals stored, those people see, and the mean time an image."""

    run: ProposalRun
    images: int
    proposals: int
    shown: int
    seconds_per_image: float
    missing: tuple[str, ...]


def chosen_bundle(study: Study, bundle_id: str | None, *, elsewhere: bool = False) -> Bundle | None:
    """The bundle named, else the one in use in the study; None for first proposals (`watershed`, or no bundle yet).
    `elsewhere`: also one of another study, for whoever may see them all, as the command line does.

    Raises ProposalProblem for a bundle that does not exist or is no detector.
    """
    if bundle_id in ("watershed", "none", "first"):
        return None
    if bundle_id is None:
        return Bundle.used_by(study)
    found = Bundle.objects.filter(pk=bundle_id).first()
    if found is None or not (elsewhere or found.study_id == study.pk):
        raise ProposalProblem(f"The study {study.name} has no bundle {bundle_id!r}.")
    if found.kind != "detector":
        raise ProposalProblem(f"The bundle {bundle_id} is a {found.kind}, not a detector.")
    return found


def proposer_of(bundle: Bundle | None) -> Proposer:
    return FirstProposals() if bundle is None else DetectorProposals(bundle)


def propose(
    study: Study,
    proposer: Proposer,
    images: Iterable[SmearImage],
    progress: Callable[[int, int], bool] | None = None,
) -> Pass:
    """Make and store proposals for images of a study under one new run.

    `progress` is told how many of how many are done after each image, and ends the pass by returning False.
    An image whose file is gone is reported in `missing`; the others go on.
    """
    chosen = list(images)
    store = ImageStore(Path(settings.IMAGE_STORE))
    run = ProposalRun.objects.create(study=study, bundle=proposer.name, score_threshold=proposer.score_threshold)
    see = proposer.features if isinstance(proposer, Comparing) else None
    missing: list[str] = []
    seconds = 0.0
    for done, image in enumerate(chosen, start=1):
        started = time.perf_counter()
        try:
            with Image.open(store.pixels(image.sha256)) as file:
                pixels = file.convert("RGB")
        except OSError:
            missing.append(image.name)
            continue
        count = _store(image.pk, run, proposer.propose(pixels))
        if see is not None:
            keep_features(image.pk, run.bundle, see(pixels))
        seconds += time.perf_counter() - started
        run.images += 1
        run.proposals += count
        if progress is not None and not progress(done, len(chosen)):
            break
    else:
        put_in_order(study, run, see, lambda: progress is None or progress(len(chosen), len(chosen)))
    run.seconds = seconds
    run.save(update_fields=["images", "proposals", "seconds"])
    shown = Cell.objects.filter(run=run, status=Cell.Status.PROPOSED).filter(Cell.SHOWN_PROPOSAL).count()
    return Pass(run, run.images, run.proposals, shown, seconds / max(1, run.images), tuple(missing))


@transaction.atomic
def _store(image_id: int, run: ProposalRun, found: Sequence[dict[str, Any]]) -> int:
    """Replace the image's untouched proposals by new ones; how many were stored.

    The image's row is locked first, as for operations: nobody corrects a proposal while it is being replaced.
    """
    image = SmearImage.objects.select_for_update(of=("self",)).get(pk=image_id)
    _compare(image, run, found)
    untouched = Cell.objects.filter(image=image, origin=Cell.Origin.PROPOSAL, status=Cell.Status.PROPOSED)
    # Nobody has seen to these, and their run's Predictions can be made again from its bundle.
    untouched.filter(operations__isnull=True).delete()
    # What people stand for, and what they have rejected: a proposal there would only ask again. A point overlaps
    # nothing: a proposal on it offers the border that it still lacks.
    settled = list(Cell.objects.filter(image=image).exclude(status=Cell.Status.PROPOSED))
    rejected_or_confirmed = [c.border for c in settled]
    cells = []
    for proposal in found:
        cell = Cell(
            image=image,
            status=Cell.Status.PROPOSED,
            origin=Cell.Origin.PROPOSAL,
            run=run,
            score=proposal["score"],
            tightness=proposal.get("tightness"),
            proposed_border=proposal["border"],
            shadowed=any(iou(proposal["border"], border) >= SAME_CELL for border in rejected_or_confirmed),
        )
        cell.place(proposal["border"], image)
        cells.append(cell)
    image.proposed_by = run
    if image.state == SmearImage.State.NEW:
        image.state = SmearImage.State.PROPOSED
    image.replaced_in = next_revision(image, "proposed_by", "state", "disagreement")
    image.save(update_fields=["replaced_in"])
    for cell in cells:
        cell.revision = image.revision
    Cell.objects.bulk_create(cells, batch_size=500)
    return len(cells)


def _compare(image: SmearImage, run: ProposalRun, found: Sequence[dict[str, Any]]) -> None:
    """Set what two rounds disagree about on an image; does not save. To be called before the earlier proposals go.

    They are compared as proposed, whatever people did about them since. The same bundle again changes nothing, and
    first proposals, made without a model, are no second opinion: where they differ, it is they that are wrong.
    """
    from inference.watershed import NAME

    earlier = image.proposed_by
    if earlier is None or NAME in (earlier.bundle, run.bundle):
        image.disagreement = None
    elif earlier.bundle != run.bundle:
        shown = Cell.objects.filter(image=image, run=earlier, score__gte=earlier.score_threshold)
        before = [border for (border,) in shown.values_list("proposed_border") if border is not None]
        now = [proposal["border"] for proposal in found if proposal["score"] >= run.score_threshold]
        image.disagreement = disagreement(before, now)
