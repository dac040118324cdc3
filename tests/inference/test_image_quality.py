"""What is said of an image's quality, on synthetic fields as they are and degraded on purpose."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from annotation.synthetic import draw_patient, draw_smear
from inference.image_quality import Quality, SeenCell, Verdict, edge_width, field_view, is_smudge, quality_of
from inference.region_selection import TileKind, regions_of

UM = 0.13
Pixels = NDArray[np.uint8]


@cache
def field() -> Pixels:
    return draw_smear(draw_patient(3, 2), 0, 640, 480, UM).pixels


def judged(pixels: Pixels, cells: list[SeenCell] | None = None) -> Quality:
    return quality_of(np.ascontiguousarray(pixels), UM, None, cells)


def brightened(factors: float | tuple[float, float, float]) -> Pixels:
    return np.clip(field() * np.asarray(factors), 0, 255).astype(np.uint8)


def blurred(um: float) -> Pixels:
    return np.asarray(Image.fromarray(field()).filter(ImageFilter.GaussianBlur(um / UM)))


def test_a_field_as_it_should_be_is_good_and_nothing_is_said():
    quality = judged(field())
    assert quality.verdict == Verdict.GOOD
    assert quality.reason == ""
    assert {finding.criterion for finding in quality.findings} == {
        "focus", "exposure", "clipping", "stain", "cast", "grain", "compression", "density",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("criterion", "pixels", "words"),
    [
        ("focus", lambda: blurred(1.2), "out of focus"),
        ("exposure", lambda: brightened(0.4), "underexposed"),
        ("clipping", lambda: brightened(1.8), "overexposed"),
        ("cast", lambda: brightened((1.0, 1.0, 0.45)), "yellow"),
        ("cast", lambda: brightened((0.4, 1.0, 0.4)), "greenish"),
        ("stain", lambda: (255 - (255 - field().astype(float)) * 0.05).astype(np.uint8), "pale"),
        ("density", lambda: np.full_like(field(), 215), "Hardly a cell"),
    ],
)
def test_what_is_wrong_is_named_first(criterion: str, pixels: object, words: str):
    quality = judged(pixels())  # type: ignore[operator]
    assert quality.of(criterion).verdict == Verdict.BAD
    assert words in quality.of(criterion).sentence
    assert words in quality.reason


def test_grain_and_compression_are_seen():
    noisy = np.clip(field() + np.random.default_rng(0).normal(0, 20, field().shape), 0, 255).astype(np.uint8)
    assert judged(noisy).of("grain").verdict == Verdict.BAD
    # Steps of 8 px blocks, as quality 5 leaves them.
    blocks = field().reshape(60, 8, 80, 8, 3).mean(axis=(1, 3)).repeat(8, axis=0).repeat(8, axis=1).astype(np.uint8)
    assert judged(blocks).of("compression").verdict == Verdict.BAD


def test_focus_is_monotone_and_does_not_depend_on_the_pixels_size():
    widths = [judged(blurred(um)).of("focus").value for um in (0, 0.25, 0.5, 1.0, 1.5)]
    assert widths == sorted(widths)
    doubled = np.asarray(Image.fromarray(field()).resize((1280, 960), Image.Resampling.BICUBIC))
    twice = quality_of(doubled, UM / 2, None).of("focus").value
    assert twice == pytest.approx(widths[0], rel=0.15)


def test_focus_does_not_depend_on_the_depth_of_the_stain():
    pale = (255 - (255 - field().astype(float)) * 0.6).astype(np.uint8)
    assert judged(pale).of("focus").value == pytest.approx(judged(field()).of("focus").value, rel=0.15)


def test_without_any_scale_the_nuclei_give_one():
    guessed = field_view(field(), None, None)
    assert UM / 2 < guessed.um * guessed.scale < UM * 2
    assert quality_of(field(), None, None).of("focus").verdict == Verdict.GOOD


def test_an_empty_field_has_no_focus_to_be_judged():
    finding = judged(np.full_like(field(), 210)).of("focus")
    assert finding.value is None
    assert finding.verdict == Verdict.DOUBTFUL
    assert edge_width(field_view(np.full_like(field(), 210), UM, None)) is None


def test_smudge_cells_count_among_those_with_a_label():
    cells = [SeenCell("Lymphocyte")] * 15 + [SeenCell("Smudge cell")] * 5 + [SeenCell()] * 30
    finding = judged(field(), cells).of("smudge")
    assert finding.value == 0.25
    assert finding.verdict == Verdict.BAD
    assert finding.sentence == "5 of 20 cells with a label are smudge cells."
    with pytest.raises(KeyError):
        judged(field(), cells[:5]).of("smudge")
    assert is_smudge("Gumprecht shadow") and not is_smudge("Blast")


def test_findings_survive_their_record():
    quality = judged(blurred(1.2))
    assert Quality.from_json(quality.to_json()) == quality


@pytest.mark.parametrize("shape", [(12, 40, 3), (40, 40), (40, 40, 4)])
def test_what_is_no_field_is_refused(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match="RGB"):
        quality_of(np.zeros(shape, dtype=np.uint8), None, None)


# --- where to count ---


def smear() -> Pixels:
    """A large smear made of a good part, a crowded, a blurred, a thin and an empty one, side by side."""
    good = field()
    # Cells upon cells: the light of four fields, one through the other.
    layers = [
        np.roll(good, (dy, dx), (0, 1)) / 225 for dy, dx in ((0, 0), (113, 57), (231, 199), (61, 333), (307, 111))
    ]
    dense = (225 * np.prod(np.clip(layers, 0.05, 1), axis=0)).astype(np.uint8)
    thin = np.full_like(good, np.percentile(good.reshape(-1, 3), 90, axis=0).astype(np.uint8))
    empty = thin.copy()
    for x, y in ((100, 100), (330, 90), (560, 110), (110, 360), (330, 370), (540, 350)):
        thin[y - 28 : y + 28, x - 28 : x + 28] = (90, 60, 140)
    return np.concatenate([good, dense, blurred(1.5), thin, empty], axis=1)


def test_the_parts_of_a_large_smear_are_told_apart():
    regions = regions_of(field_view(smear(), UM, None))
    kinds: dict[int, list[str]] = {}
    for tile in regions.tiles:
        # By the part in which the tile's middle lies; tiles on a border between two belong to neither.
        part, place = divmod(tile.x + tile.width / 2, 640)
        if tile.width / 2 < place < 640 - tile.width / 2:
            kinds.setdefault(int(part), []).append(str(tile.kind))
    wanted = [TileKind.OPTIMAL, TileKind.DENSE, TileKind.BLURRED, TileKind.THIN, TileKind.EMPTY]
    for part, kind in enumerate(wanted):
        share = kinds[part].count(kind) / len(kinds[part])
        assert share >= 0.6, (kind, kinds[part])
    assert 0.1 < regions.good_share < 0.35
    assert regions.finding is not None and regions.finding.verdict == Verdict.DOUBTFUL


def test_tiles_cover_the_image_without_gaps():
    pixels = smear()[:, :1000]
    tiles = regions_of(field_view(pixels, UM, None)).tiles
    assert sum(tile.width * tile.height for tile in tiles) == pixels.shape[0] * pixels.shape[1]
    small = regions_of(field_view(field()[:64, :64], UM, None))
    assert len(small.tiles) == 1 and small.finding is None


def test_stitched_marrow_fields_are_good_to_count_but_where_they_were_blurred(shared_data):
    files = sorted((shared_data / "marrow-fields" / "images").iterdir())[:4]
    fields = [Image.open(file).convert("RGB").resize((1020, 768), Image.Resampling.BOX) for file in files]
    fields[3] = fields[3].filter(ImageFilter.GaussianBlur(15))
    stitched = np.concatenate([np.asarray(each) for each in fields], axis=1)
    regions = regions_of(field_view(stitched, 2 * 15 / 285, None))
    sharp = [tile.kind for tile in regions.tiles if tile.x + tile.width <= 3 * 1020]
    soft = [tile.kind for tile in regions.tiles if tile.x >= 3 * 1020]
    assert sharp.count(TileKind.OPTIMAL) / len(sharp) > 0.85
    assert TileKind.OPTIMAL not in soft
