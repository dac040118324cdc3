"""What people do in the editor, and what the database holds afterwards."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from annotation.models import Cell, CellLabel, SmearImage
from tests.browser.cells import SQUARE, draw, propose
from tests.browser.editor_page import EditorPage

pytestmark = pytest.mark.django_db(transaction=True)


def test_draw_a_polygon_and_an_ellipse_and_find_them_after_a_reload(
    image: SmearImage, annotator: User, edit: Any
) -> None:
    editor = edit(annotator)
    editor.polygon((100, 100), (180, 110), (170, 200), (90, 190))
    editor.title("Unlabelled cell")
    editor.press("e")
    editor.drag((300, 200), (400, 260))
    editor.rows(2)
    editor.saved()
    polygon, ellipse = Cell.objects.order_by("created_at")
    assert polygon.border["kind"] == "polygon"
    drawn = [value for point in polygon.border["points"] for value in point]
    assert drawn == pytest.approx([100, 100, 180, 110, 170, 200, 90, 190], abs=1)
    assert ellipse.border["kind"] == "ellipse"
    assert [ellipse.border[name] for name in ("cx", "cy", "rx", "ry")] == pytest.approx([350, 230, 50, 30], abs=1)
    editor.page.reload()
    again = EditorPage(editor.page)
    again.rows(2)
    again.click(350, 230)
    expect(again.page.locator("#selected [data-facts]")).to_contain_text("Ellipse, 10.0 × 6.0 µm")
    expect(again.page.locator("#image-state")).to_have_text("In progress")


def test_backspace_takes_a_vertex_back_and_escape_gives_up(image: SmearImage, annotator: User, edit: Any) -> None:
    editor = edit(annotator)
    editor.press("w")
    for point in [(100, 100), (200, 100), (200, 200), (400, 400)]:
        editor.click(*point)
    editor.press("Backspace")
    editor.click(100, 200)
    editor.press("Enter")
    editor.saved()
    editor.rows(1)
    assert len(Cell.objects.get().border["points"]) == 4
    assert max(x for x, _ in Cell.objects.get().border["points"]) < 210
    editor.click(300, 300)
    editor.click(400, 300)
    editor.press("Escape", "Enter")
    editor.rows(1)


def test_a_double_click_finishes_a_polygon(image: SmearImage, annotator: User, edit: Any) -> None:
    editor = edit(annotator)
    editor.press("w")
    for point in [(100, 100), (200, 100), (200, 200)]:
        editor.click(*point)
    editor.click(100, 200, click_count=2, delay=20)
    editor.rows(1)
    editor.saved()
    assert len(Cell.objects.get().border["points"]) == 4


def test_a_dragged_vertex_moves_and_no_other(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image)
    editor = edit(annotator)
    editor.click(150, 150)
    editor.drag((200, 200), (260, 240))
    editor.saved()
    points = Cell.objects.get().border["points"]
    assert points[:2] + points[3:] == [[100, 100], [200, 100], [100, 200]]
    assert points[2] == pytest.approx([260, 240], abs=1)


def test_vertices_are_added_on_an_edge_and_removed(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image)
    editor = edit(annotator)
    editor.click(150, 150)
    editor.drag((200, 150), (240, 150))
    editor.saved()
    points = Cell.objects.get().border["points"]
    assert len(points) == 5
    assert points[2] == pytest.approx([240, 150], abs=1)
    editor.page.keyboard.down("Alt")
    editor.click(240, 150)
    editor.page.keyboard.up("Alt")
    editor.saved()
    assert Cell.objects.get().border == SQUARE


def test_an_ellipse_is_moved_resized_and_turned_and_stays_one(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image, {"kind": "ellipse", "cx": 300, "cy": 200, "rx": 60, "ry": 40, "theta": 0})
    editor = edit(annotator)
    editor.click(300, 200)
    editor.drag((300, 200), (340, 220))
    editor.saved()
    border = Cell.objects.get().border
    assert [border["cx"], border["cy"]] == pytest.approx([340, 220], abs=1)
    editor.drag((400, 220), (420, 220))
    editor.saved()
    border = Cell.objects.get().border
    assert [border["cx"], border["rx"], border["ry"]] == pytest.approx([350, 70, 40], abs=1)
    resolution = float(str(editor.page.get_attribute("#editor", "data-view")).split()[0])
    editor.drag((420 + 22 * resolution, 220), (350, 330))
    editor.saved()
    border = Cell.objects.get().border
    assert border["kind"] == "ellipse"
    assert border["theta"] == pytest.approx(1.57, abs=0.05)


def test_clicks_never_change_a_border(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image)
    editor = edit(annotator)
    for x, y in [(150, 150), (200, 200), (150, 100), (101, 101), (150, 150), (300, 300), (100, 150)]:
        editor.click(x, y)
        # A trembling hand: less than four pixels is still a click.
        left, top = editor.at(x, y)
        editor.page.mouse.move(left, top)
        editor.page.mouse.down()
        editor.page.mouse.move(left + 2, top + 1)
        editor.page.mouse.up()
    editor.saved()
    cell = Cell.objects.get()
    assert (cell.border, cell.version) == (SQUARE, 1)


def test_delete_undo_redo_also_after_saves(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image)
    editor = edit(annotator)
    editor.click(150, 150)
    editor.press("ArrowRight", "ArrowRight", "Shift+ArrowDown")
    editor.saved()
    assert Cell.objects.get().border["points"][0] == [102, 110]
    editor.press("Delete")
    editor.rows(0)
    editor.saved()
    assert Cell.objects.get().status == "deleted"
    editor.press("Control+z")
    editor.rows(1)
    editor.saved()
    assert (Cell.objects.get().status, Cell.objects.get().border["points"][0]) == ("confirmed", [102, 110])
    editor.press("Control+z", "Control+z", "Control+z")
    editor.saved()
    assert Cell.objects.get().border == SQUARE
    editor.press("Control+y", "Control+y", "Control+y", "Control+Shift+z")
    editor.rows(0)
    editor.saved()
    cell = Cell.objects.get()
    assert (cell.status, cell.border["points"][0]) == ("deleted", [102, 110])


def test_a_number_key_labels_the_selected_cell(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image)
    editor = edit(annotator)
    editor.press("1")
    assert not CellLabel.objects.exists()
    editor.click(150, 150)
    editor.press("1", "9")
    editor.title("Myeloblast, Auer rod")
    editor.saved()
    names = set(CellLabel.objects.values_list("label__name", "annotator__username"))
    assert names == {("Myeloblast", "anna"), ("Auer rod", "anna")}
    editor.press("2")
    editor.title("Promyelocyte, Auer rod")
    editor.page.locator("#labels").get_by_role("button", name="Auer rod").click()
    editor.title("Promyelocyte")
    editor.saved()
    assert list(CellLabel.objects.values_list("label__name", flat=True)) == ["Promyelocyte"]


def test_proposals_are_accepted_rejected_and_taken_back(image: SmearImage, annotator: User, edit: Any) -> None:
    first, second, third = propose(image, 100, 100), propose(image, 300, 100), propose(image, 500, 100)
    editor = edit(annotator)
    editor.click(100, 100)
    editor.title("Proposal 0.83")
    editor.press("Enter")
    editor.saved()
    # The nearest open proposal is selected next.
    editor.press("Delete")
    editor.saved()
    assert Cell.objects.get(pk=first.pk).status == "confirmed"
    assert Cell.objects.get(pk=second.pk).status == "deleted"
    editor.drag((500, 100), (500, 200))
    editor.saved()
    moved = Cell.objects.with_correction().get(pk=third.pk)
    assert (moved.status, moved.correction) == ("confirmed", "moved")
    editor.press("Control+z")
    editor.saved()
    back = Cell.objects.get(pk=third.pk)
    assert (back.status, back.border) == ("proposed", back.proposed_border)
    editor.press("Control+z", "Control+z")
    editor.saved()
    assert set(Cell.objects.values_list("status", flat=True)) == {"proposed"}
    editor.press("Shift+Enter")
    editor.saved()
    assert set(Cell.objects.values_list("status", flat=True)) == {"confirmed"}


def test_offline_work_is_saved_when_the_connection_is_back(
    image: SmearImage, annotator: User, edit: Any, console: Any
) -> None:
    console.expect("ERR_INTERNET_DISCONNECTED")
    editor = edit(annotator)
    context = editor.page.context
    context.set_offline(True)
    editor.polygon((100, 100), (180, 110), (170, 200))
    editor.press("1")
    status = editor.page.locator("#save-status")
    expect(status).to_contain_text("Failed – retrying")
    assert not Cell.objects.exists()
    context.set_offline(False)
    editor.saved()
    assert Cell.objects.get().labels.get().label.name == "Myeloblast"


def test_what_could_not_be_saved_survives_a_reload(image: SmearImage, annotator: User, edit: Any, console: Any) -> None:
    console.expect("ERR_FAILED|Failed to load resource")
    editor = edit(annotator)
    address = f"**/api/v1/images/{image.pk}/operations/"
    editor.page.route(address, lambda route: route.abort())
    editor.polygon((100, 100), (180, 110), (170, 200))
    expect(editor.page.locator("#save-status")).to_contain_text("Failed")
    asked = []
    editor.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    editor.page.unroute(address)
    editor.page.reload()
    again = EditorPage(editor.page)
    again.rows(1)
    again.saved()
    assert Cell.objects.count() == 1
    assert asked == ["beforeunload"]


def test_an_image_is_marked_as_annotated_and_the_next_one_opened(
    image: SmearImage, annotator: User, edit: Any, make_image: Any, console: Any
) -> None:
    console.expect("409")
    following = make_image(image.study, seed=9)
    propose(image, 100, 100)
    editor = edit(annotator)
    editor.page.get_by_role("button", name="Mark as annotated").click()
    dialog = editor.page.locator("#remaining")
    expect(dialog).to_contain_text("One proposal is neither accepted nor rejected.")
    dialog.get_by_role("button", name="Reject them").click()
    expect(editor.page.locator("#image-state")).to_have_text("Annotated")
    editor.rows(0)
    image.refresh_from_db()
    assert image.state == "annotated"
    assert Cell.objects.get().status == "deleted"
    editor.press("n")
    editor.page.wait_for_url(f"**/images/{following.pk}/")
    EditorPage(editor.page)
    editor.press("p")
    editor.page.wait_for_url(f"**/images/{image.pk}/")


def test_a_reviewed_image_is_read_only(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image)
    SmearImage.objects.filter(pk=image.pk).update(state="reviewed")
    editor = edit(annotator)
    editor.click(150, 150)
    editor.press("Delete", "w", "1", "ArrowRight")
    editor.rows(1)
    expect(editor.page.locator("#hint")).to_contain_text("reviewed")
    assert Cell.objects.get().version == 1


def test_help_shows_the_keys_and_the_labels(image: SmearImage, annotator: User, edit: Any) -> None:
    editor = edit(annotator)
    editor.press("F1")
    dialog = editor.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Draw a polygon")
    expect(dialog).to_contain_text("Auer rod")
    editor.press("Escape")
    expect(dialog).to_be_hidden()


def test_who_may_open_it(image: SmearImage, outsider: User, page_of: Any, client_of: Any, console: Any) -> None:
    assert client_of(outsider).get(f"/images/{image.pk}/").status_code == 404
    page = page_of(None, f"/images/{image.pk}/")
    assert "/sign-in/" in page.url
