"""The gallery as a test handles it: tiles by their place, actions are those of a person."""

from typing import Any

from playwright.sync_api import Locator, Page, expect


class GalleryPage:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.ready()

    def ready(self) -> None:
        self.page.wait_for_selector("#gallery[data-ready=true]")
        expect(self.page.locator("#save-status")).to_have_attribute("data-status", "saved")

    def count(self, number: int) -> None:
        expect(self.page.locator("#gallery-count")).to_have_text("1 cell" if number == 1 else f"{number} cells")

    def tile(self, place: int) -> Locator:
        return self.page.locator(f".tile[data-place='{place}']")

    def known(self) -> None:
        """Until what is in view is described and pictured."""
        expect(self.page.locator(".tile img[hidden]")).to_have_count(0)
        expect(self.page.locator(".tile[aria-label='Not known yet']")).to_have_count(0)

    def click(self, place: int, **options: Any) -> None:
        self.tile(place).click(position={"x": 40, "y": 40}, **options)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def selected(self, number: int) -> None:
        chosen = self.page.locator("#gallery-chosen")
        if number:
            expect(chosen).to_contain_text(f"{number} selected")
        else:
            expect(chosen).to_be_hidden()

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """From one point of the window to another."""
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move(*end, steps=5)
        self.page.mouse.up()

    def middle(self, what: Locator) -> tuple[float, float]:
        box = what.bounding_box()
        assert box
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def saved(self) -> None:
        expect(self.page.locator(".tile.is-unsaved")).to_have_count(0)
        expect(self.page.locator("#save-status")).to_have_attribute("data-status", "saved")

    def said(self, text: str) -> None:
        """What is labelled is told once it is known which cells those are, and only then on its way."""
        expect(self.page.locator("#hint")).to_contain_text(text)

    def choose(self, name: str, option: str) -> None:
        self.page.get_by_label(name, exact=True).select_option(label=option)
        self.ready()

    def class_count(self, name: str, number: int) -> None:
        row = self.page.locator(".class-row", has_text=name)
        expect(row.locator(".class-count")).to_have_text(str(number))
