"""A detector's bundle at work: loaded once, then borders for one image after the other. Free of Django."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from annotation.borders import BorderError, clean, inscribed_ellipse
from inference.polygons import polygon
from inference.tiles import merged, tiles, whole
from training.backbone import BackboneError
from training.bundle import BundleError, BundleFiles, read_bundle
from training.calibration import Calibration
from training.detection_data import as_input, at_scale, scale_of
from training.detector import MOST_DETECTIONS, Architecture, CellDetector, build_detector
from training.outline_branch import GROUND
from training.outline_targets import enlarged

# Enough to tell fields apart, and a small part of the time that proposals take.
FEATURES_SIZE = 512
# A field so many times as long as those of the training is looked at in tiles.
TILED_FROM = 1.5
# Cells whose outlines are refined at once: more need more memory and are no faster.
CELLS_AT_ONCE = 64


class Found(NamedTuple):
    """Detections: boxes (N, 4) in px, scores (N,); with a mask branch its logits (N, COARSE, COARSE); and of a network
    that looks at boxes again their tightness (N,)."""

    boxes: Tensor
    scores: Tensor
    coarse: Tensor | None
    tightness: Tensor | None = None


def joined(parts: Sequence[Found], least_iou: float) -> Found:
    """Detections of tiles as those of one field, best first: what two tiles have found stays once."""
    boxes, scores = torch.cat([p.boxes for p in parts]), torch.cat([p.scores for p in parts])
    kept = merged(boxes, scores, least_iou, MOST_DETECTIONS)

    def of_all(values: list[Tensor | None]) -> Tensor | None:
        known = [value for value in values if value is not None]
        return torch.cat(known)[kept] if known else None

    return Found(boxes[kept], scores[kept], of_all([p.coarse for p in parts]), of_all([p.tightness for p in parts]))


class Detector:
    """Proposes borders on RGB images, at the scale that the network was trained at."""

    def __init__(self, bundle: BundleFiles, model: CellDetector, size: int) -> None:
        self.bundle = bundle
        self.size = size
        self.calibration = Calibration.from_card(bundle.card)
        self._model = model

    @classmethod
    def load(cls, folder: Path) -> "Detector":
        """Load a bundle. Raises BundleError where it is not a detector's, or its weights do not fit its card."""
        bundle = read_bundle(folder, "detector")
        try:
            model = build_detector(Architecture.from_dict(bundle.card["architecture"]))
            model.load_state_dict(load_file(bundle.weights))
            size = int(bundle.card["inputs"]["size"])
        except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError, BackboneError) as problem:
            raise BundleError(f"The bundle {bundle.id} cannot be loaded: {str(problem).splitlines()[0]}.") from None
        model.eval()
        return cls(bundle, model, size)

    @property
    def id(self) -> str:
        return self.bundle.id

    @property
    def score_threshold(self) -> float:
        return float(self.bundle.card["score_threshold"])

    def propose(self, image: Image.Image) -> list[dict[str, Any]]:
        """[{"border": a border in image px, "score": 0..1, "tightness": 0..1}], best first, at most 500; no tightness
        of a network that does not look at boxes again (training/box_refinement.py).

        With a mask branch those that may be shown are polygons of 12 to 40 points, refined on the image's own pixels;
        all others are ellipses inscribed in the boxes found. What the field's edge cuts ends there.
        """
        found = self.find(image)
        rings: list[list[list[float]] | None] = [None] * len(found.boxes)
        if found.coarse is not None:
            # Far below the threshold nobody will see them.
            drawn = int((found.scores >= self.score_threshold / 2).sum())
            rings[:drawn] = self._rings(image, found.boxes[:drawn], found.coarse[:drawn])
        tight = [None] * len(rings) if found.tightness is None else found.tightness.tolist()
        proposals = []
        for box, score, sure, ring in zip(found.boxes.tolist(), found.scores.tolist(), tight, rings, strict=True):
            border = {"kind": "polygon", "points": ring} if ring else inscribed_ellipse(*box)
            try:
                cleaned = clean(border, image.width, image.height)
            except BorderError:
                continue  # thinner than a hundredth of a pixel
            proposal = {"border": cleaned, "score": round(score, 4)}
            proposals.append(proposal if sure is None else proposal | {"tightness": round(sure, 4)})
        return proposals

    def find(self, image: Image.Image) -> Found:
        """What the network finds in an RGB image, best first. Fields much larger than those that it was trained on
        are taken as more of the same magnification, and looked at in tiles."""
        side = max(image.width, image.height)
        known = float(self.bundle.card["inputs"].get("field") or side)
        tiled = side > TILED_FROM * known
        scale = scale_of(round(known), round(known), self.size) if tiled else scale_of(*image.size, self.size)
        small = at_scale(image, scale)
        pixels = torch.from_numpy(np.array(small, dtype=np.uint8)).permute(2, 0, 1)
        if tiled:
            # A cell and a half: whatever one tile cuts off, another has whole.
            overlap = min(self.size // 2, round(1.5 * max(self.bundle.card["architecture"]["anchors"])))
            places = list(tiles(small.width, small.height, self.size, overlap))
        else:
            places = [(0, 0, small.width, small.height)]
        parts = []
        with torch.inference_mode():
            for x0, y0, x1, y1 in places:
                one = self._model([as_input(pixels[:, y0:y1, x0:x1])])[0]
                boxes = one["boxes"] + torch.tensor([x0, y0, x0, y0])
                kept = whole(boxes, (x0, y0, x1, y1), small.width, small.height)
                coarse, sure = (one[name][kept] if name in one else None for name in ("coarse", "tightness"))
                parts.append(Found(boxes[kept], one["scores"][kept], coarse, sure))
        found = joined(parts, float(self.bundle.card["architecture"]["nms"])) if tiled else parts[0]
        back = torch.tensor([image.width / small.width, image.height / small.height] * 2)
        return found._replace(boxes=found.boxes * back, scores=self.calibration(found.scores))

    def _rings(self, image: Image.Image, boxes: Tensor, coarse: Tensor) -> list[list[list[float]] | None]:
        """The refined outline of each box (N, 4) in image px; None where the branch sees no cell."""
        branch = self._model.outline_branch
        assert branch is not None
        picture = self._model.transform.normalize(
            as_input(torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1))
        )[None]
        regions = enlarged(boxes, GROUND)
        rings: list[list[list[float]] | None] = []
        with torch.inference_mode():
            for some, logits in zip(regions.split(CELLS_AT_ONCE), coarse.split(CELLS_AT_ONCE), strict=True):
                likely = branch.refine(logits, picture, [some]).sigmoid().numpy()
                rings += [polygon(one, region) for one, region in zip(likely, some.tolist(), strict=True)]
        return rings

    def features(self, image: Image.Image) -> NDArray[np.float32]:
        """What the network's body sees in an RGB image as a whole, (2 C,): the mean and the maximum over the field of
        each of the C channels of its deepest map. Fields of like cells and like stain lie in like directions; only
        features of one bundle may be compared."""
        small = at_scale(image, scale_of(image.width, image.height, min(self.size, FEATURES_SIZE)))
        pixels = torch.from_numpy(np.array(small, dtype=np.uint8)).permute(2, 0, 1)
        with torch.inference_mode():
            deepest = self._model.backbone.body(self._model.transform.normalize(as_input(pixels))[None])[-1][0]
        vector: NDArray[np.float32] = torch.cat([deepest.mean(dim=(1, 2)), deepest.amax(dim=(1, 2))]).numpy()
        return vector
