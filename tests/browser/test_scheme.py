"""The page of a label scheme in a real Chromium: a table to change, keys that clash, and what the editor shows."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from annotation.models import CellLabel, Label, SmearImage, Study
from tests.browser.cells import draw

pytestmark = pytest.mark.django_db(transaction=True)
CIRCLE = {"kind": "circle", "cx": 150, "cy": 150, "r": 40}


def label(study: Study, name: str) -> Label:
    return Label.objects.get(group__study=study, name=name)


def row(page: Page, name: str) -> Any:
    return page.locator("tr[data-label]", has=page.get_by_label(f"Name of {name}", exact=True))


def names(study: Study) -> list[str]:
    return list(study.label_groups.get(name="Cell type").labels.values_list("name", flat=True))


def test_an_admin_changes_the_scheme(study: Study, admin: User, page_of: Any) -> None:
    page = page_of(admin, f"/studies/{study.pk}/labels/")
    expect(page.get_by_role("link", name="Labels", exact=True)).to_have_attribute("aria-current", "page")
    # A key that two labels would have is said before anything is sent.
    page.get_by_label("Key of Metamyelocyte").fill("1")
    expect(page.get_by_text("The key 1 is given to Myeloblast and Metamyelocyte")).to_be_visible()
    expect(page.get_by_label("Key of Myeloblast")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Key of Metamyelocyte").fill("")
    expect(page.locator("[data-clash]")).to_be_hidden()
    # By buttons and by dragging; neither is sent before somebody saves.
    page.get_by_role("button", name="Move Promyelocyte up").click()
    row(page, "Neutrophil").locator(".scheme-handle").drag_to(row(page, "Myelocyte"), target_position={"x": 9, "y": 3})
    assert names(study)[:2] == ["Myeloblast", "Promyelocyte"]
    page.get_by_label("Name of Lymphocyte").fill("Lymphoid cell")
    page.get_by_label("What to look for in Lymphocyte").fill("Small and dense.")
    page.get_by_label("Cells labelled Other cell are counted").uncheck()
    expect(page.get_by_text("Not saved yet.")).to_be_visible()
    page.get_by_role("textbox", name="New label of Cell type").fill("Mast cell")
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.get_by_text("The scheme is saved.")).to_be_visible()
    expect(page.get_by_text("Not saved yet.")).to_be_hidden()
    assert names(study)[:4] == ["Promyelocyte", "Myeloblast", "Neutrophil", "Myelocyte"]
    assert names(study)[-1] == "Mast cell"
    lymphoid = label(study, "Lymphoid cell")
    assert (lymphoid.description, lymphoid.aliases) == ("Small and dense.", ["Lymphocyte"])
    assert not label(study, "Other cell").counted
    # A label that no cell ever had goes for good, after a question.
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete Mast cell").click()
    expect(page.get_by_text("Mast cell is deleted.")).to_be_visible()


def test_a_retired_label_can_only_be_taken_off(
    study: Study, image: SmearImage, admin: User, page_of: Any, edit: Any
) -> None:
    cell = draw(image, CIRCLE)
    CellLabel.objects.create(cell=cell, label=label(study, "Monocyte"), annotator=admin)
    page = page_of(admin, f"/studies/{study.pk}/labels/")
    page.get_by_role("button", name="Retire Monocyte").click()
    expect(page.get_by_text("Monocyte is retired")).to_be_visible()
    expect(page.get_by_role("button", name="Bring Monocyte back")).to_be_visible()
    editor = edit(admin)
    labels = editor.page.locator("#labels")
    expect(labels.get_by_role("button", name="Monocyte")).to_be_hidden()
    # What to look for stands at each label.
    tooltip = f"Promyelocyte (key 2)\n{label(study, 'Promyelocyte').description}"
    expect(labels.get_by_role("button", name="Promyelocyte")).to_have_attribute("title", tooltip)
    editor.click(150, 150)
    expect(labels.get_by_role("button", name="Monocyte")).to_have_attribute("aria-pressed", "true")
    # Its key sets nothing any more.
    editor.press("5")
    labels.get_by_role("button", name="Monocyte").click()
    editor.saved()
    expect(labels.get_by_role("button", name="Monocyte")).to_be_hidden()
    assert not CellLabel.objects.exists()
    page.reload()
    page.get_by_role("button", name="Bring Monocyte back").click()
    expect(page.get_by_text("Monocyte is offered again.")).to_be_visible()
