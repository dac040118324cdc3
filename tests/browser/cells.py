"""Cells in the database before somebody opens the editor."""

from typing import Any

from annotation.models import Cell, ProposalRun, SmearImage

SQUARE = {"kind": "polygon", "points": [[100, 100], [200, 100], [200, 200], [100, 200]]}


def square(x: float, y: float, side: float = 100) -> dict[str, Any]:
    """The square with its upper left corner there."""
    return {"kind": "polygon", "points": [[x, y], [x + side, y], [x + side, y + side], [x, y + side]]}


def draw(image: SmearImage, border: dict[str, Any] | None = None, **fields: Any) -> Cell:
    cell = Cell(image=image, **fields)
    cell.place(border or SQUARE, image)
    cell.save()
    return cell


def propose(image: SmearImage, cx: float, cy: float, score: float = 0.83) -> Cell:
    border = {"kind": "ellipse", "cx": cx, "cy": cy, "rx": 40.0, "ry": 30.0, "theta": 0.0}
    run, _ = ProposalRun.objects.get_or_create(study=image.study, bundle="watershed/1", score_threshold=0.5)
    fields = {"origin": "proposal", "run": run, "score": score, "proposed_border": border}
    return draw(image, border, status="proposed", **fields)


def shape(cell: Cell) -> Any:
    """The cell's border as shapely has it."""
    from shapely.geometry import Polygon

    from annotation.borders import outline

    return Polygon(outline(cell.border))
