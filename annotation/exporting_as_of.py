"""A study's borders, labels and states as a file, as of an earlier moment."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from annotation.as_of import BorderThen, borders_as_of, choices_as_of, states_as_of
from annotation.borders import bounds, is_point
from annotation.exporting import FORMATS, IMAGES_AT_ONCE, Exported, StudyRows, write_file
from annotation.formats.rows import CellRow, ImageRow
from annotation.label_choice import NOTHING_SAID, Choice
from annotation.models import Cell, SmearImage, Study
from annotation.moments import Moment


def export_as_of(study: Study, format: str, target: Path, moment: Moment, *, deleted: bool = False) -> Exported:
    """Write the study as it was at a moment, in the same formats and with the same rules as exporting.export().

    What has no history is as it is now: names, patients, scales and the label scheme. Raises OSError.
    """
    if format not in FORMATS:
        raise ValueError(f"The format is one of {', '.join(FORMATS)}, not {format!r}.")
    plain = format == "coco"
    rows = PastRows(study, moment, touched_only=plain, points=not plain, deleted=deleted and format == "csv")
    return write_file(study, format, target, rows)


class PastRows(StudyRows):
    """The images of a study that were there at a moment, with their cells as of it."""

    def __init__(
        self, study: Study, moment: Moment, *, touched_only: bool = False, points: bool = True, deleted: bool = False
    ) -> None:
        super().__init__(study, points=points, deleted=deleted)
        # They are of the borders as they are now.
        self.measures = []
        self._moment = moment
        self._touched_only = touched_only
        self._left_out = self._inferred = self._open = self._labels_gone = 0

    def categories(self) -> list[str]:
        """Names for COCO, also of ignored regions that are no more."""
        ignored = Cell.objects.filter(image__study=self.study, ignored=True).exclude(ignored_class="")
        names = ignored.order_by("ignored_class").values_list("ignored_class", flat=True).distinct()
        return [*(label for group in self.groups if not group.multiple for label in group.labels), *names]

    def _rows(self) -> Iterator[ImageRow]:
        self._left_out = self._inferred = self._open = self._labels_gone = 0
        rest = self._with_names().iterator(IMAGES_AT_ONCE)
        while images := list(islice(rest, IMAGES_AT_ONCE)):
            yield from self._rows_of({image.pk: image for image in images})

    def _rows_of(self, images: dict[int, SmearImage]) -> Iterator[ImageRow]:
        at = self._moment.at
        finished = {image.pk for image in images.values() if image.sha256 in self._moment.finished}
        states = states_as_of(images, at, finished)
        borders, choices = borders_as_of(states, at), choices_as_of(states, at)
        for pk, state in sorted(states.items()):
            if self._touched_only and state.state in SmearImage.UNTOUCHED:
                self._left_out += 1
                continue
            self._inferred += not state.recorded
            cells = []
            for border in borders[pk]:
                self._open += border.shown and border.status == Cell.Status.PROPOSED
                if border.status not in self._status:
                    continue
                if not self._points and is_point(border.border):
                    self.points_left_out += 1
                    continue
                cells.append(self._past_cell(images[pk], border, choices.get(border.id, NOTHING_SAID)))
            yield self._row(images[pk], state.state, cells)

    def _past_cell(self, image: SmearImage, border: BorderThen, choice: Choice) -> CellRow:
        known = [label for label in choice.labels if label in self._labels]
        self._labels_gone += len(choice.labels) - len(known)
        texts = {self._texts[key]: text for key, text in choice.texts.items() if key in self._texts}
        return CellRow(
            str(border.id),
            border.border,
            bounds(border.border, image.width, image.height),
            self.named(Choice(known, choice.confidence)),
            border.status,
            border.ignored,
            border.ignored_class,
            border.origin,
            border.correction,
            texts,
        )

    def notes(self) -> Iterator[str]:
        if self._open:
            yield f"{self._open} proposals that nobody had accepted or rejected by then are not exported."
        if self._left_out:
            yield f"{self._left_out} images that nobody had annotated by then are not exported."
        if self._inferred:
            yield (
                f"The states of {self._inferred} images are from before states had a history: they are inferred from "
                "what had been done on the images."
            )
        if self._labels_gone:
            yield f"{self._labels_gone} labels of then are no longer in the study's scheme and are not exported."
        yield from self._notes_of_all()
