"""What people do in the gallery, and what the database holds afterwards."""

import re
from collections import Counter
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.utils import timezone
from playwright.sync_api import expect

from annotation.models import Cell, CellLabel, Label, Patient, SmearImage, Study
from inference.models import CellProbability, InteractiveHead
from tests.browser.cells import draw, square
from tests.browser.editor_page import EditorPage
from tests.browser.gallery_page import GalleryPage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cells(study: Study, make_image: Any) -> list[Cell]:
    """48 cells in two images, in the order "field by field"; the first five are labelled by an import."""
    patient = Patient.arrive(study, "P-7")
    images = [
        make_image(study, width=640, height=480, seed=n, um_per_pixel=0.1, patient=patient, name=f"blast_{n}.png")
        for n in (1, 2)
    ]
    made = [draw(image, square(20 + 70 * (n % 8), 20 + 70 * (n // 8), 60)) for image in images for n in range(24)]
    lymphocyte = Label.objects.get(group__study=study, name="Lymphocyte")
    for each in made[:5]:
        CellLabel.objects.create(cell=each, label=lymphocyte)
    return made


@pytest.fixture
def gallery(study: Study, cells: list[Cell], page_of: Any) -> Any:
    """gallery(user): the gallery, field by field, signed in as the user."""

    def make(user: User, asked: str = "?sort=field", **options: Any) -> GalleryPage:
        return GalleryPage(page_of(user, f"/studies/{study.pk}/gallery/{asked}", **options))

    return make


def labels() -> Counter[tuple[str, str | None]]:
    """How many cells have which label, by whom."""
    return Counter(CellLabel.objects.values_list("label__name", "annotator__username"))


def test_filter_select_thirty_label_by_key_and_undo(cells: list[Cell], annotator: User, gallery: Any) -> None:
    page = gallery(annotator)
    page.count(48)
    page.choose("Label", "No label")
    page.count(43)
    page.known()
    assert "blast_" not in page.page.content()
    page.click(0)
    page.click(29, modifiers=["Shift"])
    page.selected(30)
    page.press("2")
    expect(page.tile(29)).to_contain_text("Promyelocyte")
    page.saved()
    assert labels() == {("Promyelocyte", "anna"): 30, ("Lymphocyte", None): 5}
    page.class_count("Promyelocyte", 30)
    # What has been labelled stays in view until it is sorted anew.
    page.count(43)
    page.press("Control+z")
    expect(page.tile(29)).not_to_contain_text("Promyelocyte")
    page.saved()
    assert labels() == {("Lymphocyte", None): 5}
    page.press("Control+y")
    page.saved()
    assert labels()["Promyelocyte", "anna"] == 30
    # A mark is added to the type, another type takes its place.
    page.press("9", "1")
    page.saved()
    assert labels() == {("Myeloblast", "anna"): 30, ("Auer rod", "anna"): 30, ("Lymphocyte", None): 5}
    page.press("Escape")
    page.selected(0)
    page.press("r")
    page.count(13)


def test_select_by_a_box_and_drop_onto_a_class(cells: list[Cell], annotator: User, gallery: Any) -> None:
    page = gallery(annotator)
    page.known()
    first, last = page.tile(0).bounding_box(), page.tile(10).bounding_box()
    page.drag((first["x"] - 3, first["y"] - 3), (last["x"] + 20, last["y"] + 20))
    columns = round((last["x"] - first["x"]) / (page.tile(1).bounding_box()["x"] - first["x"])) + 1
    page.selected(2 * columns)
    # Another box takes its place, one with Ctrl is added.
    page.page.keyboard.down("Control")
    page.click(12)
    page.page.keyboard.up("Control")
    page.selected(2 * columns + 1)
    myelocyte = page.page.locator(".class-row", has_text=re.compile("^Myelocyte"))
    page.drag(page.middle(page.tile(0)), page.middle(myelocyte))
    page.saved()
    assert labels()["Myelocyte", "anna"] == 2 * columns + 1
    # The import's word was replaced where anna spoke.
    assert labels()["Lymphocyte", None] == 5 - columns if columns < 5 else ("Lymphocyte", None) not in labels()


def test_everything_by_keyboard(cells: list[Cell], annotator: User, gallery: Any) -> None:
    page = gallery(annotator)
    expect(page.page.get_by_role("listbox", name="Cells")).to_be_focused()
    # Where nothing is selected, the cell with the focus is labelled, and the next one is at hand.
    page.press("End", "1")
    page.said("Myeloblast: 1 cell.")
    page.saved()
    assert [each.label.name for each in CellLabel.objects.filter(cell=cells[47])] == ["Myeloblast"]
    page.press("Home", "ArrowRight", "x", "ArrowRight", "Space", "Shift+ArrowRight")
    page.selected(2)
    page.press("a")
    page.selected(48)
    page.press("Escape")
    page.selected(0)
    page.press("Enter")
    dialog = page.page.get_by_role("dialog")
    expect(dialog).to_contain_text("P-7")
    expect(dialog).to_contain_text("6.0 × 6.0 µm")
    page.press("3", "ArrowRight", "3", "Escape")
    page.saved()
    assert labels()["Myelocyte", "anna"] == 2
    page.press("Delete")
    page.said("No label: 1 cell.")
    page.saved()
    assert labels()["Myelocyte", "anna"] == 1


def test_look_at_a_cell_in_large_and_in_its_field(cells: list[Cell], annotator: User, gallery: Any) -> None:
    page = gallery(annotator)
    page.known()
    x, y = page.middle(page.tile(7))
    page.page.mouse.dblclick(x, y)
    expect(page.page.get_by_role("dialog")).to_contain_text("6.0 × 6.0 µm")
    page.press("Escape")
    page.press("g")
    editor = EditorPage(page.page)
    expect(editor.page).to_have_url(re.compile(rf"/images/{cells[7].image_id}/#cell-{cells[7].pk}$"))
    editor.title("Unlabelled cell")
    expect(editor.page.locator("#selected [data-facts]")).to_contain_text("6.0 × 6.0 µm")
    resolution, x, y = map(float, str(editor.page.get_attribute("#editor", "data-view")).split())
    assert (x, y) == pytest.approx((540, 50), abs=2)


def test_two_at_once(cells: list[Cell], annotator: User, teammate: User, gallery: Any, console: Any) -> None:
    console.expect("412|503")
    anna, theo = gallery(annotator), gallery(teammate)
    anna.known()
    # Anna hears nothing of the others, as in the second before she does.
    anna.page.route("**/gallery/news/**", lambda route: route.fulfill(status=503, json={}))
    theo.click(6)
    theo.press("1")
    theo.saved()
    anna.click(6)
    anna.click(7, modifiers=["Control"])
    anna.press("2")
    notice = anna.page.locator("#notices")
    expect(notice).to_contain_text("Your label of 1 cell was not saved.")
    # It shows what holds now; the other cell is saved, and nothing was merged.
    expect(anna.tile(6)).to_contain_text("Myeloblast")
    expect(anna.tile(6)).to_contain_text("changed by another")
    expect(anna.tile(7)).to_contain_text("Promyelocyte")
    assert labels() == {("Lymphocyte", None): 5, ("Myeloblast", "theo"): 1, ("Promyelocyte", "anna"): 1}
    notice.get_by_role("button", name="Set my labels again").click()
    anna.saved()
    expect(notice).to_be_empty()
    assert labels()["Promyelocyte", "anna"] == 2
    # Theo sees by himself what anna said, as soon as he is told.
    expect(theo.tile(7)).to_contain_text("Promyelocyte", timeout=15_000)
    expect(theo.tile(6).locator(".tile-by.differs")).to_have_text("A")


def test_labels_wait_for_the_server(cells: list[Cell], annotator: User, gallery: Any, console: Any) -> None:
    console.expect("ERR_FAILED|ERR_INTERNET")
    page = gallery(annotator)
    page.known()
    page.page.route("**/operations/", lambda route: route.abort())
    page.click(6)
    page.press("2")
    status = page.page.locator("#save-status")
    expect(status).to_contain_text("1 unsaved")
    # In the browser's journal: the page may go, and the next one sends it.
    page.page.on("dialog", lambda dialog: dialog.accept())
    page.page.reload()
    page.page.unroute("**/operations/")
    expect(status).to_have_attribute("data-status", "saved")
    expect(page.tile(6)).to_contain_text("Promyelocyte")
    assert labels()["Promyelocyte", "anna"] == 1


def test_reviewed_cells_are_shown_and_stay_as_they_are(cells: list[Cell], annotator: User, gallery: Any) -> None:
    SmearImage.objects.filter(pk=cells[0].image_id).update(state="reviewed")
    page = gallery(annotator)
    page.known()
    page.press("a", "2")
    expect(page.page.locator("#hint")).to_contain_text("Promyelocyte: 24 cells.")
    page.saved()
    assert labels()["Promyelocyte", "anna"] == 24


def test_what_a_head_learned_sorts_the_rest_and_moves_nothing_in_view(
    cells: list[Cell], annotator: User, gallery: Any
) -> None:
    promyelocyte = Label.objects.get(group__study=cells[0].image.study, name="Promyelocyte")
    for number, each in enumerate(cells):
        CellProbability.objects.create(cell=each, label=promyelocyte, probability=0.9 - number / 100, bundle="x")
    head = InteractiveHead.objects.create(group=promyelocyte.group, asked=1, learned=1)
    viewport = {"width": 800, "height": 480}
    page = gallery(annotator, f"?sort=likely&of={promyelocyte.pk}", viewport=viewport)
    page.known()
    expect(page.tile(0)).to_contain_text("90 %")
    # The poll that comes first is what a later one is compared with.
    expect(page.page.locator("#gallery-heads")).to_contain_text("bundle x")
    CellProbability.objects.update(probability=1.0 - F("probability"))
    head.finished_at, head.labelled = timezone.now(), 12
    head.save()
    expect(page.page.locator("#gallery-resort")).to_be_visible(timeout=15_000)
    assert page.tile(0).get_attribute("data-cell") == str(cells[0].pk)
    expect(page.tile(0)).to_contain_text("10 %")
    page.press("End")
    expect(page.tile(47)).not_to_have_attribute("data-cell", str(cells[47].pk))
    page.press("r")
    expect(page.tile(0)).to_have_attribute("data-cell", str(cells[47].pk))


def test_nothing_sticks_out_of_the_page(annotator: User, gallery: Any) -> None:
    page = gallery(annotator)
    page.press("a")
    for width in (2560, 1280, 390):
        page.page.set_viewport_size({"width": width, "height": 800})
        size = page.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert size == [width, 800]
        grid = page.page.locator("#grid").bounding_box()
        assert grid["height"] > 300 and grid["width"] > 0.7 * min(width, 1200)


def test_how_sure_and_what_is_not_counted(study: Study, cells: list[Cell], annotator: User, gallery: Any) -> None:
    page = gallery(annotator)
    page.known()
    page.click(6)
    page.click(8, modifiers=["Shift"])
    page.press("2", "Shift+c", "Shift+c", "Shift+c")
    page.said("How sure: unsure")
    expect(page.tile(6)).to_contain_text("? Promyelocyte")
    page.saved()
    mine = CellLabel.objects.filter(annotator=annotator)
    assert set(mine.values_list("label__name", "confidence")) == {("Promyelocyte", 0.4)}
    page.page.locator("#certainty").get_by_role("button", name="sure", exact=True).click()
    page.saved()
    assert set(mine.values_list("confidence", flat=True)) == {1.0}
    # One key each for what nobody can name, and for what does not enter the count whatever it is.
    page.click(9)
    page.press("u")
    page.click(6)
    page.press("n")
    page.saved()
    assert labels()["Unidentified", "anna"] == labels()["Exclude from count", "anna"] == 1
    page.class_count("Promyelocyte", 3)
    share = page.page.locator(".class-row", has_text="Promyelocyte").locator(".class-share")
    # Of two promyelocytes and the five lymphocytes of the import.
    expect(share).to_have_text("29\u202f%")
    expect(page.page.locator(".class-total").first).to_have_text("7 counted")
    page.choose("How sure people are", "Sure")
    page.count(3)


def test_a_model_that_comes_meanwhile_needs_no_other_page(
    study: Study, cells: list[Cell], annotator: User, gallery: Any
) -> None:
    page = gallery(annotator)
    of = page.page.get_by_label("Probability of", exact=True)
    expect(of).to_be_hidden()
    page.known()
    row = page.page.locator(".class-row", has_text="Promyelocyte")
    row.hover()
    row.get_by_role("button", name="Find more Promyelocyte").click()
    page.said("Nothing tells yet what Promyelocyte looks like")
    promyelocyte = Label.objects.get(group__study=study, name="Promyelocyte")
    for number, each in enumerate(cells):
        CellProbability.objects.create(cell=each, label=promyelocyte, probability=number / 100, bundle="x")
    expect(of).to_be_visible(timeout=15_000)
    expect(page.page.locator("#gallery-heads")).to_contain_text("Promyelocyte: bundle x.")
    row.hover()
    row.get_by_role("button", name="Find more Promyelocyte").click()
    page.ready()
    # Those that nobody has named, the most likely first.
    page.count(43)
    expect(page.tile(0)).to_have_attribute("data-cell", str(cells[47].pk))
