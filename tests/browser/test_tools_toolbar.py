"""The toolbar: all of it in reach, named, with its keys, walked through by arrow keys; and what needs no mouse."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from annotation.models import Cell, SmearImage
from tests.browser.cells import draw, propose, square

pytestmark = pytest.mark.django_db(transaction=True)

TOOLS = {
    "q": "select",
    "w": "polygon",
    "e": "ellipse",
    "o": "circle",
    "r": "rectangle",
    "x": "point",
    "t": "reshape",
    "u": "brush",
    "k": "split",
    "g": "region",
}


def test_every_tool_has_a_key_a_button_a_picture_and_a_hint(image: SmearImage, annotator: User, edit: Any) -> None:
    editor = edit(annotator)
    hints = set()
    for key, name in TOOLS.items():
        editor.press(key)
        button = editor.page.locator(f'.toolbar [data-command="{name}"]')
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(editor.page.locator('.toolbar [data-tool-button][aria-pressed="true"]')).to_have_count(1)
        assert f"({key.upper()})" in str(button.get_attribute("title"))
        hints.add(editor.page.locator("#hint").inner_text())
    assert len(hints) == len(TOOLS)
    pictures = editor.page.evaluate(
        """async () => {
            const uses = [...document.querySelectorAll(".toolbar use")].map((use) => use.getAttribute("href"));
            const text = await (await fetch(uses[0].split("#")[0])).text();
            return uses.filter((href) => !text.includes(`id="${href.split("#")[1]}"`));
        }"""
    )
    assert pictures == []
    nameless = editor.page.locator(".toolbar button:not([aria-label])")
    expect(nameless).to_have_count(0)


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080), (1024, 700)])
def test_every_button_is_in_reach(image: SmearImage, annotator: User, edit: Any, size: tuple[int, int]) -> None:
    editor = edit(annotator, viewport={"width": size[0], "height": size[1]})
    lowest = max(
        box["y"] + box["height"]
        for box in (button.bounding_box() for button in editor.page.locator(".toolbar button").all())
        if box
    )
    assert lowest <= size[1]


def test_arrow_keys_walk_through_the_toolbar(image: SmearImage, annotator: User, edit: Any) -> None:
    cell = draw(image)
    editor = edit(annotator)
    editor.click(150, 150)
    editor.page.locator('.toolbar [data-command="select"]').focus()
    editor.press("ArrowDown", "ArrowRight")
    assert editor.page.evaluate("document.activeElement.dataset.command") == "ellipse"
    editor.press("ArrowUp", "Enter")
    expect(editor.page.locator("#editor")).to_have_attribute("data-tool", "polygon")
    stops = editor.page.locator('.toolbar button[tabindex="0"]')
    expect(stops).to_have_count(1)
    cell.refresh_from_db()
    assert cell.version == 1


def test_work_without_a_mouse(image: SmearImage, annotator: User, edit: Any) -> None:
    first, second = draw(image), draw(image, square(201, 100))
    third = propose(image, 400, 300)
    editor = edit(annotator)
    editor.page.locator("#map").focus()
    editor.press(".")
    editor.press("Escape", "a")
    editor.title("3 cells selected")
    editor.press("Escape", ".")
    for _ in range(3):
        if "Unlabelled" in editor.page.locator("#selected [data-title]").inner_text():
            break
        editor.press(".")
    editor.press("Shift+g", "m")
    editor.rows(2)
    editor.press("c", "v")
    editor.rows(3)
    editor.press("Shift+a")
    editor.page.keyboard.type("0.5")
    editor.press("Enter")
    editor.saved()
    third.refresh_from_db()
    assert third.status == "confirmed"
    assert sorted(Cell.objects.filter(pk__in=[first.pk, second.pk]).values_list("status", flat=True)) == [
        "confirmed",
        "deleted",
    ]
    editor.press("Control+z", "Control+z", "Control+z")
    editor.saved()
    assert Cell.objects.filter(pk__in=[first.pk, second.pk], status="confirmed").count() == 2


def test_the_next_image_does_not_open_while_a_border_is_half_drawn(
    image: SmearImage, annotator: User, edit: Any, make_image: Any
) -> None:
    make_image(image.study, width=64, height=48, seed=9)
    editor = edit(annotator)
    editor.press("w")
    for point in [(100, 100), (200, 100), (200, 200)]:
        editor.click(*point)
    editor.press("ArrowRight")
    editor.says("Finish the border first")
    editor.press("n")
    editor.rows(1)
    assert f"/images/{image.pk}/" in editor.page.url
    editor.press("Escape", "Escape", "n")
    editor.page.wait_for_url(lambda url: f"/images/{image.pk}/" not in url)
