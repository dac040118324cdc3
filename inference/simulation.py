"""An annotator played against a truth: what the loop costs in corrections, and whether it falls.

The play goes through the operations that people use, under a user of its own, and every count is read back from
the records that a person's corrections leave.
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, IntegerField, When
from PIL import Image

from annotation.borders import Border, iou
from annotation.formats.truth import TruthCell
from annotation.image_order import order_key
from annotation.image_state import set_state
from annotation.models import Cell, ImageOrder, Membership, Operation, Role, SmearImage, Study
from annotation.operations import APPLIED, Change, apply
from annotation.revision import next_revision
from annotation.store import ImageStore
from inference.overlap import Field, Scored, Truth, average_precision, best_matches, share_inside
from inference.proposals import Proposer

ACCEPTED_FROM = 0.7
MOVED_FROM = 0.3
# A proposal that lies in an ignored region is neither right nor wrong: the annotator leaves it.
IGNORED_FROM = 0.5
USER_NAME = "simulated-annotator"


class PlayRefused(Exception):
    """An operation of the simulated annotator was not applied."""


def simulated_annotator(study: Study) -> User:
    """The account that the play runs under: it cannot sign in, and is an annotator of the study."""
    user, made = User.objects.get_or_create(username=USER_NAME, defaults={"is_active": False})
    if made:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    Membership.objects.get_or_create(study=study, user=user, defaults={"role": Role.ANNOTATOR})
    return user


def shuffled(image_ids: Sequence[int], seed: int) -> list[int]:
    order = sorted(image_ids)
    random.Random(seed).shuffle(order)
    return order


def set_aside(image_ids: Sequence[int], count: int) -> list[int]:
    """So many images that are never corrected and judge every step: the same whatever the seed and the order, and
    whichever of the others have been corrected. The first by their hash, which says nothing of what they show."""
    return list(SmearImage.objects.filter(pk__in=image_ids).order_by("sha256").values_list("pk", flat=True)[:count])


def next_images(waiting: Sequence[int], count: int, order: str) -> list[int]:
    """The images among those waiting that the worklist would give out next in one of ImageOrder; random: the first.

    Images that the order does not tell apart come as they are given.
    """
    if order == ImageOrder.RANDOM:
        return list(waiting[:count])
    annotations, keys = order_key(order)
    given = Case(*(When(pk=key, then=place) for place, key in enumerate(waiting)), output_field=IntegerField())
    images = SmearImage.objects.filter(pk__in=waiting).annotate(**annotations, given=given)
    return list(images.order_by(*keys, "given").values_list("pk", flat=True)[:count])


def judge(proposer: Proposer, truth: Mapping[int, Sequence[TruthCell]]) -> dict[str, float | None]:
    """COCO's scores of what is proposed on these images, of which no row is kept: they stay as they were."""
    store = ImageStore(Path(settings.IMAGE_STORE))
    fields = []
    for key, sha256 in SmearImage.objects.filter(pk__in=truth).values_list("pk", "sha256"):
        with Image.open(store.pixels(sha256)) as file:
            found = proposer.propose(file.convert("RGB"))
        there = [Truth(cell.border, cell.ignored) for cell in truth[key]]
        fields.append(Field(there, [Scored(one["border"], one["score"]) for one in found]))
    return average_precision(fields)


def correct(image_id: int, truth: Sequence[TruthCell], user: User) -> None:
    """Correct the shown proposals of one image to the truth, and mark it as annotated.

    IoU ≥ 0.7 with a cell: accepted; 0.3 to 0.7: moved onto it; else deleted; cells that no proposal matches are
    added. Raises PlayRefused where an operation is not applied.
    """
    cells = [cell for cell in truth if not cell.ignored]
    regions = [cell for cell in truth if cell.ignored]
    with transaction.atomic():
        image = SmearImage.objects.select_for_update(of=("self",)).get(pk=image_id)
        shown = list(
            Cell.objects.filter(image=image, status=Cell.Status.PROPOSED).filter(Cell.SHOWN_PROPOSAL).order_by("-score")
        )
        matches = best_matches([p.border for p in shown], [Truth(c.border) for c in cells], MOVED_FROM)
        matched = {match.proposal: match for match in matches}
        # What the play changes beside the operations: whoever has the image open reads it anew.
        image.replaced_in = next_revision(image)
        image.save(update_fields=["replaced_in"])
        _keep_ignored(image, regions)
        changes = []
        for index, proposal in enumerate(shown):
            match = matched.get(index)
            if match is not None and match.iou >= ACCEPTED_FROM:
                changes.append(_change(Operation.Kind.ACCEPT, proposal))
            elif match is not None:
                changes.append(_change(Operation.Kind.RESHAPE, proposal, cells[match.truth].border))
            elif any(share_inside(proposal.border, region.border) >= IGNORED_FROM for region in regions):
                proposal.shadowed = True
                proposal.save(update_fields=["shadowed"])
            else:
                changes.append(_change(Operation.Kind.DELETE, proposal))
        found = {match.truth for match in matches}
        changes += [
            Change(id=uuid4(), kind=Operation.Kind.CREATE, cell=uuid4(), version=0, border=cell.border)
            for index, cell in enumerate(cells)
            if index not in found
        ]
        for result in apply(image.pk, user, changes).results:
            if result.status != APPLIED:
                raise PlayRefused(f"{image.name}: an operation was {result.status}. {result.reason}")
        set_state(image.pk, user, SmearImage.State.ANNOTATED)


def _change(kind: str, cell: Cell, border: Border | None = None) -> Change:
    return Change(id=uuid4(), kind=kind, cell=cell.pk, version=cell.version, border=border)


def _keep_ignored(image: SmearImage, regions: Sequence[TruthCell]) -> None:
    """Ignored regions of the truth come with it, as an import would bring them: they are no correction."""
    present = [cell.border for cell in Cell.objects.filter(image=image, ignored=True).confirmed()]
    rows = []
    for region in regions:
        if any(iou(region.border, border) > 0.99 for border in present):
            continue
        row = Cell(
            image=image,
            origin=Cell.Origin.IMPORTED,
            ignored=True,
            ignored_class=region.class_name,
            revision=image.revision,
        )
        row.place(dict(region.border), image)
        rows.append(row)
    Cell.objects.bulk_create(rows)


def unplayed(truth: Mapping[int, Sequence[TruthCell]]) -> list[int]:
    """The images of a truth that nobody has annotated."""
    return list(SmearImage.objects.filter(pk__in=list(truth)).unannotated().values_list("pk", flat=True))
