"""The cells of an image in three places: on the screen, in the browser's journal, in the database."""

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

from annotation.label_choice import choices_of
from annotation.models import Cell, SmearImage

_LOOK = """() => {
  const detail = {};
  document.querySelector("#editor").dispatchEvent(new CustomEvent("marrowloop-look", { detail }));
  return JSON.stringify(detail);
}"""

_JOURNAL = """() => new Promise((resolve, reject) => {
  const opening = indexedDB.open("marrowloop");
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {
    const asked = opening.result.transaction("operations").objectStore("operations").getAll();
    asked.onsuccess = () => {
      opening.result.close();
      resolve(JSON.stringify(asked.result.sort((a, b) => a.sequence - b.sequence)));
    };
  };
})"""

State = tuple[str, str, tuple[int, ...]]


def look(page: Page) -> Any:
    return json.loads(page.evaluate(_LOOK))


def on_screen(page: Page) -> dict[str, State]:
    """By cell its status, border and labels, as drawn."""
    return {cell["id"]: state_of(cell) for cell in look(page)["cells"]}


def journal(page: Page) -> list[dict[str, Any]]:
    """The operations that the browser keeps, oldest first."""
    return list(json.loads(page.evaluate(_JOURNAL)))


def in_database(image: SmearImage, user: Any) -> dict[str, State]:
    """By cell its status, border and the labels that hold for a user; deleted ones are left out, as on the screen."""
    cells = list(Cell.objects.shown().filter(image=image))
    choices = choices_of({cell.pk for cell in cells}, user.pk)
    return {
        str(cell.pk): state_of(
            {
                "status": cell.status,
                "border": cell.border,
                "labels": choices[cell.pk].labels if cell.pk in choices else [],
            }
        )
        for cell in cells
    }


def state_of(cell: dict[str, Any]) -> State:
    """Numbers to a twentieth of a pixel: the server rounds to a hundredth as it stores."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(each) for key, each in sorted(value.items())}
        if isinstance(value, list):
            return [plain(each) for each in value]
        if isinstance(value, int | float):
            return round(value * 20) / 20 + 0.0
        return value

    return cell["status"], json.dumps(plain(cell["border"])), tuple(sorted(cell["labels"]))


def eventually(page: Page, condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something holds, while the page goes on."""
    for _ in range(int(seconds * 10)):
        if condition():
            return
        page.wait_for_timeout(100)
    assert condition()
