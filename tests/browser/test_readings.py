"""Readings in a real Chromium: two people read blind by keys, differ, and a reviewer decides and takes it back."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from annotation.label_choice import choices_of
from annotation.models import CellLabel, Reading, SmearImage, Study
from tests.annotation.reading import cells_on, label_id
from tests.browser.gallery_page import GalleryPage

pytestmark = pytest.mark.django_db(transaction=True)


def ready(page: Page) -> None:
    """Wait for the script that listens to keys."""
    expect(page.locator('[data-ready="true"]')).to_be_attached()


def read(page: Page, keys: list[str], shown: str) -> None:
    """Read cells by keys: each of `keys` labels one. `shown`: what a reader must not see meanwhile."""
    page.get_by_role("link", name="Begin reading").click()
    for place, pressed in enumerate(keys):
        expect(page.get_by_text(f"{place} of {len(keys)} read")).to_be_visible()
        ready(page)
        expect(page.locator(".reading-labels :checked")).to_have_count(0)
        expect(page.get_by_text(shown)).to_have_count(0)
        for key in pressed.split():
            page.keyboard.press(key)
    expect(page.get_by_role("heading", name="All cells are read")).to_be_visible()
    page.get_by_role("button", name="I am done").click()
    expect(page.get_by_text("you see what the others said now")).to_be_visible()


def test_two_read_blind_and_a_reviewer_decides(
    study: Study, image: SmearImage, annotator: User, teammate: User, reviewer: User, page_of: Any
) -> None:
    cells = cells_on(image, 3)
    blast, promyelocyte, rod = (label_id(study, name) for name in ("Myeloblast", "Promyelocyte", "Auer rod"))

    # A reviewer asks two people.
    asking = page_of(reviewer, f"/studies/{study.pk}/readings/")
    asking.get_by_label("Name", exact=True).fill("Blasts")
    asking.get_by_label("Characteristics").check()
    asking.get_by_label("anna").check()
    asking.get_by_label("theo").check()
    asking.get_by_role("button", name="Ask for it").click()
    expect(asking.get_by_text("Blasts is asked for")).to_be_visible()
    reading = Reading.objects.get()

    # Both read by keys, with how sure they are; the second sees nothing of the first.
    read(
        page_of(annotator, f"/studies/{study.pk}/readings/"),
        ["1 Shift+C Shift+C Enter", "1 Enter", "1 9 Enter"],
        "theo",
    )
    assert CellLabel.objects.filter(annotator=annotator, label=blast).count() == 3
    assert list(CellLabel.objects.filter(confidence__isnull=False).values_list("confidence", flat=True)) == [0.7]
    assert CellLabel.objects.filter(annotator=annotator, label=rod).count() == 1
    read(page_of(teammate, f"/studies/{study.pk}/readings/"), ["2 Enter", "2 2 1 Enter", "Enter"], "anna")
    assert CellLabel.objects.filter(annotator=teammate).count() == 2

    # How far they agree.
    asking.goto(f"/studies/{study.pk}/agreement/?reading={reading.pk}")
    expect(asking.get_by_role("heading", name="anna and theo")).to_be_visible()

    # The reviewer decides by keys, sees that it counts, and takes it back.
    asking.get_by_role("navigation", name="Readings").get_by_role("link", name="Disagreements").click()
    ready(asking)
    disputed = asking.locator(".dispute")
    number = disputed.count()
    assert number >= 2
    asking.keyboard.press("j")
    expect(disputed.first).to_be_focused()
    answer = disputed.first.locator('[data-number="2"]')
    decided = answer.get_attribute("value")
    asking.keyboard.press("2")
    expect(disputed.first.get_by_text("decided by rita")).to_be_visible()
    cell = disputed.first.get_attribute("data-cell")
    group = study.label_groups.get(name="Cell type")
    decision = cells[0].adjudications.model.objects.get()
    assert (str(decision.cell_id), decision.group, decision.decided_by) == (cell, group, reviewer)
    assert decision.labels == [int(each) for each in (decided or "").split(",") if each]
    asking.keyboard.press("u")
    expect(disputed.first.get_by_text("The decision is taken back.")).to_be_visible()
    assert not cells[0].adjudications.model.objects.exists()
    expect(disputed.first.locator('[data-number="2"]')).to_be_visible()

    # A label that nobody gave, with a reason, from the second cell on the list.
    asking.keyboard.press("j")
    second = disputed.nth(1)
    second.get_by_label("Why").fill("Granules all over.")
    second.get_by_label("Another label").select_option(label="Promyelocyte")
    expect(second.get_by_text("Granules all over.")).to_be_visible()
    found = choices_of([second.get_attribute("data-cell")], None)  # type: ignore[list-item]
    assert any(promyelocyte in choice.labels for choice in found.values())
    asking.reload()
    expect(asking.locator(".dispute")).to_have_count(number - 1)
    asking.get_by_role("link", name="Decided: Cell type").click()
    expect(asking.get_by_text("Granules all over.")).to_be_visible()


def test_a_doubtful_label_is_sent_to_another_reader(
    study: Study, image: SmearImage, annotator: User, teammate: User, reviewer: User, page_of: Any
) -> None:
    from inference.models import CellProbability
    from tests.annotation.reading import say

    cells = cells_on(image, 2)
    for cell in cells:
        say(cell, annotator, "Myeloblast")
        CellProbability.objects.create(
            cell=cell, label_id=label_id(study, "Promyelocyte"), probability=0.95, bundle="interactive"
        )
    page = page_of(reviewer, f"/studies/{study.pk}/readings/")
    page.get_by_role("link", name="Second look").click()
    expect(page.locator(".dispute")).to_have_count(2)
    page.locator(".dispute").first.get_by_role("checkbox").check()
    chosen = page.locator(".dispute").first.get_attribute("data-cell")
    page.get_by_role("button", name="Have the ticked cells read by others").click()
    expect(page.get_by_text("The 1 that you chose.")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("Doubtful")
    page.get_by_label("theo").check()
    page.get_by_label("Readers a cell").fill("1")
    page.get_by_role("button", name="Ask for it").click()
    expect(page.get_by_text("Doubtful is asked for")).to_be_visible()
    assert [str(row.cell_id) for row in Reading.objects.get().readers.get().cells.all()] == [chosen]
    # The other is kept as it is.
    page.get_by_role("link", name="Second look").click()
    ready(page)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(".dispute").nth(1)).to_be_focused()
    page.keyboard.press("1")
    expect(page.locator(".dispute").nth(1).get_by_text("decided by rita")).to_be_visible()


def test_two_read_the_same_cells_in_their_galleries_at_once(
    study: Study, make_image: Any, annotator: User, teammate: User, reviewer: User, page_of: Any
) -> None:
    from tests.annotation.reading import asked

    cells_on(make_image(study, width=640, height=480, um_per_pixel=0.1), 3)
    reading = asked(study, reviewer, [annotator, teammate])
    anna = GalleryPage(page_of(annotator, f"/studies/{study.pk}/gallery/?reading={reading.pk}"))
    theo = GalleryPage(page_of(teammate, f"/studies/{study.pk}/gallery/?reading={reading.pk}"))
    for gallery in (anna, theo):
        gallery.count(3)
        gallery.known()
    # Both have the cells before either has spoken: who saves second is not told that somebody was first.
    for gallery, key in ((anna, "1"), (theo, "2")):
        gallery.click(0)
        gallery.press("Control+a", key)
        gallery.saved()
    expect(theo.tile(2)).to_contain_text("Promyelocyte")
    expect(theo.page.get_by_text("Myeloblast", exact=True).locator("visible=true")).to_have_count(1)
    said = CellLabel.objects.order_by("annotator__username").values_list("annotator__username", "label__name")
    assert list(said) == [("anna", "Myeloblast")] * 3 + [("theo", "Promyelocyte")] * 3
    assert [part.cells.filter(read_at__isnull=False).count() for part in reading.readers.all()] == [3, 3]
