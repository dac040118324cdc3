"""What the editor is measured on: synthetic fields of 2560×1920 with any number of borders of 20 points.

Borders are wobbly circles, one to a place of a jittered grid, so that they fill the field and do not overlap: at 5,000
they are about 25 pixels across and stand a few pixels apart. Everything follows from the seed.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from numpy.typing import NDArray
from PIL import Image

from annotation.models import Cell, ImageName, Membership, Operation, Role, SmearImage
from annotation.scheme import study_named
from annotation.store import ImageStore
from annotation.synthetic import draw_patient, draw_smear

WIDTH, HEIGHT = 2560, 1920
POINTS = 20
LARGEST_RADIUS = 45.0  # pixels: a large cell at a 40x objective
SAME = 0.01  # pixels: the precision of a stored border

Points = list[list[float]]


@dataclass(frozen=True)
class Field:
    """An image and its borders as they were made, by cell id."""

    image: int
    borders: dict[str, Points]

    def centre(self, cell: str) -> tuple[float, float]:
        points = self.borders[cell]
        return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)

    def nearest(self, x: float, y: float) -> str:
        """The cell whose centre is nearest to a point."""
        return min(self.borders, key=lambda cell: math.dist(self.centre(cell), (x, y)))


def wobbly_circles(count: int, seed: int) -> Iterator[Points]:
    """`count` borders of 20 points, star-shaped around their centres, within the image."""
    rng = np.random.default_rng([seed, count])
    pitch = math.sqrt(WIDTH * HEIGHT / count)
    columns = math.ceil(WIDTH / pitch)
    rows = math.ceil(count / columns)
    across, down = WIDTH / columns, HEIGHT / rows
    angles = np.linspace(0, 2 * math.pi, POINTS, endpoint=False)
    for place in rng.permutation(columns * rows)[:count]:
        room = min(across, down) / 2 - 1
        radius = min(0.85 * room, LARGEST_RADIUS) * rng.uniform(0.8, 1)
        dx, dy = rng.uniform(-1, 1, 2) * (room - 1.12 * radius)
        wobble = 1 + 0.08 * np.sin(2 * angles + rng.uniform(0, 6)) + 0.04 * np.sin(3 * angles + rng.uniform(0, 6))
        x = (place % columns + 0.5) * across + dx + radius * wobble * np.cos(angles)
        y = (place // columns + 0.5) * down + dy + radius * wobble * np.sin(angles)
        yield np.stack([x, y], axis=1).round(2).tolist()


def draw_field(seed: int) -> NDArray[np.uint8]:
    return draw_smear(draw_patient(seed, 0), 0, WIDTH, HEIGHT).pixels


def add_field(study_name: str, user: Any, pixels: NDArray[np.uint8], count: int, seed: int, name: str) -> Field:
    """Store an image with `count` borders, in a study of that name where the user annotates."""
    study = study_named(study_name, synthetic=True)
    Membership.objects.get_or_create(study=study, user=user, defaults={"role": Role.ANNOTATOR})
    image = SmearImage.objects.create(
        study=study,
        sha256=ImageStore(settings.IMAGE_STORE).put(Image.fromarray(pixels)),
        width=WIDTH,
        height=HEIGHT,
        um_per_pixel=0.1,
        fold=SmearImage.next_fold(study),
        state=SmearImage.State.IN_PROGRESS,
        synthetic=True,
    )
    ImageName.objects.create(image=image, name=name)
    cells = []
    for points in wobbly_circles(count, seed):
        cell = Cell(image=image, status=Cell.Status.CONFIRMED, origin=Cell.Origin.IMPORTED)
        cell.place({"kind": "polygon", "points": points}, image)
        cells.append(cell)
    Cell.objects.bulk_create(cells, batch_size=1_000)
    return Field(image.pk, {str(cell.pk): cell.border["points"] for cell in cells})


def add_worklist(study_name: str, user: Any, pixels: NDArray[np.uint8], images: int, count: int, seed: int) -> int:
    """Store a study of many images with `count` borders each; the id of the first.

    The pixels are those of one field, rolled: images of their own to the store and to the browser, and as hard to
    decode, while drawing each would take minutes.
    """
    made = [
        add_field(study_name, user, np.roll(pixels, 40 * k, axis=1), count, seed + k, f"field-{k:02}.png").image
        for k in range(images)
    ]
    return made[0]


def stored(image: int) -> tuple[dict[str, Points], int]:
    """The borders of an image as the database has them, and how many operations were applied to it."""
    borders = Cell.objects.shown().filter(image=image).values_list("pk", "border")
    return {str(pk): border["points"] for pk, border in borders}, Operation.objects.filter(image=image).count()


def version(cell: str) -> int:
    return Cell.objects.get(pk=UUID(cell)).version


def changed(before: dict[str, Points], after: dict[str, Points]) -> set[str]:
    """Cells whose borders differ by more than 0.01 pixels in any number, or that are in one of the two only."""
    return {cell for cell in before.keys() | after.keys() if not same(before.get(cell), after.get(cell))}


def same(a: Points | None, b: Points | None) -> bool:
    # A hair above the precision: 0.01 has no exact float.
    return a is not None and b is not None and len(a) == len(b) and bool(np.allclose(a, b, rtol=0, atol=SAME * 1.001))


def moved_vertices(before: Points, after: Points) -> tuple[Points, Points]:
    """The vertices of a border that are gone, and those that are new: one of each where one vertex was moved."""
    return _without(before, after), _without(after, before)


def _without(these: Points, others: Points) -> Points:
    among = np.array(others)
    return [point for point in these if np.abs(among - np.array(point)).max(axis=1).min() > SAME * 1.001]
