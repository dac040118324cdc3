"""First proposals without a model, so that the first annotator corrects instead of drawing everything.

After Manescu et al. 2023: the saturation channel (stained nuclei are colourful, plasma and red cells pale), Otsu's
threshold, opening, watershed of the distance transform to part touching cells, small blobs removed. Beyond the
paper, which wants single nuclei, each nucleus then grows into its own pale cytoplasm, since a border is a cell's.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_multiotsu
from skimage.measure import approximate_polygon, find_contours, regionprops
from skimage.morphology import disk, opening
from skimage.segmentation import watershed

from annotation.borders import Border, BorderError, clean

NAME = "watershed/1"
# People see them all: without a model there is no score worth a cut.
SCORE_THRESHOLD = 0.0
MOST_PROPOSALS = 500
# Long side in pixels at which a field is segmented: a border to be corrected needs no more, and a field of any
# size takes a tenth of a second.
WORKING_SIZE = 320

# Of the optical density of green: from where on something is stained, and what red cells have more of blue than of red.
_STAINED, _REDDER = 0.12, -0.06

Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]


def propose(
    image: Image.Image, working_size: int = WORKING_SIZE, *, part_red_cells: bool = False
) -> list[dict[str, Any]]:
    """Polygons around the stained cells of an RGB field: [{"border": polygon in image pixels, "score": 0..1}].

    The score is the blob's solidity (its area over that of its convex hull): torn and merged blobs come last.
    working_size: the long side in pixels at which it is segmented. part_red_cells: red cells that touch a cell are
    taken off it by their colour, which takes pixels enough to see it.
    """
    scale = min(1.0, working_size / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BOX), dtype=np.float64) / 255
    proposals: list[dict[str, Any]] = []
    cells = segment(small)
    if part_red_cells:
        cells = without_red_cells(small, cells)
    for region in regionprops(cells):
        border = _border(region, image.width, image.height, scale)
        if border is not None:
            proposals.append({"border": border, "score": round(float(region.solidity), 4)})
    proposals.sort(key=lambda proposal: -proposal["score"])
    return proposals[:MOST_PROPOSALS]


def segment(rgb: NDArray[np.float64]) -> Labels:
    """Label the cells of a small field, float (height, width, 3) from 0 to 1; 0 is background."""
    nothing: Labels = np.zeros(rgb.shape[:2], dtype=np.int32)
    saturation = _saturation(rgb)
    if min(rgb.shape[:2]) < 8 or len(np.unique(np.round(saturation, 3))) < 16:
        return nothing  # an empty field has no classes to part
    cut = float(threshold_multiotsu(saturation, 3)[-1])
    nuclei = _nuclei(saturation > cut)
    if not nuclei.any():
        return nothing
    # Cytoplasm stains between background and nucleus, and belongs to the nearest nucleus within its reach.
    background = float(np.median(saturation[saturation <= cut]))
    stained = saturation > background + 0.2 * (cut - background)
    stained = opening(stained | (nuclei > 0), disk(max(1, round(min(rgb.shape[:2]) / 60))))
    away = ndimage.distance_transform_edt(nuclei == 0)
    reach = 0.8 * np.sqrt(_typical_area(nuclei) / np.pi)
    cells: Labels = watershed(away, nuclei, mask=(stained & (away <= reach)) | (nuclei > 0))
    return cells


def without_red_cells(rgb: NDArray[np.float64], cells: Labels) -> Labels:
    """The cells of segment() without the red cells that touch them.

    Haemoglobin takes more blue than red out of the light, the stain of nuclei and cytoplasm more red than blue. Pink
    that lies around the middle of a cell is its own, the granules of an eosinophil, say; red cells lie beside it.
    """
    balanced = np.clip(rgb / np.maximum(np.percentile(rgb.reshape(-1, 3), 90, axis=0), 0.05), 0.02, 1)
    density = -np.log(gaussian(balanced, 1, channel_axis=2))
    red = (density[..., 1] > _STAINED) & (density[..., 2] - density[..., 0] > _REDDER * density[..., 1])
    parts, _ = ndimage.label(opening(red, disk(1)))
    left: Labels = np.zeros_like(cells)
    smooth = disk(max(1, round(min(cells.shape) / 50)))
    edge = smooth.shape[0]
    for region in regionprops(cells):
        around = np.where(region.image, parts[region.slice], 0)
        inside = region.image & (around == 0)
        if not inside.any():
            continue
        middle, radius = np.argwhere(inside).mean(axis=0), np.sqrt(inside.sum() / np.pi)
        for part in np.unique(around[around > 0]):
            if np.linalg.norm(np.argwhere(around == part).mean(axis=0) - middle) < 0.8 * radius:
                inside |= around == part
        pieces, count = ndimage.label(opening(np.pad(inside, edge), smooth))
        if count:
            # Of what the red cells leave, the largest piece; slivers beside them are no part of the cell.
            piece = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
            left[region.slice][piece[edge:-edge, edge:-edge]] = region.label
    return left


def _saturation(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Saturation after the light of the empty field is divided out, so that a tinted background counts as pale."""
    light = np.maximum(np.percentile(rgb.reshape(-1, 3), 90, axis=0), 0.05)
    balanced = np.clip(rgb / light, 0, 1)
    brightest = balanced.max(axis=2)
    saturation: NDArray[np.float64] = gaussian((brightest - balanced.min(axis=2)) / np.maximum(brightest, 1e-6), 2)
    return saturation


def _nuclei(mask: Mask) -> Labels:
    """Nuclei parted by the watershed of the distance transform, with blobs much smaller than a nucleus removed."""
    mask = ndimage.binary_fill_holes(opening(mask, disk(max(1, round(min(mask.shape) / 60)))))
    if not mask.any():
        return np.zeros(mask.shape, dtype=np.int32)
    # Lobes of one nucleus lie closer than a third of a nucleus' radius.
    gap = max(1, round(0.3 * float(np.percentile(ndimage.distance_transform_edt(mask)[mask], 95))))
    padded = ndimage.binary_closing(np.pad(mask, gap, mode="edge"), disk(gap))
    mask = ndimage.binary_fill_holes(padded)[gap:-gap, gap:-gap]
    depth = ndimage.distance_transform_edt(mask)
    blobs, _ = ndimage.label(mask)
    smooth = gaussian(depth, 2)
    depths = np.sort(depth[tuple(peak_local_max(smooth, min_distance=3, labels=blobs, exclude_border=False).T)])
    radius = float(np.median(depths[len(depths) // 2 :]))
    # Two peaks nearer than this lie in one nucleus.
    apart = max(3, round(1.2 * radius))
    peaks = peak_local_max(smooth, min_distance=apart, labels=blobs, exclude_border=False)
    markers: Labels = np.zeros(mask.shape, dtype=np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    nuclei: Labels = watershed(-depth, markers, mask=mask)
    areas = np.bincount(nuclei.ravel())
    nuclei[np.isin(nuclei, np.flatnonzero(areas < 0.2 * _typical_area(nuclei)))] = 0
    return nuclei


def _typical_area(nuclei: Labels) -> float:
    """Area of a large nucleus in square pixels: platelets and debris outnumber the nuclei of a thin field."""
    return float(np.percentile(np.bincount(nuclei.ravel())[1:], 90))


def _border(region: Any, width: int, height: int, scale: float) -> Border | None:
    """The region's outline as a polygon in image pixels; None for a sliver."""
    top, left = region.bbox[:2]
    # Smoothed, since the steps of the working scale are not the cell's; padding closes a contour at the field's edge.
    blob = gaussian(np.pad(region.image_filled.astype(float), 4), 1)
    contours = find_contours(blob, 0.5)
    if not contours:
        return None  # smoothing leaves nothing of a speck
    ring = approximate_polygon(max(contours, key=len), tolerance=0.5)
    points = [[(x + left - 3.5) / scale, (y + top - 3.5) / scale] for y, x in ring[:-1]]
    try:
        return clean({"kind": "polygon", "points": points}, width, height)
    except BorderError:
        return None
