"""What bundles of whole images suspect of patients: of the mean over a patient's images, without looking for cells."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.diagnosis_said import Diagnosed, DiagnosisProblem, decided
from training.bundle import BundleError
from training.models import Bundle

NO_IMAGE = "The patient has no image that a diagnosis may look at."


class ImageModels:
    """Bundles of whole images, loaded."""

    def __init__(self, bundles: Sequence[Bundle]) -> None:
        """Raises DiagnosisProblem for files that are gone or damaged."""
        # Imported here: the web process never loads torch.
        from training.image_bundle import ImageModel

        try:
            self.loaded = [(bundle, ImageModel.load(bundle.folder)) for bundle in bundles]
        except BundleError as problem:
            raise DiagnosisProblem(str(problem)) from problem

    def say(self, found: Diagnosed, images: Mapping[str, Callable[[], Image.Image]]) -> list[str]:
        """Add what they say of a patient's images, by their sha256 and opened one by one. Returns those that cannot be
        opened, which are left out."""
        seen: list[list[NDArray[np.uint8]]] = [[] for _ in self.loaded]
        missing = []
        for sha256, opened in images.items():
            try:
                image = opened()
            except OSError:
                missing.append(sha256)
                continue
            for own, (_, model) in zip(seen, self.loaded, strict=True):
                own.append(model.seen(image))
        if len(missing) == len(images):
            found.reason = found.reason or NO_IMAGE
            return missing
        for own, (bundle, model) in zip(seen, self.loaded, strict=True):
            chain = model.chain_for(set(images))
            for name, chances in model.probabilities(chain, own).items():
                decision = next(each for each in model.decisions if each.name == name)
                found.said.append(decided(bundle, decision, chances, model.threshold(decision), chain))
        found.images = len(images) - len(missing)
        return missing
