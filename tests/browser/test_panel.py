"""The panel: the list of cells, labels with how sure they are, and texts; and what the database holds of them."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from annotation.models import Cell, CellLabel, CellText, Label, SmearImage, TextAttribute
from tests.browser.cells import draw, propose
from tests.browser.editor_page import EditorPage

pytestmark = pytest.mark.django_db(transaction=True)


def circle(image: SmearImage, cx: float, cy: float, r: float, label: str = "", user: User | None = None) -> Cell:
    cell = draw(image, {"kind": "circle", "cx": cx, "cy": cy, "r": r})
    if label:
        found = Label.objects.get(group__study=image.study, name=label)
        CellLabel.objects.create(cell=cell, label=found, annotator=user)
    return cell


def names(editor: EditorPage) -> list[str]:
    return editor.page.locator("#cell-list .cell-name").all_text_contents()


def test_how_sure_a_label_is(image: SmearImage, annotator: User, edit: Any) -> None:
    circle(image, 150, 150, 40)
    circle(image, 400, 150, 40)
    editor = edit(annotator)
    editor.click(150, 150)
    editor.press("1", "9")
    certainty = editor.page.locator("#certainty")
    certainty.get_by_role("group", name="How sure: Myeloblast").get_by_role("button", name="likely").click()
    editor.saved()
    assert dict(CellLabel.objects.values_list("label__name", "confidence")) == {"Myeloblast": 0.7, "Auer rod": None}
    # One key for all labels of the cell, step by step.
    editor.press("Shift+c")
    editor.saved()
    assert set(CellLabel.objects.values_list("confidence", flat=True)) == {0.4}
    editor.press("Control+z", "Control+z")
    editor.saved()
    assert set(CellLabel.objects.values_list("confidence", flat=True)) == {None}
    editor.press("Control+y")
    likely = certainty.get_by_role("group", name="Myeloblast").get_by_role("button", name="likely")
    expect(likely).to_have_attribute("aria-pressed", "true")
    # Another choice in the group takes the certainty of the first with it.
    editor.press("2")
    editor.saved()
    assert dict(CellLabel.objects.values_list("label__name", "confidence")) == {"Promyelocyte": None, "Auer rod": None}
    # Several cells: what they do not share is mixed, and set for all at once.
    editor.press("a")
    button = editor.page.locator("#labels").get_by_role("button", name="Auer rod")
    expect(button).to_have_attribute("aria-pressed", "mixed")
    expect(certainty).to_be_hidden()
    button.click()
    certainty.get_by_role("group", name="Auer rod").get_by_role("button", name="unsure").click()
    editor.saved()
    auer = CellLabel.objects.filter(label__name="Auer rod")
    assert list(auer.values_list("confidence", flat=True)) == [0.4, 0.4]


def test_texts_are_kept_on_enter_and_on_leaving(image: SmearImage, annotator: User, edit: Any) -> None:
    TextAttribute.objects.get_or_create(study=image.study, name="Remark")
    first, second = circle(image, 150, 150, 40), circle(image, 400, 150, 40)
    editor = edit(annotator)
    editor.click(150, 150)
    field = editor.page.get_by_label("Remark")
    field.fill("two nuclei")
    # Keys are letters in a field.
    field.press("d")
    field.press("Enter")
    expect(editor.page.locator("#map")).to_be_focused()
    editor.saved()
    assert CellText.objects.get().text == "two nucleid"
    assert (CellText.objects.get().cell_id, CellText.objects.get().annotator) == (first.pk, annotator)
    field.fill("given up")
    field.press("Escape")
    expect(field).to_have_value("two nucleid")
    # Selecting another cell leaves the field: what was written belongs to the cell before.
    field.fill("vacuoles")
    editor.click(400, 150)
    expect(field).to_have_value("")
    editor.saved()
    assert dict(CellText.objects.values_list("cell_id", "text")) == {first.pk: "vacuoles"}
    editor.press("Control+z")
    editor.saved()
    assert CellText.objects.get().text == "two nucleid"
    editor.press("a")
    expect(field).to_have_attribute("placeholder", "different texts")
    field.fill("both")
    field.press("Enter")
    editor.saved()
    assert dict(CellText.objects.values_list("cell_id", "text")) == {first.pk: "both", second.pk: "both"}
    field.fill("")
    field.press("Enter")
    editor.saved()
    assert not CellText.objects.exists()


def test_the_list_is_filtered_and_sorted(image: SmearImage, annotator: User, edit: Any) -> None:
    circle(image, 500, 100, 20, "Myeloblast", annotator)
    circle(image, 100, 100, 40, "Promyelocyte", annotator)
    circle(image, 300, 300, 30)
    propose(image, 300, 100, score=0.9)
    propose(image, 100, 300, score=0.6)
    editor = edit(annotator)
    editor.rows(5)
    assert names(editor) == ["Proposal 0.90", "Proposal 0.60", "Promyelocyte", "Myeloblast", "Unlabelled cell"]
    part = editor.page.locator("#cells")
    order, status = part.get_by_label("Order of the list"), part.get_by_label("Which cells are listed")
    order.select_option("By size")
    expect(part.locator(".cell-name").first).to_have_text("Promyelocyte")
    order.select_option("By score")
    expect(part.locator(".cell-name").first).to_have_text("Proposal 0.60")
    order.select_option("By label")
    expect(part.locator(".cell-name").first).to_have_text("Myeloblast")
    order.select_option("As drawn")
    expect(part.locator(".cell-name").nth(1)).to_have_text("Promyelocyte")
    status.select_option("Unlabelled")
    editor.rows(3)
    expect(part.locator("[data-counts]")).to_have_text("3 of 5 shown")
    status.select_option("Promyelocyte")
    editor.rows(1)
    status.select_option("All")
    part.locator("[data-search]").fill("myelo")
    editor.rows(2)
    part.locator("[data-search]").fill("basophil")
    editor.rows(0)
    # The order is how a person likes it, the filter is for now.
    again = edit(annotator)
    again.rows(5)
    expect(again.page.get_by_label("Order of the list")).to_have_value("open")
    editor.page.reload()
    expect(editor.page.get_by_label("Order of the list")).to_have_value("drawn")


def test_the_next_cell_is_that_of_the_list(image: SmearImage, annotator: User, edit: Any) -> None:
    circle(image, 500, 100, 20, "Myeloblast", annotator)
    circle(image, 100, 100, 40, "Promyelocyte", annotator)
    circle(image, 300, 300, 30, "Myeloblast", annotator)
    editor = edit(annotator)
    part = editor.page.locator("#cells")
    part.get_by_label("Order of the list").select_option("By size")
    part.get_by_label("Which cells are listed").select_option("Myeloblast")
    editor.rows(2)
    editor.page.locator("#map").focus()
    facts = editor.page.locator("#selected [data-facts]")
    editor.press("Tab")
    expect(facts).to_contain_text("6.0 × 6.0 µm")
    editor.press("Tab")
    expect(facts).to_contain_text("4.0 × 4.0 µm")
    editor.press(",")
    expect(facts).to_contain_text("diameter 6.0 µm, perimeter 18.8 µm")


def test_a_cell_keeps_its_row_until_one_goes_on(image: SmearImage, annotator: User, edit: Any) -> None:
    for i in range(4):
        circle(image, 80 + 110 * i, 100, 30)
    editor = edit(annotator)
    part = editor.page.locator("#cells")
    part.get_by_label("Which cells are listed").select_option("Unlabelled")
    editor.page.locator("#map").focus()
    # Through the unlabelled cells: each leaves the list when the next one is reached.
    editor.press("Tab", "Tab", "1")
    editor.title("Myeloblast")
    editor.rows(4)
    editor.press("Tab", "2")
    editor.rows(3)
    editor.press("Tab", "3", "Shift+Tab")
    editor.rows(1)
    editor.saved()
    assert [cell.labels.get().label.name if cell.labels.exists() else "" for cell in Cell.objects.order_by("x0")] == [
        "",
        "Myeloblast",
        "Promyelocyte",
        "Myelocyte",
    ]


def test_list_and_image_keep_step_and_the_arrows_move_no_border(image: SmearImage, annotator: User, edit: Any) -> None:
    for i in range(5):
        circle(image, 80 + 110 * i, 100, 30 + i)
    editor = edit(annotator)
    listbox = editor.page.get_by_role("listbox", name="Cells")
    rows = listbox.get_by_role("option")
    editor.click(80 + 110 * 2, 100)
    expect(rows.nth(2)).to_have_attribute("aria-selected", "true")
    rows.nth(0).click()
    expect(editor.page.locator("#selected [data-facts]")).to_contain_text("6.0 × 6.0 µm")
    rows.nth(2).click(modifiers=["Shift"])
    editor.title("3 cells selected")
    rows.nth(1).click(modifiers=["Control"])
    editor.title("2 cells selected")
    listbox.focus()
    editor.press("Home", "ArrowDown")
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")
    expect(rows.nth(0)).to_have_attribute("aria-selected", "false")
    active = rows.nth(1).get_attribute("id")
    expect(listbox).to_have_attribute("aria-activedescendant", str(active))
    editor.press("Shift+ArrowDown", "Shift+ArrowDown")
    editor.title("3 cells selected")
    editor.press("End")
    expect(rows.nth(4)).to_have_attribute("aria-posinset", "5")
    expect(rows.nth(4)).to_have_attribute("aria-selected", "true")
    # Other keys do in the list what they do in the image.
    editor.press("3", "Delete")
    editor.rows(4)
    editor.saved()
    assert Cell.objects.filter(status="deleted").get().labels.get().label.name == "Myelocyte"
    assert set(Cell.objects.filter(status="confirmed").values_list("version", flat=True)) == {1}


def test_parts_and_the_panel_fold_and_stay_so(image: SmearImage, annotator: User, edit: Any) -> None:
    circle(image, 150, 150, 40)
    editor = edit(annotator)
    page = editor.page
    page.locator('[data-part="labels"] > summary').click()
    expect(page.locator("#labels")).to_be_hidden()
    page.reload()
    editor = EditorPage(page)
    expect(page.locator("#labels")).to_be_hidden()
    editor.press("i")
    expect(page.locator(".panel")).to_be_hidden()
    page.reload()
    editor = EditorPage(page)
    expect(page.locator(".panel")).to_be_hidden()
    # What leads into the panel opens it.
    editor.click(150, 150)
    editor.press("Space")
    expect(page.locator("#labels .label-button").first).to_be_focused()
    editor.press("Escape", "/")
    expect(page.locator("#cells [data-search]")).to_be_focused()


@pytest.mark.parametrize("size", [(1280, 800), (2560, 1440)])
def test_everything_has_room(size: tuple[int, int], image: SmearImage, annotator: User, edit: Any) -> None:
    for i in range(5):
        circle(image, 80 + 110 * i, 100, 30)
    editor = edit(annotator, viewport={"width": size[0], "height": size[1]})
    editor.click(80, 100)
    editor.press("1", "9")
    expect(editor.page.locator("#certainty .certainty")).to_have_count(2)
    box = editor.page.locator(".cell-scroll").bounding_box()
    assert box and box["height"] >= 4 * 26
    panel = editor.page.locator(".panel")
    assert panel.evaluate("panel => panel.scrollHeight <= panel.clientHeight && panel.scrollWidth <= panel.clientWidth")
