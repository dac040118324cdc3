"""Two people change the same cell: no change takes the place of another unseen."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Locator, expect

from annotation.models import Cell, CellLabel, Operation, SmearImage
from tests.browser.cells import draw, square
from tests.browser.company import corners, deaf, hearing
from tests.browser.editor_page import EditorPage
from tests.browser.saved_cells import eventually, in_database, on_screen

pytestmark = pytest.mark.django_db(transaction=True)


def conflict(editor: EditorPage) -> Locator:
    dialog = editor.page.locator("#conflict")
    expect(dialog).to_be_visible()
    return dialog


def both_changed(
    mine: EditorPage, theirs: EditorPage, *, keys: str = "Shift+ArrowDown", their_keys: str = "Shift+ArrowRight"
) -> None:
    """Theo does something to the square: moves it right; anna, who has not heard of it, moves it down."""
    deaf(mine)
    theirs.click(150, 150)
    theirs.press(*their_keys.split())
    theirs.saved()
    mine.click(150, 150)
    mine.press(*keys.split())


@pytest.mark.parametrize(
    ("choice", "key", "expected"),
    [
        ("Keep yours", "m", [[100, 110]]),
        ("Keep theirs", "t", [[110, 100]]),
        ("Keep both as separate cells", "b", [[100, 110], [110, 100]]),
    ],
)
@pytest.mark.parametrize("by_key", [False, True])
def test_two_changes_of_a_cell_are_a_choice(
    image: SmearImage, annotator: User, pair: Any, choice: str, key: str, expected: list[list[int]], by_key: bool
) -> None:
    draw(image)
    mine, theirs = pair()
    both_changed(mine, theirs)
    dialog = conflict(mine)
    expect(dialog).to_contain_text("theo changed this cell, and you changed it too")
    assert corners() == [[110, 100]]
    if by_key:
        mine.press(key)
    else:
        dialog.get_by_role("button", name=choice).click()
    expect(dialog).to_be_hidden()
    mine.rows(len(expected))
    mine.saved()
    assert corners() == expected
    assert on_screen(mine.page) == in_database(image, annotator)
    hearing(mine)
    eventually(theirs.page, lambda: on_screen(theirs.page) == in_database(image, annotator), seconds=3)


def test_keeping_ones_border_keeps_the_others_labels(image: SmearImage, pair: Any) -> None:
    draw(image)
    mine, theirs = pair()
    both_changed(mine, theirs, their_keys="Shift+ArrowRight 1", keys="2")
    dialog = conflict(mine)
    expect(dialog.locator("[data-side=mine]")).to_contain_text("Promyelocyteonly here")
    expect(dialog.locator("[data-side=theirs]")).to_contain_text("Myeloblastonly here")
    dialog.get_by_role("button", name="Keep yours").click()
    mine.saved()
    # The label was all that was changed here: the other's border stands, and each one's own choice.
    assert corners() == [[110, 100]]
    chosen = CellLabel.objects.values_list("annotator__username", "label__name")
    assert set(chosen) == {("theo", "Myeloblast"), ("anna", "Promyelocyte")}


def test_a_change_of_a_cell_that_the_other_deleted(image: SmearImage, pair: Any) -> None:
    draw(image)
    mine, theirs = pair()
    both_changed(mine, theirs, their_keys="Delete")
    dialog = conflict(mine)
    expect(dialog).to_contain_text("theo deleted this cell, and you changed it")
    expect(dialog.get_by_role("button", name="Keep both")).to_be_hidden()
    dialog.get_by_role("button", name="Keep yours").click()
    mine.saved()
    mine.rows(1)
    assert corners() == [[100, 110]]


def test_a_deletion_of_a_cell_that_the_other_changed(image: SmearImage, pair: Any) -> None:
    draw(image)
    mine, theirs = pair()
    both_changed(mine, theirs, keys="Delete")
    dialog = conflict(mine)
    expect(dialog).to_contain_text("and you deleted it too")
    dialog.get_by_role("button", name="Keep theirs").click()
    mine.saved()
    mine.rows(1)
    assert corners() == [[110, 100]]


def test_the_same_done_by_both_is_no_conflict(image: SmearImage, pair: Any) -> None:
    draw(image)
    mine, theirs = pair()
    deaf(mine)
    for editor in (theirs, mine):
        editor.click(150, 150)
        editor.press("Delete")
        editor.saved()
        editor.rows(0)
    expect(mine.page.locator("#conflict")).to_be_hidden()
    assert Operation.objects.count() == 1


def test_several_conflicts_come_one_after_the_other_and_wait_until_one_has_time(
    image: SmearImage, annotator: User, pair: Any, console: Any
) -> None:
    for x in (100, 250, 400):
        draw(image, square(x, 100))
    mine, theirs = pair()
    deaf(mine)
    theirs.press("a", "Shift+ArrowRight")
    theirs.saved()
    mine.press("a", "Shift+ArrowDown")
    dialog = conflict(mine)
    expect(dialog).to_contain_text("2 more after this one")
    dialog.get_by_role("button", name="Keep theirs").click()
    expect(dialog).to_contain_text("1 more after this one")
    mine.press("m")
    expect(dialog.locator("[data-more]")).to_have_text("")
    dialog.get_by_role("button", name="Not now").click()
    expect(dialog).to_be_hidden()
    status = mine.page.locator("#save-status")
    expect(status).to_contain_text("1 change not saved: your choice")
    # Put off, it is still there after a reload, at its cell.
    mine.page.reload()
    mine = EditorPage(mine.page)
    conflict(mine).get_by_role("button", name="Not now").click()
    mine.page.locator(".problem-sign").click()
    conflict(mine).get_by_role("button", name="Keep yours").click()
    mine.saved()
    assert sum(corner[1] == 110 for corner in corners()) == 2
    assert sum(corner[0] % 50 == 10 for corner in corners()) == 1
    assert on_screen(mine.page) == in_database(image, annotator)
    made = list(Operation.objects.values_list("cell", "version"))
    assert len(made) == len(set(made))


def test_two_at_the_same_cells_lose_and_double_nothing(
    image: SmearImage, annotator: User, teammate: User, pair: Any
) -> None:
    for x in (60, 220, 380):
        for y in (60, 220):
            draw(image, square(x, y))
    mine, theirs = pair()
    for number in range(12):
        for editor, step in ((mine, "ArrowRight"), (theirs, "ArrowDown")):
            # A dialog has the keys until it is answered.
            answer(editor, "m" if number % 2 else "t")
            editor.press(".", step, step)
            if number % 4 == 3:
                editor.polygon(
                    *[
                        (x + 40 * (editor is mine), y)
                        for x, y in [(540, 60 + 20 * number), (560, 60 + 20 * number), (560, 75 + 20 * number)]
                    ]
                )
                editor.press("q")

    def agree() -> bool:
        for editor in (mine, theirs):
            answer(editor, "t")
        return all(
            editor.page.get_attribute("#save-status", "data-status") == "saved"
            and on_screen(editor.page) == in_database(image, user)
            for editor, user in ((mine, annotator), (theirs, teammate))
        )

    eventually(mine.page, agree)
    # A dialog that opens takes the clicks of a drawing hand; what was drawn is there once.
    assert Cell.objects.count() == 6 + Operation.objects.filter(kind="create").count() > 6
    for editor, user in ((mine, annotator), (theirs, teammate)):
        assert on_screen(editor.page) == in_database(image, user)
    made = list(Operation.objects.values_list("cell", "version"))
    assert len(made) == len(set(made))


def answer(editor: EditorPage, key: str) -> None:
    for _ in range(20):
        if not editor.page.locator("#conflict").is_visible():
            return
        editor.press(key)
        editor.page.wait_for_timeout(100)
