"""Why a bundle of whole images suspects a diagnosis: parts of the image are covered in turn, as the network sees it,
and it is asked anew of the whole (inference/occlusion.py)."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from annotation.store import pixel_hash
from inference.diagnosis_said import Diagnosed, DiagnosisProblem, Said
from inference.image_diagnosis import ImageModels
from inference.occlusion import Occlusion, occlude


def explain_image(
    image: Image.Image,
    models: ImageModels,
    decision: str | None,
    *,
    columns: int,
    rows: int,
    overlap: float,
    progress: Callable[[int, int], bool] | None = None,
) -> tuple[Occlusion, Said]:
    """The map of an RGB image, and what is said of it as it is; `decision`: None for the first that the bundles make.
    Raises DiagnosisProblem where none makes it, and as occlude() does."""
    whole = Diagnosed("")
    models.say(whole, {pixel_hash(image): lambda: image})
    said = said_of(whole, decision)
    if said is None:
        raise not_said(whole, decision)
    model = next(model for bundle, model in models.loaded if bundle.pk == said.bundle)

    def probabilities(pictures: Sequence[Image.Image]) -> NDArray[np.float64]:
        seen = np.stack([np.asarray(each).transpose(2, 0, 1) for each in pictures])
        return model.probabilities_of_each(said.chain, seen)[said.decision][:, 0]

    # Covered at the scale at which it is seen: a field has a hundred times as many pixels.
    small = Image.fromarray(np.ascontiguousarray(model.seen(image).transpose(1, 2, 0)))
    return occlude(small, probabilities, columns=columns, rows=rows, overlap=overlap, progress=progress), said


def said_of(found: Diagnosed, decision: str | None) -> Said | None:
    return next((said for said in found.said if decision in (None, said.decision)), None)


def not_said(found: Diagnosed, decision: str | None) -> DiagnosisProblem:
    made = ", ".join(each.decision for each in found.said)
    return DiagnosisProblem(found.reason or f"The bundles make no decision {decision!r}; they make: {made}.")
