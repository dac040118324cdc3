"""Copy and paste: at the pointer, aside, on the next image, after a reload; with all that is said of a cell."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from annotation.models import Cell, CellLabel, Label, SmearImage
from tests.browser.cells import SQUARE, draw, propose, square
from tests.browser.editor_page import EditorPage

pytestmark = pytest.mark.django_db(transaction=True)


def newest(image: SmearImage) -> Cell:
    cell = Cell.objects.filter(image=image).order_by("created_at").last()
    assert cell is not None
    return cell


def test_a_copy_lands_at_the_pointer_with_its_labels(image: SmearImage, annotator: User, edit: Any) -> None:
    original = draw(image)
    label = Label.objects.get(group__study=image.study, name="Myeloblast")
    CellLabel.objects.create(cell=original, label=label, annotator=annotator, confidence=0.75)
    editor = edit(annotator)
    editor.press("v")
    editor.says("Nothing is copied")
    editor.click(150, 150)
    editor.press("c")
    editor.page.mouse.move(*editor.at(400, 300))
    editor.press("v")
    editor.rows(2)
    editor.saved()
    copy = newest(image)
    assert copy.border["points"][0] == pytest.approx([350, 250], abs=1)
    assert copy.origin == "drawn"
    assert [(each.label, each.confidence) for each in copy.labels.all()] == [(label, 0.75)]
    editor.press("Control+z")
    editor.rows(1)
    editor.saved()
    original.refresh_from_db()
    assert (original.border, original.version) == (SQUARE, 1)


def test_without_the_pointer_copies_are_set_aside(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image)
    draw(image, square(300, 100))
    editor = edit(annotator)
    editor.press("a", "Control+c")
    editor.page.mouse.move(5, 5)
    editor.press("Control+v", "Control+v")
    editor.rows(6)
    editor.saved()
    corners = sorted(tuple(cell.border["points"][0]) for cell in Cell.objects.filter(image=image))
    assert len(set(corners)) == 6
    assert corners[0] == (100, 100)
    assert 100 < corners[1][0] < 130
    assert corners[1][0] - 100 == pytest.approx((corners[2][0] - 100) / 2, abs=0.1)


def test_cells_are_pasted_on_the_next_image_and_after_a_reload(
    image: SmearImage, annotator: User, edit: Any, make_image: Any
) -> None:
    following = make_image(image.study, width=640, height=480, seed=9)
    propose(image, 300, 200)
    editor = edit(annotator)
    editor.click(300, 200)
    editor.press("c")
    editor.page.mouse.move(5, 5)
    editor.press("Escape", "n")
    editor.page.wait_for_url(f"**/images/{following.pk}/")
    again = EditorPage(editor.page)
    again.press("v")
    again.rows(1)
    again.saved()
    cell = newest(following)
    assert (cell.status, cell.origin, cell.score) == ("confirmed", "drawn", None)
    assert cell.border == Cell.objects.get(image=image).border
    assert Cell.objects.get(image=image).status == "proposed"
    again.page.reload()
    reloaded = EditorPage(again.page)
    reloaded.press("v")
    reloaded.rows(2)
    reloaded.saved()
    assert Cell.objects.filter(image=following).count() == 2
