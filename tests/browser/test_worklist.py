"""The worklist in a real Chromium: filters, selecting and assigning with and without a mouse, the next image."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from annotation.comments import add_comment
from annotation.models import Patient, Study


@pytest.fixture
def images(study: Study, make_image: Any) -> list[Any]:
    patient = Patient.arrive(study, "P-7")
    return [make_image(study, seed=seed, patient=patient if seed < 2 else None) for seed in range(5)]


def _assignees(study: Study) -> list[str | None]:
    return list(study.images.order_by("pk").values_list("assignee__username", flat=True))


def _checked(page: Page) -> list[bool]:
    return [box.is_checked() for box in page.locator("[data-select]").all()]


def test_a_reviewer_selects_a_range_and_assigns_it(
    study: Study, images: list[Any], annotator: User, reviewer: User, page_of: Any
) -> None:
    page = page_of(reviewer, f"/studies/{study.pk}/")
    actions = page.locator("[data-selection-actions]")
    expect(actions).to_be_hidden()
    boxes = page.locator("[data-select]")
    boxes.nth(3).click()
    boxes.nth(1).click(modifiers=["Shift"])
    assert _checked(page) == [False, True, True, True, False]
    expect(page.get_by_text("3 selected")).to_be_visible()
    actions.get_by_label("Assign the selected images to").select_option(label="anna")
    actions.get_by_role("button", name="Assign").click()
    expect(page.get_by_role("status").filter(has_text="3 images are now assigned to anna.")).to_be_visible()
    assert _assignees(study) == [None, "anna", "anna", "anna", None]
    # The list is new: nothing is selected any more.
    expect(actions).to_be_hidden()
    assert not any(_checked(page))

    everything = page.get_by_label("Select all on this page")
    everything.check()
    assert all(_checked(page))
    boxes.nth(0).click()
    assert everything.evaluate("box => box.indeterminate")
    page.keyboard.press("Escape")
    assert not any(_checked(page))


def test_everything_can_be_done_by_keys(
    study: Study, images: list[Any], annotator: User, reviewer: User, page_of: Any
) -> None:
    page = page_of(reviewer, f"/studies/{study.pk}/")
    page.get_by_label("Select all on this page").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Assign the selected images to")).to_be_focused()
    page.keyboard.type("anna")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="5 images are now assigned to anna.")).to_be_visible()
    assert _assignees(study) == ["anna"] * 5

    # From a card's picture on: its box, its patient, its assignee.
    card = page.locator(".image-card").first
    card.locator(".image-link").focus()
    page.keyboard.press("Tab")
    expect(card.locator("[data-select]")).to_be_focused()
    page.keyboard.press("Tab")
    expect(card.get_by_role("link", name="All images of patient P-7")).to_be_focused()
    page.keyboard.press("Tab")
    chosen = card.get_by_label("Assigned to")
    expect(chosen).to_be_focused()
    page.keyboard.type("Nobody")
    expect(card.locator("select[data-nobody]")).to_be_visible()
    assert _assignees(study)[0] is None
    # The part of the card is new, and the focus stays where it was.
    expect(card.get_by_label("Assigned to")).to_be_focused()


def test_an_annotator_takes_images_and_gives_them_back(
    study: Study, images: list[Any], annotator: User, teammate: User, page_of: Any
) -> None:
    images[1].assignee = teammate
    images[1].save()
    page = page_of(annotator, f"/studies/{study.pk}/")
    first = page.locator(".image-card").first
    first.get_by_role("button", name="Take").click()
    expect(first).to_contain_text("You")
    assert _assignees(study)[0] == "anna"
    first.get_by_role("button", name="Give back").click()
    expect(first).to_contain_text("Nobody")
    expect(page.locator(".image-card").nth(1)).to_contain_text("theo")

    page.get_by_label("Select all on this page").check()
    actions = page.locator("[data-selection-actions]")
    actions.get_by_role("button", name="Take").click()
    expect(page.get_by_role("status").filter(has_text="1 of the 5 images is assigned to somebody else")).to_be_visible()
    assert _assignees(study) == [None, "theo", None, None, None]
    page.get_by_label("Assigned to", exact=True).first.select_option(label="Assigned to nobody")
    expect(page.locator(".image-card")).to_have_count(4)
    page.get_by_label("Select all on this page").check()
    actions.get_by_role("button", name="Take").click()
    # The list asked for what is nobody's: now there is none.
    expect(page.get_by_role("heading", name="No image matches")).to_be_visible()
    assert _assignees(study) == ["anna", "theo", "anna", "anna", "anna"]
    page.get_by_role("link", name="Show all images").last.click()
    expect(page.locator(".image-card")).to_have_count(5)


def test_an_image_taken_meanwhile_is_not_taken_away(
    study: Study, images: list[Any], annotator: User, teammate: User, page_of: Any
) -> None:
    page = page_of(annotator, f"/studies/{study.pk}/")
    images[0].assignee = teammate
    images[0].save()
    first = page.locator(".image-card").first
    first.get_by_role("button", name="Take").click()
    expect(page.get_by_role("status").filter(has_text="The image is assigned to theo")).to_be_visible()
    expect(first).to_contain_text("theo")
    assert _assignees(study)[0] == "theo"


def test_filters_go_together_and_stay_in_the_address(
    study: Study, images: list[Any], annotator: User, reviewer: User, page_of: Any
) -> None:
    images[0].assignee = annotator
    images[0].state = "in_progress"
    images[0].save()
    add_comment(images[0], reviewer, uuid4(), "Mark the smudge cells.")
    page = page_of(annotator, f"/studies/{study.pk}/")
    cards = page.locator(".image-card")
    page.get_by_label("With open comments").check()
    expect(cards).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/\?comments=open$"))
    expect(cards).to_contain_text("Sent back")
    expect(cards).to_contain_text("Mark the smudge cells.")
    page.get_by_label("With open comments").uncheck()
    expect(cards).to_have_count(5)
    page.get_by_label("Patient", exact=True).select_option(label="P-7")
    expect(cards).to_have_count(2)
    page.get_by_role("navigation", name="Images by state").get_by_role("link", name="New").click()
    expect(cards).to_have_count(1)
    page.get_by_label("Sort").select_option(label="Latest change first")
    expect(page).to_have_url(re.compile(r"\?state=new&patient=\d+&sort=changed$"))
    # The card leads to the editor with the list that its next and previous follow.
    href = cards.locator(".image-link").get_attribute("href") or ""
    assert re.search(r"/images/\d+/\?state=new&patient=\d+&sort=changed$", href)
    page.reload()
    expect(cards).to_have_count(1)
    expect(page.get_by_label("Patient", exact=True)).to_have_value(str(images[0].patient_id))
    page.get_by_role("link", name="Show all images").click()
    expect(cards).to_have_count(5)
    cards.first.get_by_role("link", name="All images of patient P-7").click()
    expect(cards).to_have_count(2)


def test_next_image_for_me(study: Study, images: list[Any], annotator: User, teammate: User, page_of: Any) -> None:
    page = page_of(annotator, f"/studies/{study.pk}/")
    page.get_by_role("button", name="Next image for me").click()
    expect(page).to_have_url(re.compile(rf"/images/{images[0].pk}/\?assignee={annotator.pk}&sort=arrival$"))
    assert _assignees(study)[0] == "anna"
    study.images.update(state="annotated")
    page.goto(f"/studies/{study.pk}/")
    page.get_by_role("button", name="Next image for me").click()
    expect(page.get_by_role("status").filter(has_text="Every image of this study is annotated.")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 2560])
def test_nothing_sticks_out_of_a_card_or_the_page(
    study: Study, images: list[Any], annotator: User, reviewer: User, page_of: Any, scheme: str, width: int
) -> None:
    for image in images:
        name = image.names.get()
        name.name = f"{'a-very-long-folder-name/' * 5}{name.name}"
        name.save()
    images[0].state = "in_progress"
    images[0].patient.code = "PATIENT-" * 10
    images[0].patient.save()
    images[0].save()
    add_comment(images[0], reviewer, uuid4(), "Wordwithoutend" * 40)
    viewport = {"width": width, "height": 800}
    page = page_of(annotator, f"/studies/{study.pk}/", viewport=viewport, color_scheme=scheme)
    page.locator("[data-select]").first.check()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    out = page.evaluate(
        """[...document.querySelectorAll(".image-card")].flatMap(card => {
          const edge = card.getBoundingClientRect().right;
          return [...card.querySelectorAll(".image-line > *, .image-back")]
            .filter(part => part.getBoundingClientRect().right > edge).map(part => part.className);
        })"""
    )
    assert out == []


def test_what_was_done_is_seen_down_in_the_list_too(
    study: Study, images: list[Any], annotator: User, page_of: Any
) -> None:
    page = page_of(annotator, f"/studies/{study.pk}/", viewport={"width": 480, "height": 500})
    page.locator("[data-select]").last.click()
    page.locator("[data-selection-actions]").get_by_role("button", name="Take").click()
    said = page.locator("#worklist-said")
    expect(said).to_have_text("1 image is now assigned to anna.")
    expect(said).to_be_in_viewport()
    expect(said).to_be_empty(timeout=12_000)
