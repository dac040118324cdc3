"""What a classifier's or a diagnosis's round said of each cell or patient that judged it, beside the truth then.

It lies as judged.json beside the bundle in OUT, where a detector's round has its judged images (training/judged.py): a
later round is compared with it on the cells or patients that judged both (training/chances_comparison.py). Free of
torch and Django.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from training.contract import content_hash, expect, read_json, write_json
from training.judged import JudgedError

SCHEMA = "marrowloop.judged-chances/1"
# Of a probability: a comparison needs no more, and 10,000 cells of 20 classes fit a megabyte.
DIGITS = 4

_PART = {"name": str, "classes": list, "ids": list, "patients": list, "truth": list, "chances": list}


def judged_part(
    name: str,
    classes: Sequence[str],
    ids: Sequence[str],
    patients: Sequence[str],
    truth: Sequence[int],
    chances: NDArray[Any],
) -> dict[str, Any]:
    """What one head or decision said: of n cells or patients by their ids, whose they are, the number of the true class
    (len(classes) or more where it is none of them) and chances (n, K) by models that had not seen the patient."""
    return {
        "name": name,
        "classes": list(classes),
        "ids": list(ids),
        "patients": list(patients),
        "truth": [int(each) for each in truth],
        "chances": [[round(float(each), DIGITS) for each in row] for row in chances],
    }


def write_judged_chances(path: Path, parts: Sequence[dict[str, Any]]) -> None:
    """Write it whole or not at all."""
    content: dict[str, Any] = {"schema": SCHEMA, "parts": list(parts)}
    write_json(path, content | {"hash": content_hash(content)})


def read_judged_chances(path: Path) -> list[dict[str, Any]]:
    """Its parts. Raises JudgedError for another schema or hash, and for tables that do not fit together."""
    content = read_json(path, SCHEMA, "file of judged cells", JudgedError)
    place = f"The file {path}"
    expect(content, {"parts": list}, place, JudgedError)
    for part in content["parts"]:
        if not isinstance(part, dict):
            raise JudgedError(f"{place} has a part that is not an object.")
        expect(part, _PART, f"a part of {place[0].lower()}{place[1:]}", JudgedError)
        rows = {len(part[name]) for name in ("ids", "patients", "truth", "chances")}
        if len(rows) != 1 or not all(_is_row(row, len(part["classes"])) for row in part["chances"]):
            raise JudgedError(f"{place} has tables that do not fit together.")
    parts: list[dict[str, Any]] = content["parts"]
    return parts


def _is_row(row: Any, width: int) -> bool:
    if not isinstance(row, list) or len(row) != width:
        return False
    return all(isinstance(value, int | float) and math.isfinite(value) for value in row)
