"""Keys: what they do, how a person binds them otherwise, and what the database keeps of that."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Locator, expect

from annotation.models import Cell, CellLabel, KeyBindings, SmearImage, Study
from tests.browser.cells import SQUARE, draw, propose
from tests.browser.editor_page import EditorPage

pytestmark = pytest.mark.django_db(transaction=True)


def row(editor: EditorPage, command: str) -> Locator:
    return editor.page.locator(f'#help .key-row[data-command="{command}"]')


def caps(editor: EditorPage, command: str) -> list[str]:
    return row(editor, command).locator(".key-cap:not(.key-add)").all_text_contents()


def test_no_two_commands_share_a_key_and_all_are_listed(image: SmearImage, annotator: User, edit: Any) -> None:
    editor = edit(annotator)
    editor.press("F1")
    rows = editor.page.locator("#help .key-row[data-command]")
    commands = [each.get_attribute("data-command") for each in rows.all()]
    assert len(commands) == len(set(commands)) > 25
    shown = [cap for command in commands for cap in caps(editor, str(command))]
    assert len(shown) == len(set(shown))
    # A usual key that another command holds already would be missing here.
    assert all(caps(editor, str(command)) for command in commands)
    buttons = editor.page.locator("#editor [data-command]").all()
    assert {button.get_attribute("data-command") for button in buttons} <= set(commands) | {"accept"}


def test_the_dialog_is_searched(image: SmearImage, annotator: User, edit: Any) -> None:
    editor = edit(annotator)
    editor.press("?")
    search = editor.page.get_by_role("searchbox", name="Search keys")
    expect(search).to_be_focused()
    search.fill("undo")
    expect(row(editor, "undo")).to_be_visible()
    expect(row(editor, "polygon")).to_be_hidden()
    search.fill("auer")
    expect(editor.page.locator("#help .key-row:visible")).to_have_text(["Auer rod9"])
    search.fill("there is no such thing")
    expect(editor.page.locator("#help [data-note]")).to_contain_text("No key")


def test_a_key_is_bound_otherwise_and_goes_with_the_person(image: SmearImage, annotator: User, edit: Any) -> None:
    editor = edit(annotator)
    editor.press("F1")
    row(editor, "ellipse").click()
    with editor.page.expect_response("**/me/keys/"):
        editor.press("F9")
    assert caps(editor, "ellipse") == ["F9"]
    assert KeyBindings.objects.get(user=annotator).keys == {"ellipse": ["F9"]}
    button = editor.page.locator('.toolbar [data-command="ellipse"]')
    expect(button).to_have_attribute("title", "Draw an ellipse (F9)")
    editor.press("Escape")
    expect(editor.page.locator("#help")).to_be_hidden()
    # The same person at another machine.
    again = edit(annotator)
    again.press("e")
    expect(again.page.locator("#map")).to_have_attribute("data-tool", "select")
    again.press("F9")
    expect(again.page.locator("#map")).to_have_attribute("data-tool", "ellipse")
    again.press("F1")
    again.page.get_by_role("button", name="Draw an ellipse: the usual key again").click()
    assert caps(again, "ellipse") == ["E"]
    expect(again.page.locator("#help [data-reset]")).to_be_disabled()
    again.page.wait_for_load_state("networkidle")
    assert KeyBindings.objects.get(user=annotator).keys == {}


def test_a_clash_is_told_and_taken_over_or_left(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image)
    editor = edit(annotator)
    editor.press("F1")
    row(editor, "polygon").click()
    editor.press("e")
    question = editor.page.locator("#help .key-ask")
    expect(question).to_contain_text("E is taken: “Draw an ellipse”")
    question.get_by_role("button", name="Leave it").click()
    assert (caps(editor, "polygon"), caps(editor, "ellipse")) == (["W"], ["E"])
    row(editor, "polygon").click()
    editor.press("e")
    with editor.page.expect_response("**/me/keys/"):
        question.get_by_role("button", name="Use it here").click()
    assert (caps(editor, "polygon"), caps(editor, "ellipse")) == (["E"], [])
    assert KeyBindings.objects.get(user=annotator).keys == {"polygon": ["e"], "ellipse": []}
    # The number of a label, and a second key for a command.
    row(editor, "polygon").hover()
    row(editor, "polygon").locator(".key-add").click()
    editor.press("2")
    expect(question).to_contain_text("sets the label “Promyelocyte”")
    with editor.page.expect_response("**/me/keys/"):
        question.get_by_role("button", name="Use it here").click()
    editor.press("Escape")
    editor.click(150, 150)
    editor.press("2")
    expect(editor.page.locator("#map")).to_have_attribute("data-tool", "polygon")
    assert not CellLabel.objects.exists()
    numbers = editor.page.locator("#labels kbd")
    expect(numbers.filter(has_text="2")).to_be_hidden()
    expect(numbers.filter(has_text="3")).to_be_visible()
    editor.press("F1")
    with editor.page.expect_response("**/me/keys/"):
        editor.page.get_by_role("button", name="All usual keys").click()
    assert (caps(editor, "polygon"), caps(editor, "ellipse")) == (["W"], ["E"])
    assert KeyBindings.objects.get(user=annotator).keys == {}


def test_keys_of_the_browser_and_escape(image: SmearImage, annotator: User, edit: Any) -> None:
    editor = edit(annotator)
    editor.press("F1")
    row(editor, "fit").click()
    editor.page.evaluate("""dispatchEvent(new KeyboardEvent("keydown", {key: "w", ctrlKey: true}))""")
    question = editor.page.locator("#help .key-ask")
    expect(question).to_contain_text("The browser keeps Ctrl+W for itself")
    editor.press("Control+f")
    expect(question).to_contain_text("In the browser Ctrl+F searches the page")
    editor.press("Escape")
    expect(question).to_have_count(0)
    expect(editor.page.locator("#help")).to_be_visible()
    assert caps(editor, "fit") == ["="]
    assert not KeyBindings.objects.exists()


def test_keys_that_cannot_be_saved_hold_and_are_saved_later(
    image: SmearImage, annotator: User, edit: Any, console: Any
) -> None:
    console.expect("ERR_FAILED|Failed to load resource")
    editor = edit(annotator)
    editor.page.route("**/me/keys/", lambda route: route.abort())
    editor.press("F1")
    row(editor, "fit").click()
    editor.press("F9")
    note = editor.page.locator("#help [data-note]")
    expect(note).to_contain_text("not saved")
    editor.page.unroute("**/me/keys/")
    with editor.page.expect_response("**/me/keys/"):
        note.get_by_role("button", name="Try again").click()
    assert KeyBindings.objects.get(user=annotator).keys == {"fit": ["F9"]}


def test_space_opens_the_labels_and_pans_while_held(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image)
    editor = edit(annotator)
    editor.click(150, 150)
    editor.press("Space")
    first = editor.page.locator("#labels .label-button").first
    expect(first).to_be_focused()
    editor.press("ArrowDown", "Enter")
    editor.title("Promyelocyte")
    editor.press("Escape")
    expect(editor.page.locator("#map")).to_be_focused()
    editor.saved()
    assert Cell.objects.get().border == SQUARE
    assert CellLabel.objects.get().label.name == "Promyelocyte"
    before = editor.page.get_attribute("#editor", "data-view")
    editor.page.keyboard.down(" ")
    editor.drag((150, 150), (250, 200))
    editor.page.keyboard.up(" ")
    expect(editor.page.locator("#map")).to_be_focused()
    expect(editor.page.locator("#editor")).not_to_have_attribute("data-view", str(before))
    editor.saved()
    assert Cell.objects.get().border == SQUARE


def test_numbers_set_labels_with_ctrl_too(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image)
    editor = edit(annotator)
    editor.click(150, 150)
    editor.press("Control+3")
    editor.title("Myelocyte")
    editor.press("Control+9")
    editor.title("Myelocyte, Auer rod")
    editor.saved()
    assert set(CellLabel.objects.values_list("label__name", flat=True)) == {"Myelocyte", "Auer rod"}


def test_h_shows_the_image_alone(image: SmearImage, annotator: User, edit: Any) -> None:
    propose(image, 300, 300)
    draw(image)
    editor = edit(annotator)
    pressed = editor.page.locator('.toolbar [data-command="borders"]')
    expect(pressed).to_have_attribute("aria-pressed", "true")
    editor.press("h")
    expect(editor.page.locator("#hint")).to_contain_text("The image alone")
    editor.press("h", "b")
    expect(pressed).to_have_attribute("aria-pressed", "false")
    editor.press("b")
    expect(pressed).to_have_attribute("aria-pressed", "true")
    # Hidden proposals are not clicked by mistake.
    editor.press("Shift+p")
    editor.click(300, 300)
    editor.title("No cell selected")
    editor.press("Shift+p")
    editor.click(300, 300)
    editor.title("Proposal 0.83")


def test_home_end_and_page_keys_jump_through_the_worklist(
    study: Study, image: SmearImage, annotator: User, edit: Any, make_image: Any
) -> None:
    images = [image, *(make_image(study, seed=seed, name=f"more-{seed}.png") for seed in range(3, 7))]
    editor = edit(annotator)
    for key, place in [("End", 4), ("PageUp", 2), ("Home", 0), ("PageDown", 2), ("n", 3)]:
        editor.press(key)
        editor.page.wait_for_selector(f'#editor[data-ready=true][data-image="{images[place].pk}"]')
        assert editor.page.url.endswith(f"/images/{images[place].pk}/")
    editor.press("End")
    editor.page.wait_for_selector(f'#editor[data-ready=true][data-image="{images[4].pk}"]')
    editor.press("End")
    expect(editor.page.locator("#hint")).to_have_text("This is the last image.")


def test_a_field_is_worked_through_without_a_mouse(image: SmearImage, annotator: User, edit: Any) -> None:
    first, second, third = propose(image, 100, 100), propose(image, 300, 100), propose(image, 500, 100)
    editor = edit(annotator)
    editor.press("Tab", "1", "Space")
    editor.page.keyboard.press("Tab")
    # Past the labels: how sure the first of them is.
    for _ in range(20):
        if editor.page.evaluate("document.activeElement.closest('.certainty') !== null"):
            break
        editor.press("Tab")
    editor.press("Enter", "Escape")
    expect(editor.page.locator("#map")).to_be_focused()
    editor.press("Enter", "ArrowRight", "Shift+ArrowDown", "Tab", "Delete", "Shift+Tab", "Shift+Tab")
    editor.saved()
    cells = {cell.pk: cell for cell in Cell.objects.all()}
    label = CellLabel.objects.get()
    assert (label.cell_id, label.label.name, label.confidence) == (first.pk, "Myeloblast", 1.0)
    assert cells[first.pk].status == "confirmed"
    assert cells[first.pk].border == first.border
    moved = cells[second.pk].border
    assert (moved["cx"], moved["cy"]) == (301, 110)
    assert cells[third.pk].status == "deleted"


def test_everything_has_a_name_for_a_screen_reader(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image)
    editor = edit(annotator)
    editor.click(150, 150)
    editor.press("1", "F1")
    nameless = editor.page.evaluate("""() =>
      [...document.querySelectorAll("button, input, select, textarea, a, [role]")]
      .filter((each) => !(each.ariaLabel || each.labels?.[0]?.textContent || each.textContent).trim()
        && !each.getAttribute("aria-labelledby") && !["presentation", "status", "alert"].includes(each.role)
        && each.type !== "hidden")
      .map((each) => each.outerHTML.slice(0, 120))""")
    assert nameless == []
