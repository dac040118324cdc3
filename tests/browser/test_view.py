"""How the image is shown: brightness and channels, the overview, what lies over it. None of it changes data."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from annotation.models import Cell, SmearImage, Study
from tests.browser.cells import SQUARE, draw, propose
from tests.browser.editor_page import EditorPage

pytestmark = pytest.mark.django_db(transaction=True)

# The colour in the middle of the window's map, of all layers together: [red, green, blue].
MIDDLE = """() => {
  const size = document.getElementById("map").getBoundingClientRect();
  const out = document.createElement("canvas");
  out.width = out.height = 1;
  const context = out.getContext("2d");
  for (const canvas of document.querySelectorAll("#map canvas")) {
    const scale = canvas.width / size.width;
    context.drawImage(canvas, scale * size.width / 2, scale * size.height / 2, 1, 1, 0, 0, 1, 1);
  }
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
}"""


def settled(page: Page) -> list[int]:
    page.wait_for_timeout(150)
    return list(page.evaluate(MIDDLE))


def adjusted(page: Page, setting: str) -> list[int]:
    page.wait_for_function("text => document.getElementById('editor').dataset.adjusted?.includes(text)", arg=setting)
    return settled(page)


def test_brightness_and_channels_change_what_is_seen_and_nothing_else(
    image: SmearImage, annotator: User, edit: Any, make_image: Any
) -> None:
    make_image(image.study, seed=5, name="next.png")
    draw(image)
    editor = edit(annotator)
    page = editor.page
    original = settled(page)
    page.locator("#view > summary").click()
    page.get_by_label("Channel").select_option("Green")
    assert adjusted(page, '"green"') == pytest.approx([original[1]] * 3, abs=2)
    page.get_by_label("Brightness").fill("100")
    brighter = adjusted(page, '"brightness":100')
    assert brighter[0] == brighter[1] == brighter[2] > original[1] + 100
    # Compared with the image as it is, and back.
    page.locator("#map").focus()
    editor.press("z")
    page.wait_for_function("() => !document.getElementById('editor').dataset.adjusted")
    assert settled(page) == original
    editor.press("z")
    assert adjusted(page, '"brightness":100') == brighter
    # It stays while one goes through the images, and for the next visit.
    editor.press("n")
    page.wait_for_selector(f"#editor[data-ready=true]:not([data-image='{image.pk}'])")
    adjusted(page, '"brightness":100')
    editor.press("p")
    page.wait_for_selector(f"#editor[data-ready=true][data-image='{image.pk}']")
    assert adjusted(page, '"brightness":100') == brighter
    page.reload()
    again = EditorPage(page)
    assert adjusted(page, '"brightness":100') == brighter
    again.press("Shift+z")
    page.wait_for_function("() => !document.getElementById('editor').dataset.adjusted")
    assert settled(page) == original
    again.saved()
    assert (Cell.objects.get().border, Cell.objects.get().version) == (SQUARE, 1)


def test_each_channel_of_the_menu_is_grey_but_colour(image: SmearImage, annotator: User, edit: Any) -> None:
    editor = edit(annotator)
    seen = []
    for name in ("red", "green", "blue", "grey", "nuclear"):
        editor.press("Shift+v")
        red, green, blue = adjusted(editor.page, f'"{name}"')
        assert red == green == blue
        seen.append(red)
    assert len(set(seen)) > 2
    editor.press("Shift+v")
    expect(editor.page.get_by_label("Channel")).to_have_value("colour")


def test_a_large_image_is_adjusted_without_holding_up_the_page(
    study: Study, annotator: User, make_image: Any, page_of: Any
) -> None:
    large = make_image(study, width=2560, height=1920, seed=3, name="large.png")
    page = page_of(annotator, f"/images/{large.pk}/")
    editor = EditorPage(page)
    editor.press("Shift+v")
    adjusted(page, '"red"')
    page.evaluate("""() => { window.blocked = [];
      new PerformanceObserver((list) => window.blocked.push(...list.getEntries().map((each) => each.duration)))
        .observe({ type: "longtask" }); }""")
    editor.press("Shift+v")
    adjusted(page, '"green"')
    # The pixels are worked on beside the page. What is left here is the browser's drawing of 5 million of them.
    assert max(page.evaluate("() => window.blocked"), default=0) < 400


def test_the_overview_shows_where_one_is_and_leads_elsewhere(image: SmearImage, annotator: User, edit: Any) -> None:
    editor = edit(annotator)
    page = editor.page
    overview = page.locator("#minimap")
    expect(overview).to_be_hidden()
    editor.press("+", "+", "+")
    expect(overview).to_be_visible()
    expect(overview.locator("img")).to_have_js_property("complete", True)
    assert overview.locator("img").evaluate("picture => picture.naturalWidth") > 100
    box = overview.bounding_box()
    assert box and box["width"] / box["height"] == pytest.approx(640 / 480, rel=0.03)
    page.wait_for_timeout(300)
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 3 / 4, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    page.wait_for_timeout(200)
    _, x, y = map(float, str(page.get_attribute("#editor", "data-view")).split())
    assert (x, y) == (pytest.approx(480, abs=8), pytest.approx(240, abs=8))
    frame = overview.locator("[data-frame]").bounding_box()
    assert frame
    assert frame["x"] + frame["width"] / 2 > box["x"] + box["width"] / 2
    editor.press("Shift+m")
    expect(overview).to_be_hidden()
    page.reload()
    editor = EditorPage(page)
    editor.press("+", "+", "+", "Shift+m")
    expect(overview).to_be_visible()
    page.set_viewport_size({"width": 860, "height": 700})
    expect(overview).to_be_hidden()


def test_proposals_or_confirmed_cells_are_hidden_and_not_hit(image: SmearImage, annotator: User, edit: Any) -> None:
    # Beside the middle of the image, so that their lower right edges cross it.
    propose(image, 320 - 40, 240)
    draw(image, {"kind": "circle", "cx": 320, "cy": 240 + 50, "r": 50})
    editor = edit(annotator)
    editor.press("Shift+b")
    editor.click(320, 290)
    editor.title("No cell selected")
    editor.click(280, 240)
    editor.title("Proposal 0.83")
    editor.press("Escape", "Shift+p", "Shift+b")
    editor.click(270, 235)
    editor.title("No cell selected")
    editor.click(320, 290)
    editor.title("Unlabelled cell")
    expect(editor.page.locator('#view [data-command="proposals"]')).to_have_attribute("aria-pressed", "false")


def test_h_hides_all_while_it_is_held(image: SmearImage, annotator: User, edit: Any) -> None:
    draw(image, {"kind": "circle", "cx": 270, "cy": 240, "r": 50})
    editor = edit(annotator)
    page = editor.page
    with_border = settled(page)
    page.keyboard.down("h")
    bare = settled(page)
    page.wait_for_timeout(400)
    page.keyboard.up("h")
    assert settled(page) == with_border != bare
    editor.press("h")
    assert settled(page) == bare
    editor.press("h")
    assert settled(page) == with_border
