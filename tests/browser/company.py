"""Two people at one image, as a test plays them."""

from annotation.models import Cell
from tests.browser.editor_page import EditorPage

# What others do is seen within two seconds; a machine with other work to do may take longer, and is not what is tested.
SOON = 15_000

PRESENCE = "**/api/v1/images/*/presence/"


def deaf(editor: EditorPage) -> None:
    """Hears nothing of the others from now on, as in the second before it does."""
    editor.page.route(PRESENCE, lambda route: route.fulfill(status=503, json={}))


def hearing(editor: EditorPage) -> None:
    editor.page.unroute(PRESENCE)


def corners() -> list[list[float]]:
    """The first points of the borders in the database."""
    return sorted(cell.border["points"][0] for cell in Cell.objects.exclude(status="deleted"))
