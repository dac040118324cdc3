"""Two people at one image: each sees the other and what they do, and no change takes the place of another unseen."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Locator, Page, expect

from annotation.models import Cell, CellLabel, Comment, Operation, SmearImage
from tests.browser.cells import draw, propose, square
from tests.browser.editor_page import EditorPage
from tests.browser.saved_cells import eventually, in_database, on_screen

# What others do is seen within two seconds; a machine with other work to do may take longer, and is not what is tested.
SOON = 15_000
pytestmark = pytest.mark.django_db(transaction=True)

PRESENCE = "**/api/v1/images/*/presence/"


@pytest.fixture
def pair(edit: Any, annotator: User, teammate: User, console: Any) -> Any:
    """pair(): the image open at anna's and at theo's."""

    def make() -> tuple[EditorPage, EditorPage]:
        console.expect("412|503")
        return edit(annotator), edit(teammate)

    return make


def deaf(editor: EditorPage) -> None:
    """Hears nothing of the others from now on, as in the second before it does."""
    editor.page.route(PRESENCE, lambda route: route.fulfill(status=503, json={}))


def hearing(editor: EditorPage) -> None:
    editor.page.unroute(PRESENCE)


def conflict(editor: EditorPage) -> Locator:
    dialog = editor.page.locator("#conflict")
    expect(dialog).to_be_visible()
    return dialog


def both_changed(mine: EditorPage, theirs: EditorPage) -> None:
    """Theo moves the square right, anna, who has not heard of it, moves it down."""
    deaf(mine)
    theirs.click(150, 150)
    theirs.press("Shift+ArrowRight")
    theirs.saved()
    mine.click(150, 150)
    mine.press("Shift+ArrowDown")


def corners() -> list[list[float]]:
    return sorted(cell.border["points"][0] for cell in Cell.objects.exclude(status="deleted"))


def test_each_sees_that_the_other_is_there_until_they_leave(image: SmearImage, pair: Any) -> None:
    mine, theirs = pair()
    face = mine.page.locator("#faces .face")
    expect(face).to_have_attribute("title", "theo", timeout=SOON)
    expect(theirs.page.locator("#faces .face")).to_have_attribute("title", "anna", timeout=SOON)
    expect(mine.page.locator("#faces")).to_contain_text("Also here: theo")
    theirs.page.goto("/")
    expect(face).to_have_count(0, timeout=SOON)


def test_changes_of_the_other_are_seen_within_two_seconds(image: SmearImage, annotator: User, pair: Any) -> None:
    cell = draw(image)
    mine, theirs = pair()
    theirs.polygon((300, 100), (360, 110), (350, 180))
    expect(mine.page.locator("#cell-list")).to_have_attribute("data-count", "2", timeout=SOON)
    expect(mine.page.locator(".flash")).to_have_count(1)
    theirs.press("q")
    theirs.click(150, 150)
    theirs.press("Shift+ArrowRight")
    expect_corner(mine.page, cell, [110, 100])
    theirs.press("Delete")
    expect(mine.page.locator("#cell-list")).to_have_attribute("data-count", "1", timeout=SOON)
    theirs.press("Control+z")
    expect(mine.page.locator("#cell-list")).to_have_attribute("data-count", "2", timeout=SOON)
    assert on_screen(mine.page) == in_database(image, annotator)


def expect_corner(page: Page, cell: Cell, corner: list[float]) -> None:
    page.wait_for_function(
        """([id, corner]) => {
          const detail = {};
          document.querySelector("#editor").dispatchEvent(new CustomEvent("marrowloop-look", { detail }));
          const [x, y] = detail.cells.find((cell) => cell.id === id).border.points[0];
          return x === corner[0] && y === corner[1];
        }""",
        arg=[str(cell.pk), corner],
        timeout=SOON,
    )


def test_what_the_other_changed_is_not_undone_here(image: SmearImage, pair: Any) -> None:
    cell = draw(image)
    mine, theirs = pair()
    mine.click(150, 150)
    mine.press("ArrowRight")
    expect_corner(theirs.page, cell, [101, 100])
    theirs.click(150, 150)
    theirs.press("Shift+ArrowDown")
    expect_corner(mine.page, cell, [101, 110])
    mine.press("Control+z")
    mine.says("Nothing to undo")
    assert corners() == [[101, 110]]


def test_what_the_other_does_right_after_a_save_is_seen_though_the_answer_comes_late(
    image: SmearImage, annotator: User, pair: Any
) -> None:
    cell = draw(image)
    mine, theirs = pair()
    late = []
    mine.page.route("**/operations/", lambda route: late.append((route, route.fetch())))
    mine.click(150, 150)
    mine.press("ArrowRight")
    expect_corner(theirs.page, cell, [101, 100])
    theirs.click(150, 150)
    theirs.press("Shift+ArrowDown")
    theirs.saved()
    mine.page.wait_for_timeout(1_500)
    route, answer = late.pop()
    route.fulfill(response=answer)
    mine.saved()
    expect_corner(mine.page, cell, [101, 110])
    assert on_screen(mine.page) == in_database(image, annotator)


def test_a_review_makes_it_read_only_at_once(image: SmearImage, pair: Any, edit: Any, reviewer: User) -> None:
    draw(image)
    SmearImage.objects.update(state="annotated")
    mine, _ = pair()
    theirs = edit(reviewer)
    theirs.page.get_by_role("button", name="Mark as reviewed").click()
    expect(mine.page.locator("#image-state")).to_have_text("Reviewed", timeout=SOON)
    mine.click(150, 150)
    mine.press("ArrowRight")
    mine.says("reviewed")
    theirs.page.get_by_role("button", name="Reopen").click()
    expect(mine.page.locator("#image-state")).to_have_text("In progress", timeout=SOON)
    mine.press("ArrowRight")
    mine.saved()
    assert corners() == [[101, 100]]


def test_new_proposals_are_read_anew(image: SmearImage, pair: Any) -> None:
    mine, _ = pair()
    propose(image, 200, 200)
    revision = SmearImage.objects.get().revision + 1
    SmearImage.objects.update(revision=revision, replaced_in=revision)
    expect(mine.page.locator("#cell-list")).to_have_attribute("data-count", "1", timeout=SOON)


# --- conflicts ---


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
    deaf(mine)
    theirs.click(150, 150)
    theirs.press("Shift+ArrowRight", "1")
    theirs.saved()
    mine.click(150, 150)
    mine.press("2")
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
    deaf(mine)
    theirs.click(150, 150)
    theirs.press("Delete")
    theirs.saved()
    mine.click(150, 150)
    mine.press("Shift+ArrowDown")
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
    deaf(mine)
    theirs.click(150, 150)
    theirs.press("Shift+ArrowRight")
    theirs.saved()
    mine.click(150, 150)
    mine.press("Delete")
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
    for _ in range(3):
        for editor in (mine, theirs):
            editor.page.wait_for_timeout(1_000)
            answer(editor, "t")
    for editor in (mine, theirs):
        editor.saved()
    mine.page.wait_for_timeout(1_500)
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


# --- history ---


def test_the_history_of_a_cell_shows_who_did_what_and_brings_any_version_back(
    image: SmearImage, annotator: User, pair: Any
) -> None:
    cell = propose(image, 200, 200)
    mine, theirs = pair()
    theirs.click(200, 200)
    theirs.press("Enter")
    theirs.saved()
    mine.page.wait_for_timeout(1_200)
    mine.click(200, 200)
    mine.press("Shift+ArrowRight", "1")
    mine.saved()
    mine.press("Shift+h")
    dialog = mine.page.locator("#cell-history")
    versions = dialog.locator(".version")
    expect(versions.first).to_contain_text("As it is now")
    expect(dialog).to_contain_text("theo")
    expect(versions.last).to_contain_text("Proposed by watershed/1")
    drawn = versions.last.locator("canvas").evaluate(
        "(canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)"
    )
    assert drawn
    versions.last.get_by_role("button", name="Restore").click()
    mine.saved()
    cell.refresh_from_db()
    assert (cell.status, cell.border) == ("proposed", cell.proposed_border)
    mine.press("Control+z")
    mine.saved()
    cell.refresh_from_db()
    assert (cell.status, cell.border["cx"]) == ("confirmed", 210)
    assert on_screen(mine.page) == in_database(image, annotator)


def test_deleted_cells_are_shown_and_brought_back(image: SmearImage, annotator: User, edit: Any) -> None:
    kept, gone = draw(image), draw(image, square(300, 100))
    editor = edit(annotator)
    editor.click(350, 150)
    editor.press("1", "Delete")
    editor.saved()
    # After a reload nothing can be undone.
    editor.page.reload()
    editor = EditorPage(editor.page)
    editor.rows(1)
    editor.press("Shift+h")
    dialog = editor.page.locator("#cell-history")
    expect(dialog).to_contain_text("Deleted cells of this image")
    expect(dialog.locator(".version")).to_contain_text("Myeloblast")
    dialog.get_by_role("button", name="Restore").click()
    editor.rows(2)
    editor.saved()
    assert set(Cell.objects.exclude(status="deleted")) == {kept, gone}
    assert on_screen(editor.page) == in_database(image, annotator)
    editor.press("Control+z")
    editor.rows(1)
    editor.saved()


# --- comments, assignment, sending back ---


def test_a_comment_on_a_cell_is_answered_and_resolved(image: SmearImage, pair: Any) -> None:
    cell = draw(image)
    mine, theirs = pair()
    mine.click(150, 150)
    mine.press("Shift+n")
    composer = mine.page.locator(".comment-composer")
    expect(composer).to_contain_text("About the selected cell")
    composer.get_by_label("Comment").fill("Is this one a promyelocyte?")
    composer.get_by_role("button", name="Send").click()
    expect(mine.page.locator(".thread")).to_contain_text("Is this one a promyelocyte?")
    pin = theirs.page.locator(".ol-overlay-container .comment-pin")
    expect(pin).to_have_text("1", timeout=SOON)
    pin.click()
    theirs.title("Unlabelled cell")
    thread = theirs.page.locator(".thread")
    thread.locator("summary").click()
    thread.get_by_label("Answer").fill("No: look at the nucleus.")
    thread.get_by_role("button", name="Answer", exact=True).click()
    expect(mine.page.locator(".thread")).to_contain_text("No: look at the nucleus.", timeout=SOON)
    mine.page.get_by_role("button", name="Resolve", exact=True).click()
    expect(mine.page.locator(".thread")).to_have_count(0)
    expect(pin).to_have_count(0, timeout=SOON)
    mine.page.get_by_role("button", name="Resolved").click()
    expect(mine.page.locator(".thread")).to_contain_text("Resolved by anna")
    first, second = Comment.objects.order_by("created_at")
    assert (first.cell, second.answers, first.resolved_by.get_username()) == (cell, first, "anna")


def test_a_comment_on_a_place_is_kept_while_the_server_is_away(
    image: SmearImage, annotator: User, edit: Any, console: Any
) -> None:
    console.expect("ERR_FAILED")
    editor = edit(annotator)
    editor.press("Shift+n")
    editor.says("Click the place")
    editor.click(420, 300)
    composer = editor.page.locator(".comment-composer")
    composer.get_by_label("Comment").fill("A smudge.")
    address = "**/comments/"
    editor.page.route(address, lambda route: route.abort())
    composer.get_by_role("button", name="Send").click()
    expect(composer).to_contain_text("Not sent: the server cannot be reached.")
    editor.page.unroute(address)
    composer.get_by_role("button", name="Send").click()
    expect(editor.page.locator(".thread")).to_contain_text("A smudge.")
    comment = Comment.objects.get()
    assert (comment.x, comment.y) == pytest.approx((420, 300), abs=2)


def test_an_image_is_taken_and_given_back(image: SmearImage, pair: Any) -> None:
    mine, theirs = pair()
    mine.page.get_by_role("button", name="Assign to me").click()
    expect(mine.page.get_by_role("button", name="Give back")).to_be_visible()
    expect(theirs.page.locator("#assignee")).to_contain_text("Assigned to anna", timeout=SOON)
    expect(theirs.page.locator("#assignee button")).to_be_hidden()
    assert SmearImage.objects.get().assignee.get_username() == "anna"
    mine.page.get_by_role("button", name="Give back").click()
    expect(theirs.page.get_by_role("button", name="Assign to me")).to_be_visible(timeout=SOON)
    assert SmearImage.objects.get().assignee is None


def test_a_reviewer_sends_back_with_a_word(image: SmearImage, annotator: User, reviewer: User, edit: Any) -> None:
    SmearImage.objects.update(state="annotated")
    mine, theirs = edit(annotator), edit(reviewer)
    theirs.page.get_by_role("button", name="Send back").click()
    dialog = theirs.page.locator("#send-back")
    dialog.get_by_label("What is to be done").fill("Two cells at the edge are missing.")
    dialog.get_by_role("button", name="Send back").click()
    expect(mine.page.locator("#image-state")).to_have_text("In progress", timeout=SOON)
    mine.page.locator("#comments summary").first.click()
    expect(mine.page.locator(".thread")).to_contain_text("Two cells at the edge are missing.")
