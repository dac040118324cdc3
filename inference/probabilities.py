"""Writing the probabilities of many cells in few statements."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

# A probability that moved by less is left as it is: nobody sees the difference, and unchanged rows cost nothing.
SAME = 0.0005

_FRESH = """
CREATE TEMPORARY TABLE fresh_probability (cell_id uuid, label_id bigint, probability float8) ON COMMIT DROP
"""
_WRITE = """
INSERT INTO inference_cellprobability AS kept (cell_id, label_id, probability, bundle)
SELECT fresh.cell_id, fresh.label_id, fresh.probability, %s
FROM fresh_probability fresh JOIN annotation_cell cell ON cell.id = fresh.cell_id
ON CONFLICT (cell_id, label_id) DO UPDATE SET probability = excluded.probability, bundle = excluded.bundle
WHERE abs(kept.probability - excluded.probability) > %s OR kept.bundle <> excluded.bundle
"""
# A label is of one study, and so are its cells.
_FORGET = """
DELETE FROM inference_cellprobability kept
WHERE kept.label_id = ANY(%s) AND NOT EXISTS (
    SELECT FROM fresh_probability fresh WHERE fresh.cell_id = kept.cell_id AND fresh.label_id = kept.label_id
)
"""


@transaction.atomic
def write_probabilities(
    cells: Sequence[UUID],
    tables: Sequence[tuple[Sequence[int], NDArray[np.floating]]],
    bundle: str,
    *,
    forget: Sequence[int] = (),
) -> None:
    """Store probabilities of a study's cells: `tables` are pairs of n label ids and a (cells, n) table of 0..1.

    What other models said of the same cells and labels is replaced, and what is known of the labels in `forget` beyond
    these tables goes: nobody vouches for it any more. Six statements, however many cells there are.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FRESH)
        with cursor.copy("COPY fresh_probability FROM STDIN") as copy:
            for labels, table in tables:
                values = np.clip(np.asarray(table, dtype=np.float64), 0.0, 1.0)
                for index, label in enumerate(labels):
                    column = values[:, index].tolist()
                    copy.write(
                        "".join(f"{cell}\t{label}\t{value:.6f}\n" for cell, value in zip(cells, column, strict=True))
                    )
        cursor.execute("ANALYZE fresh_probability")
        if forget:
            cursor.execute(_FORGET, [list(forget)])
        cursor.execute(_WRITE, [bundle, SAME])
        # The caller's transaction may write more than once.
        cursor.execute("DROP TABLE fresh_probability")
