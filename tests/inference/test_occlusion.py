"""Covering parts of an image: what a probability rests on lights up, the background does not."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from annotation.synthetic.patient import draw_patient
from annotation.synthetic.placement import PlantedCell
from annotation.synthetic.smear import draw_smear
from inference.occlusion import Occlusion, Stopped, empty_field, occlude

TARGET, COUNTER = (20, 200, 60), (250, 220, 0)


def seen(image: Image.Image, colour: tuple[int, int, int]) -> float:
    away = np.abs(np.asarray(image, dtype=int) - colour).sum(axis=2)
    return float((away < 40).sum())


def planted_spots(images: Sequence[Image.Image]) -> list[float]:
    """A probability that rises with one colour and falls with another."""
    odds = [0.004 * (seen(image, TARGET) - seen(image, COUNTER)) for image in images]
    return [1 / (1 + np.exp(-value)) for value in odds]


def dark_nuclei(images: Sequence[Image.Image]) -> list[float]:
    """A probability that rises with what is as dark as a nucleus: of a smear, with its nucleated cells."""
    shares = [float((np.asarray(image.convert("L")) < 120).mean()) for image in images]
    return [1 - float(np.exp(-20 * share)) for share in shares]


@pytest.fixture(scope="module")
def smear() -> Image.Image:
    return Image.fromarray(draw_smear(draw_patient(9, 2, "healthy"), 0, 480, 360, um_per_pixel=0.2).pixels)


def test_planted_targets_light_up_and_the_field_does_not(smear: Image.Image) -> None:
    image = smear.copy()
    draw = ImageDraw.Draw(image)
    # Blocks are 60 x 60: these lie within those of column 5, row 1, and of column 1, row 4.
    draw.ellipse((310, 70, 350, 110), fill=TARGET)
    draw.ellipse((75, 255, 105, 285), fill=COUNTER)
    asked: list[int] = []
    told: list[tuple[int, int]] = []

    def score(images: Sequence[Image.Image]) -> list[float]:
        asked.append(len(images))
        return planted_spots(images)

    def progress(done: int, total: int) -> bool:
        told.append((done, total))
        return True

    found = occlude(image, score, columns=8, rows=6, batch=20, progress=progress)
    assert found.probability == pytest.approx(planted_spots([image])[0])
    assert found.changes.shape == (6, 8) and found.changes.dtype == np.float32
    assert np.unravel_index(found.changes.argmax(), (6, 8)) == (1, 5)
    assert np.unravel_index(found.changes.argmin(), (6, 8)) == (4, 1)
    covered = image.copy()
    covered.paste(empty_field(image), (300, 60, 360, 120))
    assert found.changes[1, 5] == pytest.approx(found.probability - planted_spots([covered])[0], abs=0.02)
    others = found.changes.copy()
    others[1, 5] = others[4, 1] = 0
    assert np.abs(others).max() < 0.05 * found.changes.max()
    assert asked == [1, 20, 20, 8] and told == [(0, 48), (20, 48), (40, 48), (48, 48)]


def test_on_a_synthetic_smear_cells_light_up_and_the_background_does_not() -> None:
    places = [(90, 90), (390, 90), (240, 270)]
    patient = replace(draw_patient(9, 2, "healthy"), cells=0.0, smudges=0.0)
    planted = tuple(PlantedCell(x, y, "promyelocyte") for x, y in places)
    smear = draw_smear(patient, 0, 480, 360, um_per_pixel=0.2, planted=planted)
    table = occlude(Image.fromarray(smear.pixels), dark_nuclei, columns=24, rows=18).changes
    cells = Image.new("1", (480, 360))
    for cell in smear.cells:
        ImageDraw.Draw(cells).polygon([tuple(point) for point in cell.border["points"]], fill=1)  # type: ignore[attr-defined]
    near = np.asarray(cells.convert("L").resize((24, 18), Image.Resampling.BOX)) > 0
    # The soft edge of a block reaches a little into the next one.
    reached = near.copy()
    for axis in (0, 1):
        reached |= np.roll(reached, 1, axis) | np.roll(reached, -1, axis)
    assert (~reached).sum() > 200, "there is background"
    assert np.abs(table[~reached]).mean() < 0.02 * table[near].mean()
    assert np.abs(table[~reached]).max() < 0.15 * table.max()
    for x, y in places:
        assert table[y // 20, x // 20] > 0.1 * table.max()


def test_blocks_that_overlap_tell_the_place_more_finely(smear: Image.Image) -> None:
    image = smear.copy()
    ImageDraw.Draw(image).ellipse((225, 165, 255, 195), fill=TARGET)
    fine = occlude(image, planted_spots, columns=8, rows=6, overlap=3).spread(4)
    assert fine.shape == (24, 32)
    y, x = np.unravel_index(fine.argmax(), fine.shape)
    assert abs((x + 0.5) * 15 - 240) < 15 and abs((y + 0.5) * 15 - 180) < 15
    # Of blocks side by side the spread is the changes themselves, in more pieces.
    changes = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert Occlusion(changes, 0.5).spread(2).tolist() == changes.repeat(2, axis=0).repeat(2, axis=1).tolist()


def test_what_is_asked_wrongly_is_refused(smear: Image.Image) -> None:
    with pytest.raises(Stopped):
        occlude(smear, planted_spots, progress=lambda done, total: done < 16)
    with pytest.raises(ValueError, match="at least one row"):
        occlude(smear, planted_spots, rows=0)
    with pytest.raises(ValueError, match="at least as wide"):
        occlude(smear, planted_spots, overlap=0.5)
    with pytest.raises(ValueError, match="Of 1 images 1 probabilities are wanted, not \\(2,\\)"):
        occlude(smear, lambda images: [0.1, 0.2])


def test_the_colour_of_the_empty_field(smear: Image.Image) -> None:
    assert min(empty_field(smear)) > 180
    image = Image.new("RGB", (90, 90), (200, 190, 210))
    ImageDraw.Draw(image).rectangle((0, 0, 90, 60), fill=(90, 40, 120))
    assert empty_field(image) == (200, 190, 210)
