"""What the page of an image's past shows: its borders as of a round, and what became of them since."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from annotation.as_of import (
    ACCEPTED,
    ADDED,
    MOVED,
    OPEN,
    REMOVED,
    SAME,
    BorderThen,
    Difference,
    borders_as_of,
    choices_as_of,
    differences,
    proposals_lost,
    states_as_of,
)
from annotation.blind_reading import hidden_cells
from annotation.borders import Border, is_point, outline
from annotation.models import SmearImage
from annotation.moments import Moment
from training.models import Round

# In the order in which they are drawn, the later above the earlier, and what each is called.
IGNORED = "ignored"
KINDS = {
    IGNORED: "ignored, unchanged",
    SAME: "unchanged since",
    OPEN: "still a proposal",
    ACCEPTED: "proposal, accepted since",
    MOVED: "moved since",
    ADDED: "added since",
    REMOVED: "removed since",
}
# Radius of the circle that stands for a point, as a share of the image's longer side.
_POINT = 0.005


@dataclass(frozen=True)
class Shape:
    """One border as SVG: `then` and `now` are paths in image pixels, empty where the border was or is not there."""

    kind: str
    title: str
    then: str
    now: str


@dataclass(frozen=True)
class Layer:
    """The shapes of one kind, which the page can hide."""

    kind: str
    name: str
    shapes: Sequence[Shape]


@dataclass(frozen=True)
class Past:
    """An image at a moment. state: as its label; recorded: whether that is from the history, not inferred; lost:
    whether proposals lay open of which nothing is left; relabelled: borders that stand and carry other labels now."""

    moment: Moment
    state: str
    recorded: bool
    lost: bool
    stood: int
    relabelled: int
    layers: Sequence[Layer]


def rounds_of(image: SmearImage) -> list[Round]:
    """The rounds that were launched since the image came, oldest first."""
    rounds = Round.objects.filter(study=image.study_id, created_at__gte=image.created_at)
    return list(rounds.only("pk", "number", "created_at", "state", "study").order_by("number"))


def past_of(image: SmearImage, moment: Moment, viewer_id: int) -> Past:
    """Everything that the page says of the image at the moment; nothing of the labels of cells that the viewer is
    reading blind. Some twenty queries at most, however many borders there are."""
    ids = [image.pk]
    finished = ids if image.sha256 in moment.finished else []
    state = states_as_of(ids, moment.at, finished).get(image.pk)
    then, now = borders_as_of(ids, moment.at)[image.pk], borders_as_of(ids, None)[image.pk]
    said, says = choices_as_of(ids, moment.at), choices_as_of(ids, None)
    found = differences(then, now)
    shapes = [_shape(difference, image) for difference in found]
    hidden = set(hidden_cells(viewer_id).filter(cell__image=image).values_list("cell", flat=True))
    kept = [each for each in found if each.then and each.now and each.now.id not in hidden]
    relabelled = sum(_labels(said, each) != _labels(says, each) for each in kept)
    counts = Counter(shape.kind for shape in shapes)
    return Past(
        moment,
        SmearImage.State(state.state).label if state else "",
        bool(state and state.recorded),
        image.pk in proposals_lost(ids, moment.at),
        sum(border.stands and not border.ignored for border in then),
        relabelled,
        [Layer(kind, name, [s for s in shapes if s.kind == kind]) for kind, name in KINDS.items() if counts[kind]],
    )


def _labels(said: Any, difference: Difference) -> set[int]:
    border = difference.then or difference.now
    choice = said.get(border.id) if border else None
    return set(choice.labels) if choice else set()


def _shape(difference: Difference, image: SmearImage) -> Shape:
    def path(border: BorderThen | None) -> str:
        return path_of(border.border, _POINT * max(image.width, image.height)) if border else ""

    then, now = path(difference.then), path(difference.now)
    unchanged = difference.kind == SAME and difference.then is not None and difference.then.ignored
    kind = IGNORED if unchanged else difference.kind
    return Shape(kind, KINDS[kind], then, "" if now == then else now)


def path_of(border: Border, radius: float) -> str:
    """The border as data of an SVG path, in image pixels; a point is a circle of `radius`."""
    if is_point(border):
        border = {"kind": "circle", "cx": border["cx"], "cy": border["cy"], "r": radius}
    places = " ".join(f"{x:g},{y:g}" for x, y in ((round(x, 1), round(y, 1)) for x, y in outline(border, 40)))
    return f"M{places}Z"
