"""How far an image of a smear can be trusted, before anything is counted on it. Pure: numpy, scipy, scikit-image.

Each criterion is a value, a verdict and one sentence. All of it is judged at the scale of cells, so that an enlarged
picture is not called blurred and a small one not sharp. The limits come from some 260 real images of three sets and
more stains: "good" reaches a little beyond what those hold, "bad" begins where the same images, degraded on purpose,
lose what tells cells apart. tests/benchmarks/image_quality.py says how they do on the rest of these sets.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.color import hed_from_rgb

from inference.watershed import segment

# Changes with the way of judging: images that an earlier one judged are judged again.
METHOD = "quality/1"
# The criterion that labels decide, and no pixels.
SMUDGE = "smudge"
# µm per pixel at which edges are measured: half of what a 100× lens resolves (0.25 µm) is not needed for chromatin.
WORKING_UM = 0.15
# The longer side of the median nucleated cell, and the width of its nucleus, where only the one or the other is known.
TYPICAL_CELL_UM, TYPICAL_NUCLEUS_UM = 14.0, 9.0
# No working picture is larger than so many pixels: a scan of a whole smear is judged a little coarser.
MOST_PIXELS = 12_000_000
# Side in px of the part of a large image on which grain and compression are measured.
MIDDLE_PX = 2048

# Width of the sharpest strong edges, µm. Real images: 0.50 to 1.14; blurred by 0.5 µm: 0.90 to 1.68; by 1 µm: from 1.3.
EDGE_DOUBTFUL, EDGE_BAD = 1.2, 1.5
# Edges of less optical density than this are no cells: nothing says how sharp the field is.
LEAST_CONTRAST = 0.15
# Brightness of the empty background, grey levels. Real images: 165 to 236.
DIM_DOUBTFUL, DIM_BAD = 140.0, 110.0
# Share of pixels of which two channels are at their end: what is pale there is lost. Real images: at most 0.02.
BURNT_DOUBTFUL, BURNT_BAD = 0.05, 0.3
BLACK_DOUBTFUL, BLACK_BAD = 0.02, 0.1
# Share of light that the background's weakest channel lacks of its strongest: daylight lamps make warm pictures.
WARM_DOUBTFUL, WARM_BAD = 0.36, 0.45
CAST_DOUBTFUL, CAST_BAD = 0.22, 0.3
# Optical density of the darkest fiftieth of the field, in green, where stained nuclei take most light.
PALE_DOUBTFUL, PALE_BAD = 0.35, 0.2
# Standard deviation of the grain, grey levels.
GRAIN_DOUBTFUL, GRAIN_BAD = 4.0, 8.0
# Steps at the borders of JPEG's blocks of 8 px beyond those within them, grey levels.
BLOCKS_DOUBTFUL, BLOCKS_BAD = 1.5, 2.4
# Share of the field that is stained at all. Real images: 0.18 to 0.82.
STAINED = 0.12
EMPTY_BAD, THIN_DOUBTFUL, DENSE_DOUBTFUL, DENSE_BAD = 0.02, 0.08, 0.88, 0.96
# Share of smudge cells among the cells with a label. Above a fifth a smear is to be repeated with albumin (ICSH 2015).
SMUDGE_DOUBTFUL, SMUDGE_BAD = 0.1, 0.2
LEAST_LABELLED = 10

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float32]


class Verdict(StrEnum):
    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"

    @classmethod
    def worst(cls, verdicts: Sequence["Verdict"]) -> "Verdict":
        order = list(cls)
        return max(verdicts, key=order.index, default=cls.GOOD)


@dataclass(frozen=True)
class Finding:
    """One criterion. value: None where it cannot be measured, which is doubtful or, where nothing is asked, good."""

    criterion: str
    value: float | None
    unit: str
    verdict: Verdict
    sentence: str


@dataclass(frozen=True)
class SeenCell:
    """A cell of the field for counting: the name of its type, "" where nobody has said it."""

    cell_type: str = ""


@dataclass(frozen=True)
class Quality:
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        return Verdict.worst([finding.verdict for finding in self.findings])

    @property
    def reason(self) -> str:
        """The sentences of what is not good, the worst first; "" where all is."""
        order = list(Verdict)
        found = sorted(self.findings, key=lambda finding: -order.index(finding.verdict))
        return " ".join(finding.sentence for finding in found if finding.verdict != Verdict.GOOD)

    def of(self, criterion: str) -> Finding:
        """The finding of that name. Raises KeyError where it was not judged."""
        for finding in self.findings:
            if finding.criterion == criterion:
                return finding
        raise KeyError(criterion)

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(finding) | {"verdict": str(finding.verdict)} for finding in self.findings]

    @classmethod
    def from_json(cls, found: Sequence[dict[str, Any]]) -> "Quality":
        return cls(tuple(Finding(**{**each, "verdict": Verdict(each["verdict"])}) for each in found))


def quality_of(
    pixels: Pixels, um_per_pixel: float | None, typical_px: float | None, cells: Sequence[SeenCell] | None = None
) -> Quality:
    """Judge an RGB image, uint8 (height, width, 3).

    typical_px: the longer side of the study's median cell, which gives the scale where µm per pixel is unknown; where
    neither is known, the nuclei found in the field do. cells: those of the field, None where nobody has looked for
    any. Raises ValueError for an image that is no RGB or smaller than 16 px.
    """
    view = field_view(pixels, um_per_pixel, typical_px)
    return Quality((*judge_pixels(pixels, view), *judge_cells(cells)))


@dataclass(frozen=True)
class FieldView:
    """A field at the scale of cells.

    rgb: float (h, w, 3), 0 to 255. density: optical density in green against the empty background, smoothed. width:
    width of the edge through each pixel, in µm. contrast: of that edge, optical density. light: the background, RGB.
    um: µm a pixel of these arrays; scale: working px an image px.
    """

    rgb: Plane
    density: Plane
    width: Plane
    contrast: Plane
    light: Plane
    um: float
    scale: float


def field_view(pixels: Pixels, um_per_pixel: float | None, typical_px: float | None) -> FieldView:
    """See quality_of."""
    if pixels.ndim != 3 or pixels.shape[2] != 3 or min(pixels.shape[:2]) < 16:
        raise ValueError("Quality is judged on RGB images of at least 16×16 pixels.")
    height, width = pixels.shape[:2]
    um_image = um_per_pixel or (TYPICAL_CELL_UM / typical_px if typical_px else _scale_by_nuclei(pixels))
    scale = min(um_image / WORKING_UM, 2.0, float(np.sqrt(MOST_PIXELS / (height * width))))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    resample = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    rgb = np.asarray(Image.fromarray(pixels).resize(size, resample), dtype=np.float32)
    um = um_image / scale
    light = np.maximum(np.percentile(rgb.reshape(-1, 3), 90, axis=0), 10).astype(np.float32)
    green = -np.log(np.clip(rgb[..., 1] / light[1], 0.01, 1.2))
    density = ndimage.gaussian_filter(green, 0.2 / um)
    slope = np.hypot(ndimage.sobel(density, 0), ndimage.sobel(density, 1)) / (8 * um)
    reach = max(3, round(3 / um) | 1)
    contrast = ndimage.maximum_filter(density, reach) - ndimage.minimum_filter(density, reach)
    steepest = ndimage.maximum_filter(slope, reach)
    return FieldView(rgb, density, contrast / np.maximum(steepest, 1e-6), contrast, light, um, scale)


def _scale_by_nuclei(pixels: Pixels) -> float:
    """µm per pixel if the field's nuclei are of common size; that of a 100× lens where it shows none."""
    height, width = pixels.shape[:2]
    shrink = min(1.0, 320 / max(height, width))
    small = Image.fromarray(pixels).resize((max(8, round(width * shrink)), max(8, round(height * shrink))))
    cells = segment(np.asarray(small, dtype=np.float64) / 255)
    areas = np.bincount(cells.ravel())[1:]
    if not areas.size:
        return 0.07
    return TYPICAL_CELL_UM / (2 * float(np.sqrt(np.median(areas) / np.pi)) / shrink)


def edge_width(view: FieldView, part: tuple[slice, slice] = (slice(None), slice(None))) -> float | None:
    """Width of the sharpest quarter of the strongest edges, in µm; None where nothing in the part has an edge."""
    contrast, width = view.contrast[part], view.width[part]
    strong = contrast >= max(float(np.percentile(contrast, 90)), LEAST_CONTRAST)
    return float(np.percentile(width[strong], 25)) if strong.any() else None


def judge_pixels(pixels: Pixels, view: FieldView) -> list[Finding]:
    """Focus, exposure, clipping, stain, colour cast, grain, compression and density."""
    grey = _middle(pixels).astype(np.float32).mean(axis=2)
    return [
        _focus(view),
        _exposure(view),
        _clipping(pixels),
        _stain(view),
        _cast(view),
        _grain(grey),
        _blocks(grey),
        _covered(view),
    ]


def _middle(pixels: Pixels) -> Pixels:
    """Its middle, where it is large: grain and compression are the same all over."""
    height, width = pixels.shape[:2]
    top, left = max(0, (height - MIDDLE_PX) // 2), max(0, (width - MIDDLE_PX) // 2)
    return pixels[top : top + MIDDLE_PX, left : left + MIDDLE_PX]


def judge_cells(cells: Sequence[SeenCell] | None) -> list[Finding]:
    """The share of smudge cells among those with a label; [] where nobody has looked for cells."""
    named = [cell.cell_type for cell in cells or () if cell.cell_type]
    if len(named) < LEAST_LABELLED:
        return []
    smudge = sum(is_smudge(name) for name in named)
    share = smudge / len(named)
    verdict = _above(share, SMUDGE_DOUBTFUL, SMUDGE_BAD)
    return [Finding(SMUDGE, share, "share", verdict, f"{smudge} of {len(named)} cells with a label are smudge cells.")]


def is_smudge(name: str) -> bool:
    """Whether a cell type's name says a crushed cell."""
    lowered = name.lower()
    return "smudge" in lowered or "gumprecht" in lowered or lowered == "ksc"


def _focus(view: FieldView) -> Finding:
    width = edge_width(view)
    if width is None:
        return Finding("focus", None, "µm", Verdict.DOUBTFUL, "Nothing in the image is stained enough to judge focus.")
    verdict = _above(width, EDGE_DOUBTFUL, EDGE_BAD)
    words = {Verdict.GOOD: "in focus", Verdict.DOUBTFUL: "a little out of focus", Verdict.BAD: "out of focus"}[verdict]
    return Finding("focus", width, "µm", verdict, f"The image is {words}: its sharpest edges are {width:.1f} µm wide.")


def _exposure(view: FieldView) -> Finding:
    bright = float(view.light.mean())
    verdict = _below(bright, DIM_DOUBTFUL, DIM_BAD)
    words = "The exposure is right" if verdict == Verdict.GOOD else "The image is underexposed"
    sentence = f"{words}: its background has {bright:.0f} of 255 grey levels."
    return Finding("exposure", bright, "grey levels", verdict, sentence)


def _clipping(pixels: Pixels) -> Finding:
    """What is burnt out (two channels at their end, so that a warm background is not) or black without structure."""
    # Of a scan every nth pixel says as much.
    step = max(1, int(np.sqrt(pixels.shape[0] * pixels.shape[1] / MIDDLE_PX**2)))
    pixels = pixels[::step, ::step]
    burnt = float(((pixels >= 254).sum(axis=2) >= 2).mean())
    black = float((pixels <= 3).all(axis=2).mean())
    verdict = Verdict.worst([_above(burnt, BURNT_DOUBTFUL, BURNT_BAD), _above(black, BLACK_DOUBTFUL, BLACK_BAD)])
    if verdict == Verdict.GOOD:
        sentence = "Hardly anything is burnt out or black."
    elif _above(burnt, BURNT_DOUBTFUL, BURNT_BAD) == verdict:
        sentence = f"The image is overexposed: {burnt:.0%} of it is burnt out, and pale cytoplasm with it."
    else:
        sentence = f"{black:.0%} of the image is black without structure."
    return Finding("clipping", burnt + black, "share", verdict, sentence)


def _stain(view: FieldView) -> Finding:
    """Optical density of nuclei, and in the sentence how it parts into hematoxylin (blue) and eosin (red)."""
    deepest = float(np.percentile(view.density, 98))
    verdict = _below(deepest, PALE_DOUBTFUL, PALE_BAD)
    if verdict != Verdict.GOOD:
        return Finding(
            "stain", deepest, "OD", verdict, f"The stain is pale: nuclei have an optical density of {deepest:.2f}."
        )
    blue, red = stain_content(view)
    sentence = f"Nuclei are stained to {deepest:.1f} OD; blue to red stain is {blue:.2f} to {red:.2f}."
    return Finding("stain", deepest, "OD", verdict, sentence)


def stain_content(view: FieldView) -> tuple[float, float]:
    """Mean optical density of the blue stain (hematoxylin; azure in Romanowsky's) and of the red one (eosin) over what
    is stained, after Ruifrok and Johnston 2001; (0, 0) where nothing is."""
    stained = view.density > STAINED
    if not stained.any():
        return 0.0, 0.0
    density = -np.log(np.clip(view.rgb[stained] / view.light, 0.01, 1.0))
    parts = np.maximum(density @ hed_from_rgb, 0).mean(axis=0)
    return float(parts[0]), float(parts[1])


def _cast(view: FieldView) -> Finding:
    red, green, blue = (float(value) for value in view.light)
    value = 1 - min(red, green, blue) / max(red, green, blue)
    verdict = _above(value, *((WARM_DOUBTFUL, WARM_BAD) if red >= green >= blue else (CAST_DOUBTFUL, CAST_BAD)))
    if verdict == Verdict.GOOD:
        sentence = "The background has no strong colour cast."
    else:
        sentence = f"The background is {_tint(view)}: its weakest colour has {value:.0%} less light than its strongest."
    return Finding("cast", value, "share", verdict, sentence)


def _tint(view: FieldView) -> str:
    """The colour that stands out of the background, by excess or, where two colours do, by what it lacks."""
    low, middle, high = np.sort(view.light)
    if high - middle > middle - low:
        return ("reddish", "greenish", "bluish")[int(np.argmax(view.light))]
    return ("cyan", "magenta", "yellow")[int(np.argmin(view.light))]


def _grain(grey: Plane) -> Finding:
    """Immerkær 1996, with the median of the responses, which edges do not move."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
    sigma = float(np.median(np.abs(ndimage.convolve(grey, kernel)))) / 0.6745 / 6
    verdict = _above(sigma, GRAIN_DOUBTFUL, GRAIN_BAD)
    words = "grainy" if verdict != Verdict.GOOD else "free of strong grain"
    return Finding("grain", sigma, "grey levels", verdict, f"The image is {words}: {sigma:.1f} grey levels of noise.")


def _blocks(grey: Plane) -> Finding:
    """Steps across the borders of 8 px blocks beyond the mean of those within, along both axes."""
    value = (_steps(grey) + _steps(grey.T)) / 2
    verdict = _above(value, BLOCKS_DOUBTFUL, BLOCKS_BAD)
    words = "Strong JPEG compression shows" if verdict != Verdict.GOOD else "Compression leaves no strong blocks"
    return Finding("compression", value, "grey levels", verdict, f"{words}: steps of {value:.1f} grey levels.")


def _steps(grey: Plane) -> float:
    if grey.shape[1] < 24:
        return 0.0
    steps = np.abs(np.diff(grey, axis=1)).mean(axis=0)
    phase = np.arange(len(steps)) % 8
    # Blocks may begin anywhere: the picture may have been cut.
    means = np.array([steps[phase == each].mean() for each in range(8)])
    return float(means.max() - np.median(means))


def _covered(view: FieldView) -> Finding:
    share = float((view.density > STAINED).mean())
    if share < THIN_DOUBTFUL:
        verdict = Verdict.BAD if share < EMPTY_BAD else Verdict.DOUBTFUL
        sentence = f"Hardly a cell is in the field: {share:.0%} of it is stained."
    else:
        verdict = _above(share, DENSE_DOUBTFUL, DENSE_BAD)
        crowded = "The field is too dense, its cells overlap" if verdict != Verdict.GOOD else "The density is right"
        sentence = f"{crowded}: {share:.0%} of it is stained."
    return Finding("density", share, "share", verdict, sentence)


def _above(value: float, doubtful: float, bad: float) -> Verdict:
    return Verdict.BAD if value > bad else Verdict.DOUBTFUL if value > doubtful else Verdict.GOOD


def _below(value: float, doubtful: float, bad: float) -> Verdict:
    return _above(-value, -doubtful, -bad)
