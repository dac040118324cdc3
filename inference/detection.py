"""A detector's bundle at work: loaded once, then borders for one image after the other. Free of Django."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torchvision.models.detection import FasterRCNN

from annotation.borders import BorderError, clean, inscribed_ellipse
from training.backbone import BackboneError
from training.bundle import BundleError, BundleFiles, read_bundle
from training.detection_data import as_input, at_scale, scale_of
from training.detector import Architecture, build_detector

# Enough to tell fields apart, and a small part of the time that proposals take.
FEATURES_SIZE = 512


class Detector:
    """Proposes borders on RGB images, at the scale that the network was trained at."""

    def __init__(self, bundle: BundleFiles, model: FasterRCNN, size: int) -> None:
        self.bundle = bundle
        self.size = size
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
        """[{"border": ellipse in image px, "score": 0.05..1}], best first, at most 500.

        Ellipses are inscribed in the boxes found; a cell cut by the field's edge has its box cut there too.
        """
        small = at_scale(image, scale_of(image.width, image.height, self.size))
        pixels = torch.from_numpy(np.array(small, dtype=np.uint8)).permute(2, 0, 1)
        with torch.inference_mode():
            found = self._model([as_input(pixels)])[0]
        back = torch.tensor([image.width / small.width, image.height / small.height] * 2)
        proposals = []
        for box, score in zip((found["boxes"] * back).tolist(), found["scores"].tolist(), strict=True):
            try:
                border = clean(inscribed_ellipse(*box), image.width, image.height)
            except BorderError:
                continue  # thinner than a hundredth of a pixel
            proposals.append({"border": border, "score": round(score, 4)})
        return proposals

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
