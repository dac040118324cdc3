"""The bundle of networks of whole images: one of each fold and one of all patients, as training/diagnosis_bundle.py
has chains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.numpy import load_file

from training.backbone import BackboneError
from training.bundle import BundleError, BundleFiles, read_bundle, write_bundle
from training.decisions import Decision
from training.diagnosis_bundle import save_tensors
from training.diagnosis_card import calibrations_of, card_of, chain_in, decisions_of, threshold_in
from training.diagnosis_judging import Calibration
from training.diagnosis_settings import ImageSettings
from training.image_lesson import ImageLesson
from training.image_network import ImageNetwork
from training.image_pixels import Pixels, small
from training.snapshot import Snapshot

KIND = "image"
Values = NDArray[np.float64]


def write_image_bundle(
    out: Path,
    networks: Mapping[str, ImageNetwork],
    calibrations: Mapping[str, Calibration],
    snapshot: Snapshot,
    lesson: ImageLesson,
    settings: ImageSettings,
    facts: Mapping[str, Any],
) -> BundleFiles:
    """`facts` are the rest of its card. Raises OSError where the disk refuses."""
    tensors = {
        f"{name}.{part}": value for name, network in networks.items() for part, value in network.to_tensors().items()
    }
    architecture = {"backbone": settings.backbone, "chains": sorted(networks)}
    inputs = {"short_side": settings.size, "channels": "RGB"}
    described: list[Mapping[str, Any]] = [{} for _ in lesson.decisions]
    card = card_of(KIND, architecture, described, calibrations, inputs, snapshot, lesson, settings, facts)
    return write_bundle(out, card, lambda path: save_tensors(tensors, path))


@dataclass
class ImageModel:
    """A bundle of networks of whole images, loaded; a network is built when it is first asked for."""

    card: Mapping[str, Any]
    decisions: tuple[Decision, ...]
    calibrations: Mapping[str, Calibration]
    _tensors: Mapping[str, Any]
    _built: dict[str, ImageNetwork] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> "ImageModel":
        """Raises BundleError for what is no such bundle."""
        files = read_bundle(folder, KIND)
        try:
            tensors = load_file(files.weights)
            found = cls(files.card, decisions_of(files.card), calibrations_of(files.card), tensors)
            # The one that is asked for most says whether the weights are what the card states.
            found.network("all")
        except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as problem:
            raise BundleError(f"The weights of the bundle {folder} are not those of its networks: {problem}.") from None
        return found

    @property
    def size(self) -> int:
        return int(self.card["inputs"]["short_side"])

    def network(self, chain: str) -> ImageNetwork:
        """Raises KeyError for a chain that the bundle does not have."""
        if chain not in self.card["architecture"]["chains"]:
            raise KeyError(chain)
        if chain not in self._built:
            own = {
                name.removeprefix(f"{chain}."): value
                for name, value in self._tensors.items()
                if name.startswith(f"{chain}.")
            }
            widths = [len(decision.classes) for decision in self.decisions]
            try:
                self._built[chain] = ImageNetwork.from_tensors(str(self.card["architecture"]["backbone"]), widths, own)
            except BackboneError as problem:
                raise BundleError(str(problem)) from problem
        return self._built[chain]

    def seen(self, image: Image.Image) -> Pixels:
        """An image as the networks see it."""
        return small(image, self.size)

    def threshold(self, decision: Decision) -> float:
        return threshold_in(self.card, decision)

    def chain_for(self, images: set[str]) -> str:
        return chain_in(self.card, images)

    def probabilities(self, chain: str, images: Sequence[Pixels]) -> dict[str, Values]:
        """By decision (K,) of a patient's images, at least one: of the mean of their scores."""
        scores = mean_scores(self.network(chain), images)
        return {
            decision.name: self.calibrations[decision.name].probabilities(own[None])[0]
            for decision, own in zip(self.decisions, scores, strict=True)
        }

    def probabilities_of_each(self, chain: str, images: Pixels) -> dict[str, Values]:
        """By decision (N, K) of images of one size (N, 3, H, W), each taken for a patient of its own."""
        scores = self.network(chain).scores_of_each(images)
        return {
            decision.name: self.calibrations[decision.name].probabilities(own)
            for decision, own in zip(self.decisions, scores, strict=True)
        }


def mean_scores(network: ImageNetwork, images: Sequence[Pixels]) -> list[Values]:
    """(K,) of each decision: the mean over a patient's images, at least one."""
    each = [network.scores(pixels) for pixels in images]
    return [np.mean([scores[place] for scores in each], axis=0) for place in range(len(each[0]))]
