"""The synthetic smear: reproducible, of any size, and its truth fits its pixels."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from annotation.synthetic import (
    CELL_TYPES,
    DIAGNOSES,
    GENERATOR_VERSION,
    SMUDGE,
    PlantedCell,
    SyntheticPatient,
    SyntheticSmear,
    draw_patient,
    draw_smear,
)
from annotation.synthetic.cell_types import LOOKS
from annotation.synthetic.nucleated_cell import draw_cell
from annotation.synthetic.outline import clip_polygon, polygon_area
from annotation.synthetic.patch import cut_patch
from annotation.synthetic.placement import outline_of
from annotation.synthetic.textures import textures

COARSE = 0.2
EXPECTED = {
    "version": 1,
    "types": [
        "promyelocyte",
        "segmented_neutrophil",
        "erythroblast",
        "erythroblast",
        "promyelocyte",
        "segmented_neutrophil",
        "promyelocyte",
        "promyelocyte",
        "erythroblast",
    ],
    "rods": 10,
    "centre": [57, 120],
}
EXPECTED_MEAN = [181.0, 156.0, 196.9]


def field(patient: SyntheticPatient, index: int = 0, **changes: object) -> SyntheticSmear:
    """A field of 64×48 µm, about a dozen cells, in a tenth of a second."""
    return draw_smear(patient, index, 320, 240, um_per_pixel=COARSE, **changes)  # type: ignore[arg-type]


def filled(points: list[list[float]] | NDArray[np.float64], width: int, height: int) -> NDArray[np.bool_]:
    mask = Image.new("1", (width, height))
    ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in points], fill=1)
    return np.asarray(mask)


def test_same_arguments_give_same_bytes() -> None:
    first, second = (field(draw_patient(7, 3)) for _ in range(2))
    assert first.pixels.tobytes() == second.pixels.tobytes()
    assert first.cells == second.cells
    assert first.name == second.name == "synthetic-7-003-000.png"


def test_version_names_what_is_drawn() -> None:
    """Fails when the generator draws something else: give GENERATOR_VERSION the next number, then mend this."""
    smear = field(draw_patient(0, 0))
    seen = {
        "version": GENERATOR_VERSION,
        "types": [cell.cell_type for cell in smear.cells],
        "rods": sum(len(cell.auer_rods) for cell in smear.cells),
        "centre": [round(float(v)) for v in np.array(smear.cells[0].border["points"]).mean(axis=0)],
    }
    assert seen == EXPECTED
    assert smear.pixels.reshape(-1, 3).mean(axis=0) == pytest.approx(EXPECTED_MEAN, abs=1.0)


def test_seed_patient_and_image_change_the_picture() -> None:
    pictures = {
        field(draw_patient(seed, patient), image).pixels.tobytes()
        for seed in (0, 1)
        for patient in (0, 1)
        for image in (0, 1)
    }
    assert len(pictures) == 8


@pytest.mark.parametrize(("width", "height", "um_per_pixel"), [(320, 240, 171 / 2560), (97, 211, 0.3), (640, 64, 0.1)])
def test_any_size_works_and_has_a_cell(width: int, height: int, um_per_pixel: float) -> None:
    for index in range(3):
        smear = draw_smear(draw_patient(2, index), 0, width, height, um_per_pixel)
        assert smear.pixels.shape == (height, width, 3)
        assert smear.pixels.dtype == np.uint8
        assert any(cell.cell_type != SMUDGE for cell in smear.cells)


def test_everything_lies_inside_the_image() -> None:
    for index in range(6):
        for cell in field(draw_patient(3, index)).cells:
            points = np.array(cell.border["points"])
            assert cell.border["kind"] == "polygon"
            assert 20 <= len(points) <= 40
            assert (points >= 0).all() and (points <= (320, 240)).all()
            for rod in cell.auer_rods:
                line = np.array(rod.points)
                assert (line >= 0).all() and (line <= (320, 240)).all()


def test_border_fits_the_drawn_coverage() -> None:
    """The border against the cell as drawn, with its fraying and soft edge."""
    tiles, rods = textures(0.1), draw_patient(0, 0).rods
    for seed, look in enumerate(LOOKS):
        rng = np.random.default_rng([5, seed])
        outline = outline_of(look, 15.0, 15.0, float(rng.uniform(*LOOKS[look].radius)), rng)
        outline.flatten_against(25.0, 12.0, 4.5)
        patch = cut_patch(15.0, 15.0, 14.9, 300, 300, tiles, rng)
        assert patch is not None
        drawn = np.zeros((300, 300), bool)
        drawn[patch.window] = draw_cell(patch, outline, look, 1.0, rods, 0, rng, None).cover > 0.5
        border = filled(outline.polygon(0.1) - 0.5, 300, 300)
        assert (drawn & border).sum() / (drawn | border).sum() >= 0.95


def test_cells_differ_from_what_surrounds_them() -> None:
    """With nothing else in the field, each border parts dark from light at its very place."""
    patient = draw_patient(4, 2)
    patient = replace(patient, red_cells=0.0, cells=1500.0, smudges=0.0, platelets=0.0, debris=0.0)
    checked = 0
    for index in range(3):
        smear = field(patient, index)
        cells = [np.array(cell.border["points"]) for cell in smear.cells]
        everything = np.any([filled(points, 320, 240) for points in cells], axis=0)
        grey = smear.pixels.mean(axis=2)
        for points in cells:
            centre = points.mean(axis=0)
            within = filled(centre + (points - centre) * 0.92, 320, 240)
            around = filled(centre + (points - centre) * 1.15, 320, 240) & ~everything
            if around.sum() > 40:
                checked += 1
                assert grey[within].mean() < grey[around].mean() - 12
    assert checked >= 5


def test_patients_differ_in_stain_and_focus() -> None:
    patients = [draw_patient(0, index) for index in range(8)]
    assert len({patient.stain for patient in patients}) == 8
    assert len({patient.optics for patient in patients}) == 8
    means = np.array([field(patient).pixels.reshape(-1, 3).mean(axis=0) for patient in patients])
    assert means.std(axis=0).min() > 3
    between = np.abs(means[:, None] - means[None]).max(axis=2)
    within = np.abs(means[0] - field(patients[0], 1).pixels.reshape(-1, 3).mean(axis=0)).max()
    assert np.median(between) > within / 2


def test_differential_follows_the_diagnosis() -> None:
    assert [draw_patient(0, index).diagnosis for index in range(3)] == list(DIAGNOSES)
    mean = {
        diagnosis: np.mean([[s for _, s in draw_patient(1, i, diagnosis).differential] for i in range(30)], axis=0)
        for diagnosis in DIAGNOSES
    }
    blast, promyelocyte = CELL_TYPES.index("myeloblast"), CELL_TYPES.index("promyelocyte")
    assert mean["apl"][promyelocyte] > 0.55
    assert mean["non_apl_aml"][blast] > 0.5
    assert mean["healthy"][blast] < 0.05 and mean["healthy"][promyelocyte] < 0.1
    for shares in mean.values():
        assert shares.sum() == pytest.approx(1)


def test_rods_only_in_leukaemia_and_only_in_blasts_and_promyelocytes() -> None:
    counts = dict.fromkeys(DIAGNOSES, 0)
    for index in range(9):
        patient = draw_patient(6, index)
        for cell in field(patient).cells:
            assert cell.auer_rod == bool(cell.auer_rods) == ("auer_rod" in cell.characteristics)
            assert not cell.auer_rod or cell.cell_type in ("myeloblast", "promyelocyte")
            assert all(0.3 <= rod.width <= 0.5 for rod in cell.auer_rods)
            counts[patient.diagnosis] += cell.auer_rod
    assert counts["apl"] > 5
    assert counts["healthy"] == 0


def test_rods_are_drawn_where_the_truth_has_them_and_nowhere_else() -> None:
    patient = draw_patient(8, 0, "apl")
    patient = replace(patient, optics=replace(patient.optics, noise=0.0, quality=96, tilt=0.0))
    faint = replace(patient, rods=replace(patient.rods, contrast=(0.0, 0.0)))
    with_rods, without = (
        draw_smear(p, 0, 400, 300, um_per_pixel=0.1, planted=(PlantedCell(200, 150, "promyelocyte", 8),))
        for p in (patient, faint)
    )
    change = np.abs(with_rods.pixels.astype(int) - without.pixels).max(axis=2)
    rows, columns = np.nonzero(change >= 10)
    points = np.array([point for cell in with_rods.cells for rod in cell.auer_rods for point in rod.points])
    nearest = np.hypot(columns[:, None] - points[:, 0], rows[:, None] - points[:, 1]).min(axis=1)
    assert nearest.max() < 10
    middles = [rod.points[4] for cell in with_rods.cells for rod in cell.auer_rods]
    assert middles
    assert np.mean([change[int(y), int(x)] > 12 for x, y in middles]) > 0.8


def test_planted_cell_is_there_and_the_rest_of_the_field_is_known() -> None:
    patient = draw_patient(9, 2, "healthy")
    smear = draw_smear(patient, 0, 640, 480, um_per_pixel=0.1, planted=(PlantedCell(320, 240, "promyelocyte", 3),))
    (rodded,) = [cell for cell in smear.cells if cell.auer_rod]
    assert rodded.cell_type == "promyelocyte"
    assert np.hypot(*(np.array(rodded.border["points"]).mean(axis=0) - (320, 240))) < 20


def test_smudges_and_slivers_are_ignored() -> None:
    patient = replace(draw_patient(10, 1), smudges=0.5)
    cells = [cell for index in range(4) for cell in field(patient, index).cells]
    assert any(cell.ignored_class == SMUDGE for cell in cells)
    assert any(cell.cut_off for cell in cells)
    for cell in cells:
        assert cell.ignored == (cell.ignored_class != "")
        assert (cell.cell_type == SMUDGE) == (cell.ignored_class == SMUDGE)
        assert cell.cut_off or cell.ignored_class != "edge"


def test_polygon_is_clipped_to_the_image() -> None:
    square = np.array([[-5.0, -5.0], [5.0, -5.0], [5.0, 5.0], [-5.0, 5.0]])
    assert polygon_area(clip_polygon(square, 100, 100)) == pytest.approx(25)
    assert len(clip_polygon(square - 20, 100, 100)) == 0


def test_wrong_arguments_are_refused() -> None:
    patient = draw_patient(0, 0)
    with pytest.raises(ValueError, match="16×16"):
        draw_smear(patient, 0, 8, 8)
    with pytest.raises(ValueError, match="scale"):
        draw_smear(patient, 0, 64, 64, um_per_pixel=5)
    with pytest.raises(ValueError, match="cell type"):
        draw_smear(patient, 0, 64, 64, planted=(PlantedCell(10, 10, "hepatocyte"),))
    with pytest.raises(ValueError, match="diagnosis"):
        draw_patient(0, 0, "cold")
