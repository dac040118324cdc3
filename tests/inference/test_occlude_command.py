"""`manage.py occlude`: what a suspected diagnosis of an image file rests on, as JSON and as a picture."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inference import field_why
from inference.diagnosis import NO_CELL, Diagnosed, Said
from tests.labelled_cells import BLUE, RED
from tests.training.coloured_cells import MeanColour

pytestmark = pytest.mark.django_db
PLACES = {(60, 60): RED, (220, 60): BLUE, (140, 180): BLUE}


class Redness:
    """Suspects APL by how red the reddest cell is."""

    def __init__(self, bundles: Sequence[Any]) -> None:
        pass

    def eye(self, extractor: Any) -> MeanColour:
        return MeanColour()

    def diagnose(self, patient: str, features: NDArray[np.float32], images: set[str]) -> Diagnosed:
        if len(features) < 2:
            return Diagnosed(patient, reason="There is nothing to diagnose by.")
        redness = float((features[:, 0] - features[:, 2]).max().clip(0, 1))
        said = Said("APL vs non-APL AML", "mil", "b" * 12, redness, {"apl": redness}, "APL", 0.5, "all")
        return Diagnosed(patient, said=[said])


class Finder:
    """Finds what lies at PLACES, and below its threshold something more."""

    score_threshold = 0.5

    def propose(self, image: Image.Image) -> list[dict[str, Any]]:
        places = [*((x, y, 0.9) for x, y in PLACES), (20, 200, 0.1)]
        return [
            {"border": {"kind": "rectangle", "x": x - 15, "y": y - 15, "width": 30, "height": 30}, "score": score}
            for x, y, score in places
        ]


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(field_why, "Models", Redness)
    monkeypatch.setattr(field_why, "chosen_models", lambda study, ids: [])
    monkeypatch.setattr(field_why, "proposer_of", lambda bundle: Finder())
    image = Image.new("RGB", (320, 240), (225, 215, 220))
    for (x, y), colour in PLACES.items():
        ImageDraw.Draw(image).rectangle((x - 15, y - 15, x + 14, y + 14), fill=colour)
    image.save(tmp_path / "field.png")
    return tmp_path / "field.png"


def occluded(picture: Path, *more: str) -> dict[str, Any]:
    said = io.StringIO()
    call_command("occlude", str(picture), "--bundle", "b" * 12, *more, stdout=said, stderr=io.StringIO())
    found: dict[str, Any] = json.loads(said.getvalue())
    return found


def test_the_map_names_the_cell_that_decides(picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "map.png"
    found = occluded(picture, "--columns", "8", "--rows", "6", "--out", str(out))
    assert (found["decision"], found["model"], found["of"], found["cells"]) == ("APL vs non-APL AML", "mil", "apl", 3)
    assert found["notice"] == "For research only, not a medical device."
    changes = np.array(found["changes"])
    # Parts are 40 x 40: the red cell lies in those of column 1, row 1.
    assert changes.shape == (6, 8) and np.unravel_index(changes.argmax(), (6, 8)) == (1, 1)
    assert changes[1, 1] == pytest.approx(found["probability"], abs=0.1)
    assert changes[4, 3] == pytest.approx(0, abs=0.05) and not changes[:, 7].any()
    before, after = np.asarray(Image.open(picture), dtype=int), np.asarray(Image.open(out), dtype=int)
    assert after.shape == before.shape
    assert np.abs(after[60, 60] - before[60, 60]).max() > 40 and np.abs(after[220, 300] - before[220, 300]).max() < 3


def test_what_cannot_be_shown_is_refused_in_words(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CommandError, match="no decision 'APL vs healthy donor'; they make: APL vs non-APL AML"):
        occluded(picture, "--decision", "APL vs healthy donor")
    with pytest.raises(CommandError, match="at least one row"):
        occluded(picture, "--rows", "0")
    with pytest.raises(CommandError, match="cannot be used"):
        occluded(picture, "--columns", "2", "--rows", "2", "--out", str(tmp_path / "nowhere" / "map.png"))
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(CommandError, match="text.png: "):
        occluded(tmp_path / "text.png")
    monkeypatch.setattr(Finder, "score_threshold", 0.95)
    with pytest.raises(CommandError, match=NO_CELL):
        occluded(picture)
