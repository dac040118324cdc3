"""Which of a cell's labels hold: the choice that its readers see and that exports and rounds take."""

from collections.abc import Iterable

from annotation.models import CellLabel


def current_choice(rows: Iterable[CellLabel], viewer_id: int | None = None) -> list[int]:
    """The label ids of the current choice among one cell's rows, in the order in which they were made.

    A viewer who has labelled the cell sees their own choice; anyone else sees that of the annotator who spoke
    last, and an imported one only where no annotator has spoken. `viewer_id` None asks for the latter.
    """
    by_annotator: dict[int | None, list[CellLabel]] = {}
    for row in rows:
        by_annotator.setdefault(row.annotator_id, []).append(row)
    if not by_annotator:
        return []
    if viewer_id is not None and viewer_id in by_annotator:
        chosen = by_annotator[viewer_id]
    else:
        people = [of_one for annotator, of_one in by_annotator.items() if annotator is not None]
        chosen = max(people, key=lambda of_one: max(row.pk for row in of_one)) if people else by_annotator[None]
    return [row.label_id for row in sorted(chosen, key=lambda row: row.pk)]
