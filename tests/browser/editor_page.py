"""The editor as a test handles it: places are image pixels, actions are those of a person."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page, expect


class EditorPage:
    def __init__(self, page: Page) -> None:
        self.page = page
        page.wait_for_selector("#editor[data-ready=true]")

    def at(self, x: float, y: float) -> tuple[float, float]:
        """An image point as a point of the window."""
        resolution, cx, cy = map(float, str(self.page.get_attribute("#editor", "data-view")).split())
        box = self.page.locator("#map").bounding_box()
        assert box
        return (
            box["x"] + box["width"] / 2 + (x - cx) / resolution,
            box["y"] + box["height"] / 2 + (y - cy) / resolution,
        )

    def click(self, x: float, y: float, **options: Any) -> None:
        self.page.mouse.click(*self.at(x, y), **options)

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 6) -> None:
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(*end), steps=steps)
        self.page.mouse.up()

    def stroke(self, *points: tuple[float, float], hold: str | None = None) -> None:
        """Press at the first point, go on through the others, let go at the last."""
        self.page.mouse.move(*self.at(*points[0]))
        with self.holding(hold):
            self.page.mouse.down()
            for point in points[1:]:
                self.page.mouse.move(*self.at(*point), steps=6)
            self.page.mouse.up()

    @contextmanager
    def holding(self, key: str | None) -> Iterator[None]:
        if key:
            self.page.keyboard.down(key)
        yield
        if key:
            self.page.keyboard.up(key)

    def says(self, text: str) -> None:
        expect(self.page.locator("#hint")).to_contain_text(text)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def polygon(self, *points: tuple[float, float]) -> None:
        self.press("w")
        for x, y in points:
            self.click(x, y)
        self.press("Enter")

    def saved(self) -> None:
        expect(self.page.locator("#save-status")).to_have_attribute("data-status", "saved")

    def title(self, text: str) -> None:
        expect(self.page.locator("#selected [data-title]")).to_have_text(text)

    def rows(self, count: int) -> None:
        expect(self.page.locator("#cell-list")).to_have_attribute("data-count", str(count))
