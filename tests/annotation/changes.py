"""Operations as a test asks for them, and the borders that they are about."""

import uuid
from typing import Any

from django.contrib.auth.models import User

from annotation.models import Cell, ProposalRun, SmearImage
from annotation.operations import Change, apply

SQUARE = {"kind": "polygon", "points": [[10, 10], [30, 10], [30, 30], [10, 30]]}
LARGER = {"kind": "polygon", "points": [[5, 5], [35, 5], [35, 35], [5, 35]]}
ROUND = {"kind": "ellipse", "cx": 30.0, "cy": 20.0, "rx": 8.0, "ry": 6.0, "theta": 0.5}


def change(kind: str, cell: uuid.UUID, version: int, **more: Any) -> Change:
    return Change(id=uuid.uuid4(), kind=kind, cell=cell, version=version, **more)


def one(image: SmearImage, user: User, asked: Change) -> Any:
    return apply(image.pk, user, [asked]).results[0]


def propose(image: SmearImage, score: float = 0.8) -> Cell:
    run = ProposalRun.objects.create(study=image.study, bundle="watershed/1", score_threshold=0.5)
    cell = Cell(
        image=image,
        origin="proposal",
        status="proposed",
        run=run,
        score=score,
        proposed_border=ROUND,
    )
    cell.place(ROUND, image)
    cell.save()
    return cell
